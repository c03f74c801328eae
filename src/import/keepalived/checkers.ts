// SPDX-License-Identifier: Apache-2.0
// The checkers of a real server as checks of a document. Several URLs of one checker, and several hosts of one SMTP_CHECK,
// are checks of their own: a server needs all of them, as it does in keepalived.
import { isAbsolute } from 'node:path';
import type { CheckDocument } from '../../health/schema.ts';
import type { SourcePlace } from '../report.ts';
import { checkerLost } from './keywords.ts';
import { commandWords } from './lines.ts';
import { readTiming, type Timing, timingDocument } from './timing.ts';
import type { Node } from './tree.ts';
import { readUrl, type TlsFiles } from './urls.ts';
import { shown, type Values } from './values.ts';

export type CheckMap = Exclude<CheckDocument, string>;

/** What a checker needs to know from outside of its block. */
export interface CheckerContext {
  readonly values: Values;
  /** Of the virtual server and the real server. */
  readonly timing: Timing;
  /** The virtual server's own delay loop, by which scripts are ended. */
  readonly serviceDelayLoop: number;
  readonly virtualHost: string | undefined;
  readonly tls: TlsFiles;
  /** Files by the names of their track_file blocks. */
  readonly trackFiles: ReadonlyMap<string, TrackFile>;
}

export interface TrackFile {
  readonly path: string;
  readonly weight: number;
}

export interface ReadChecker {
  readonly checks: readonly CheckMap[];
  readonly place: SourcePlace;
  readonly alpha: boolean;
}

/** Undefined where keepalived has no checker then, or Sluice none like it. */
export function readChecker(node: Node, context: CheckerContext): ReadChecker | undefined {
  const { values } = context;
  values.report.carried(node.place);
  const open = readCommon(node, context);
  const probes = probesOf(node, open, context);
  if (probes.length === 0) return undefined;
  const timing = { ...context.timing, ...open.timing };
  const settings = timingOf(node, open, timing, context);
  const checks = probes.map(probe => ({ ...probe, ...open.target, ...targetOf(probe), ...settings }));
  return { checks, place: node.place, alpha: timing.alpha ?? false };
}

function targetOf({ address, port }: CheckMap): Pick<CheckMap, 'address' | 'port'> {
  return { ...(address === undefined ? {} : { address }), ...(port === undefined ? {} : { port }) };
}

interface Common {
  readonly timing: Timing;
  readonly target: Pick<CheckMap, 'address' | 'port'>;
  /** Keywords that belong to one kind of checkers. */
  readonly own: readonly Node[];
}

function readCommon(node: Node, { values }: CheckerContext): Common {
  let timing: Timing = {};
  let target: Common['target'] = {};
  const own: Node[] = [];
  for (const child of node.children) {
    const time = readTiming(values, child, 0);
    if (time !== undefined) timing = { ...timing, ...time };
    else if (child.keyword === 'connect_ip') target = { ...target, ...readAddress(child, values) };
    else if (child.keyword === 'connect_port') target = { ...target, ...readPort(child, values) };
    else if (Object.hasOwn(checkerLost, child.keyword)) values.lost(child, checkerLost[child.keyword] ?? '');
    else own.push(child);
  }
  return { timing, target, own };
}

function readAddress(node: Node, values: Values): Pick<CheckMap, 'address'> {
  const address = values.address(node);
  return address === undefined ? {} : { address: address.text };
}

function readPort(node: Node, values: Values): Pick<CheckMap, 'port'> {
  const port = values.number(node, 1, 65_535);
  return port === undefined ? {} : { port };
}

function timingOf(node: Node, { own }: Common, timing: Timing, { values, serviceDelayLoop }: CheckerContext) {
  switch (node.keyword) {
    case 'HTTP_GET':
    case 'SSL_GET':
      return timingDocument(values, timing, { retry: 1, delayBeforeRetry: 3 }, node);
    case 'DNS_CHECK':
      return timingDocument(values, timing, { retry: 3, delayBeforeRetry: undefined }, node);
    case 'MISC_CHECK': {
      const limit = own.find(({ keyword }) => keyword === 'misc_timeout');
      const connectTimeout = (limit && values.number(limit, 0)) || serviceDelayLoop;
      if (limit === undefined) {
        values.report.explicit(
          node.place,
          `MISC_CHECK: timeout ${connectTimeout}, the delay_loop of the virtual server`,
        );
      }
      return timingDocument(values, { ...timing, connectTimeout }, { retry: 0, delayBeforeRetry: 1 }, node);
    }
    case 'FILE_CHECK':
      return { interval: 1, timeout: 1, rise: 1, fall: 1 };
    default:
      return timingDocument(values, timing, { retry: 1, delayBeforeRetry: 1 }, node);
  }
}

function probesOf(node: Node, common: Common, context: CheckerContext): CheckMap[] {
  switch (node.keyword) {
    case 'TCP_CHECK':
      return [{ tcp: {} }];
    case 'PING_CHECK':
      return [{ ping: {} }];
    case 'HTTP_GET':
    case 'SSL_GET':
      return httpProbes(node, common, context);
    case 'SMTP_CHECK':
      return smtpProbes(node, common, context);
    case 'DNS_CHECK':
      return dnsProbe(node, common, context);
    case 'UDP_CHECK':
      return udpProbe(node, common, context);
    case 'MISC_CHECK':
      return scriptProbe(node, common, context);
    case 'FILE_CHECK':
      return fileProbe(node, common, context);
    default:
      for (const child of common.own) context.values.report.carried(child.place);
      context.values.lost(node, 'there is no BFD: use a check of type ping with a short interval');
      return [];
  }
}

function httpProbes(node: Node, { own }: Common, context: CheckerContext): CheckMap[] {
  const { values } = context;
  let virtualHost = context.virtualHost;
  let sni: string | boolean = false;
  const urls: Node[] = [];
  for (const child of own) {
    switch (child.keyword) {
      case 'url':
        urls.push(child);
        break;
      case 'virtualhost':
        virtualHost = values.word(child) ?? virtualHost;
        break;
      case 'enable_sni':
        sni = sni || values.truth(child);
        break;
      case 'sni_name':
        sni = values.word(child) ?? sni;
        break;
      case 'http_protocol':
        readProtocol(child, values);
        break;
      case 'fast_recovery':
        values.truth(child);
        values.report.explicit(child.place, 'fast_recovery: each URL is a check of its own, so none waits for another');
        break;
      default:
        values.lost(child, 'the versions of TLS are those of the system');
    }
  }
  if (urls.length === 0) return nothing(node, values, 'HTTP_GET and SSL_GET need a url');
  const isTls = node.keyword === 'SSL_GET';
  if (isTls) {
    values.report.explicit(node.place, 'SSL_GET: tls.verify is false, as keepalived accepts any certificate');
  }
  if (urls.length > 1) {
    const what = `${node.keyword}: ${urls.length} URLs are checks of their own, each tried in every interval`;
    values.report.explicit(node.place, what);
  }
  return urls.flatMap(
    url => readUrl(url, { values, virtualHost, tls: isTls ? { ...context.tls, sni } : undefined }) ?? [],
  );
}

function readProtocol(node: Node, values: Values): void {
  const word = values.word(node);
  if (word === undefined) return;
  if (!['1.0', '1.0C', '1.0c', '1.1'].includes(word)) values.wrong(node, 'not 1.0, 1.0C or 1.1');
  else if (word !== '1.1') {
    values.lost(node, 'requests are HTTP/1.1 with Connection: close: let the server answer them');
  }
}

function smtpProbes(node: Node, { own, target }: Common, { values }: CheckerContext): CheckMap[] {
  let hello = 'smtpchecker.keepalived.org';
  const name = own.find(({ keyword }) => keyword === 'helo_name');
  if (name === undefined) values.report.explicit(node.place, `SMTP_CHECK: hello ${hello}, as keepalived by default`);
  else hello = values.word(name) ?? hello;
  const hosts = own.filter(({ keyword }) => keyword === 'host');
  if (hosts.length === 0) return [{ smtp: { hello } }];
  return hosts.map(host => {
    values.report.carried(host.place);
    let endpoint: Common['target'] = target;
    for (const child of host.children) {
      if (child.keyword === 'connect_ip') endpoint = { ...endpoint, ...readAddress(child, values) };
      else if (child.keyword === 'connect_port') endpoint = { ...endpoint, ...readPort(child, values) };
      else values.lost(child, checkerLost[child.keyword] ?? 'a checker has one timeout for all of its hosts');
    }
    return { smtp: { hello }, ...endpoint };
  });
}

const dnsTypes = ['A', 'NS', 'CNAME', 'SOA', 'MX', 'TXT', 'AAAA'] as const;

function dnsProbe(node: Node, { own }: Common, { values }: CheckerContext): CheckMap[] {
  let query: (typeof dnsTypes)[number] = 'SOA';
  let name = '.';
  for (const child of own) {
    const word = values.word(child);
    if (word === undefined) continue;
    const type = dnsTypes.find(one => one === word.toUpperCase());
    if (child.keyword === 'name') name = word;
    else if (type === undefined) values.wrong(child, `not a type of queries: ${dnsTypes.join(', ')}`);
    else query = type;
  }
  values.report.explicit(node.place, `DNS_CHECK: a query for ${query} of ${name}, and any answer with NOERROR passes`);
  return [{ dns: { name, query, codes: ['NOERROR'] } }];
}

function udpProbe(node: Node, { own }: Common, { values }: CheckerContext): CheckMap[] {
  let send: string | undefined;
  let expect: string | undefined;
  for (const child of own) {
    const digits = hexOf(child.words, child.keyword === 'require_reply');
    if (child.keyword === 'payload' && digits !== undefined && digits !== '') {
      send = digits;
      values.report.carried(child.place);
    } else if (child.keyword === 'require_reply' && digits !== undefined) {
      expect = digits;
      values.report.carried(child.place);
    } else if (child.keyword.endsWith('_reply_length')) {
      values.lost(child, 'the length of answers is not looked at: write what they begin with after require_reply');
    } else values.wrong(child, 'not bytes in hexadecimal');
  }
  if (send === undefined) {
    values.report.explicit(node.place, 'UDP_CHECK: an empty datagram is sent; keepalived sends bytes at random');
  }
  return [{ udp: { ...(send === undefined ? {} : { send }), ...(expect === undefined ? {} : { expect }) } }];
}

// `Ab12f 3` is ab 12 0f 03: a digit that stands alone at the end of a word is a byte.
function hexOf(words: readonly string[], withAny: boolean): string | undefined {
  const pattern = withAny ? /^[0-9A-Fa-fxX]+$/ : /^[0-9A-Fa-f]+$/;
  const filled = words.map(word => (word.length % 2 === 0 ? word : `${word.slice(0, -1)}0${word.slice(-1)}`));
  return words.every(word => pattern.test(word)) ? filled.join('').toLowerCase() : undefined;
}

function scriptProbe(node: Node, { own }: Common, { values }: CheckerContext): CheckMap[] {
  let command: string[] = [];
  let setsWeight = false;
  for (const child of own) {
    if (child.keyword === 'misc_path') {
      values.report.carried(child.place);
      command = scriptCommand(child);
    } else if (child.keyword === 'misc_dynamic') setsWeight = values.truth(child);
    else if (child.keyword === 'user')
      values.lost(child, 'scripts run as process.user: allow this user what they need');
  }
  const [program] = command;
  if (program === undefined || program === '') return nothing(node, values, 'MISC_CHECK needs misc_path');
  if (!isAbsolute(program)) {
    values.report.explicit(node.place, `${program} is looked for in the PATH by /usr/bin/env`);
    command = ['/usr/bin/env', ...command];
  }
  const what = `${program}: when it is missing, the check fails; keepalived drops the check, so that the server is up`;
  values.report.explicit(node.place, what);
  return [{ script: { command, ...(setsWeight ? { sets_weight: true } : {}) } }];
}

// Quoted, the word is a command with its arguments; else all words are.
function scriptCommand({ text, words }: Node): string[] {
  const [only] = words;
  return words.length === 1 && only !== undefined ? commandWords(only) : commandWords(text).slice(1);
}

function fileProbe(node: Node, { own }: Common, { values, trackFiles }: CheckerContext): CheckMap[] {
  const named = own.find(({ keyword }) => keyword === 'track_file');
  const name = named === undefined ? undefined : values.word(named);
  const file = name === undefined ? undefined : trackFiles.get(name);
  const weight = own.find(({ keyword }) => keyword === 'weight');
  for (const child of own) {
    if (child.keyword === 'dynamic') values.wrong(child, 'this is what a weight does');
  }
  const factor = (weight && values.number(weight, -2_147_483_647)) ?? file?.weight ?? 1;
  if (file === undefined) return nothing(node, values, 'FILE_CHECK needs the name of a track_file block with a file');
  if (factor !== 0) {
    const remedy = 'write the weight itself to the file, and add a check { file: { path: PATH, sets_weight: true } }';
    values.report.lost(
      node.place,
      `${shown(node)}: ${factor} times the number in the file is added to the weight`,
      remedy,
    );
    return [];
  }
  if (!isAbsolute(file.path)) {
    values.report.lost(node.place, `${shown(node)}: ${file.path} is no absolute path`, 'use an absolute path');
    return [];
  }
  return [{ file: { path: file.path } }];
}

function nothing(node: Node, values: Values, why: string): CheckMap[] {
  values.wrong(node, `${why}; keepalived goes on without it`);
  return [];
}
