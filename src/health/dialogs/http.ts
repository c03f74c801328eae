// SPDX-License-Identifier: Apache-2.0
// A request of HTTP/1.1 and what its response is worth. The connection is not used again (`Connection: close`). Without
// conditions on the body, the verdict falls at the end of the head.
import { createHash } from 'node:crypto';
import { closedEarly, type Dialog, fails, mostReceivedBytes, passes, type Step, type Verdict } from '../dialog.ts';
import type { ProbeOf } from '../model.ts';
import type { Destination } from '../probe.ts';
import { matchWithin } from './expression.ts';
import { type Head, HttpResponse } from './http-response.ts';
import { shown } from './shown.ts';

type HttpProbe = ProbeOf<'http'>;

/** The address and the port, as they are written in a URL. */
export function authority(to: Destination): string {
  return `${to.address.includes(':') ? `[${to.address}]` : to.address}:${to.port}`;
}

function request(probe: HttpProbe, to: Destination): Uint8Array {
  const defaults: (readonly [string, string])[] = [
    ['Host', probe.host ?? authority(to)],
    ['Connection', 'close'],
    ['Accept-Encoding', 'identity'],
    ['User-Agent', 'sluice'],
  ];
  // Servers may refuse these methods without a length (RFC 9110, section 8.6).
  if (['POST', 'PUT', 'PATCH'].includes(probe.method)) defaults.push(['Content-Length', '0']);
  const given = new Set(probe.headers.map(([name]) => name.toLowerCase()));
  const headers = [...defaults.filter(([name]) => !given.has(name.toLowerCase())), ...probe.headers];
  const lines = [`${probe.method} ${probe.path} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'utf8');
}

// A probe is one object for as long as its check is in force.
const expressions = new WeakMap<HttpProbe, RegExp>();

function expressionOf(probe: HttpProbe, source: string): RegExp {
  const known = expressions.get(probe);
  if (known !== undefined) return known;
  const expression = new RegExp(source, 'u');
  expressions.set(probe, expression);
  return expression;
}

/** What is wrong with the body, in words; undefined: nothing. */
function bodyProblem(probe: HttpProbe, body: Buffer, isCut: boolean): string | undefined {
  if (probe.contains !== null && !body.includes(probe.contains)) return `the body does not contain "${probe.contains}"`;
  if (probe.matches !== null) {
    const matched = matchWithin(expressionOf(probe, probe.matches), body.toString('utf8'));
    if (matched !== true) return matched === false ? `the body does not match ${probe.matches}` : matched;
  }
  if (probe.digest === null) return undefined;
  if (isCut) return `the body is longer than ${mostReceivedBytes >> 10} KiB, so its digest is not known`;
  const digest = createHash(probe.digest.length === 32 ? 'md5' : 'sha256')
    .update(body)
    .digest('hex');
  return digest === probe.digest.toLowerCase() ? undefined : `the digest of the body is ${digest}`;
}

export function httpDialog(probe: HttpProbe, to: Destination): Dialog {
  const wantsBody = probe.contains !== null || probe.matches !== null || probe.digest !== null;
  const response = new HttpResponse(probe.method, wantsBody);

  const judged = (head: Head): Verdict | undefined => {
    const found = `HTTP ${head.status} ${head.reason}`.trim();
    if (!probe.status.some(([first, last]) => first <= head.status && head.status <= last)) return fails(found);
    if (response.problem !== undefined) return fails(`${found}, but ${response.problem}`);
    if (!response.isComplete && !response.isCut) return undefined;
    const problem = wantsBody ? bodyProblem(probe, response.body(), response.isCut) : undefined;
    if (problem === undefined) return passes(found);
    const coding = head.headers.get('content-encoding');
    return fails(`${found}, but ${problem}${coding === undefined ? '' : ` (Content-Encoding: ${shown(coding)})`}`);
  };
  const verdict = (): Verdict | undefined => {
    if (response.head !== undefined) return judged(response.head);
    return response.problem === undefined ? undefined : fails(response.problem);
  };
  const step = (): Step => {
    const found = verdict();
    return found === undefined ? {} : { verdict: found };
  };

  return {
    begin: () => ({ send: request(probe, to) }),
    received(bytes) {
      response.add(bytes);
      return step();
    },
    closed() {
      response.close();
      return verdict() ?? closedEarly(response.missing);
    },
    timedOut: () => fails(response.missing),
  };
}
