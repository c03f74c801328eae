// SPDX-License-Identifier: Apache-2.0
// The health service of gRPC: one call of grpc.health.v1.Health/Check over HTTP/2, in the clear or over TLS.
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md
import { type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import type { ClientKeys } from '../client-keys.ts';
import { closedEarly, fails, passes, type Verdict } from '../dialog.ts';
import { authority } from '../dialogs/http.ts';
import { shown } from '../dialogs/shown.ts';
import type { Check, ProbeOf } from '../model.ts';
import type { Destination, StartProbe } from '../probe.ts';
import { type Attempt, startAttempts } from './attempt.ts';
import { decodeResponse, encodeRequest, servingStatuses } from './grpc-messages.ts';
import { openSocket, openTls } from './tls.ts';
import { noProtocol, secureContext } from './tls-client.ts';
import { errorWords } from './words.ts';

type GrpcProbe = ProbeOf<'grpc'>;

const mostAnswerBytes = 16 << 10;
const status = { ok: 0, notFound: 5, unimplemented: 12 } as const;

function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

function http2Words(error: Error): string {
  const isOther = 'code' in error && error.code === 'ERR_HTTP2_ERROR';
  return isOther ? `not HTTP/2: ${error.message}` : `the connection broke: ${errorWords(error)}`;
}

function judge(
  { service }: GrpcProbe,
  head: IncomingHttpHeaders,
  trailers: IncomingHttpHeaders,
  body: Buffer,
): Verdict {
  // An answer without a message has its status in the head.
  const code = trailers['grpc-status'] ?? head['grpc-status'];
  if (code === undefined) {
    const http = head[constants.HTTP2_HEADER_STATUS];
    return fails(`not gRPC: HTTP ${http}, ${shown(head['content-type'] ?? 'no content type')}`);
  }
  if (Number(code) === status.unimplemented) return fails('the server does not implement grpc.health.v1.Health');
  if (Number(code) === status.notFound) return fails(`the server does not know the service "${service}"`);
  if (Number(code) !== status.ok) {
    const message = shown(decoded(String(trailers['grpc-message'] ?? head['grpc-message'] ?? '')));
    return fails(`gRPC status ${shown(String(code))}${message === '' ? '' : `: ${message}`}`);
  }
  const found = decodeResponse(body);
  if (typeof found === 'string') return fails(found);
  const name = servingStatuses[found] ?? `serving status ${found}`;
  return name === 'SERVING' ? passes(name) : fails(name);
}

function readAnswer(stream: ClientHttp2Stream, attempt: Attempt, probe: GrpcProbe): void {
  let head: IncomingHttpHeaders | undefined;
  let trailers: IncomingHttpHeaders = {};
  const body: Buffer[] = [];
  let length = 0;
  stream.on('response', headers => {
    head = headers;
    attempt.timedOut = () => fails('the answer was not complete');
  });
  stream.on('trailers', headers => {
    trailers = headers;
  });
  stream.on('data', (bytes: Buffer) => {
    length += bytes.length;
    if (length > mostAnswerBytes) attempt.finish(fails('the answer is too long for a HealthCheckResponse'));
    else body.push(bytes);
  });
  stream.on('error', error => attempt.finish(fails(http2Words(error))));
  stream.on('close', () => {
    const verdict = head === undefined ? closedEarly('no answer') : judge(probe, head, trailers, Buffer.concat(body));
    attempt.finish(verdict);
  });
}

function call(attempt: Attempt, check: Check, probe: GrpcProbe, to: Destination, socket: Socket): void {
  const isSecure = socket instanceof TLSSocket;
  if (isSecure && socket.alpnProtocol !== 'h2') {
    attempt.finish(fails(noProtocol));
    return;
  }
  const host = probe.tls?.name ?? authority(to);
  const scheme = isSecure ? 'https' : 'http';
  attempt.timedOut = () => fails('connected, but no answer');
  // The URL is not used to connect.
  const session = connect(`${scheme}://${authority(to)}`, { createConnection: () => socket });
  attempt.atEnd(() => session.destroy());
  session.on('error', error => attempt.finish(fails(http2Words(error))));
  session.on('close', () => attempt.finish(closedEarly('no answer')));
  const stream = session.request(
    {
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_SCHEME]: scheme,
      [constants.HTTP2_HEADER_AUTHORITY]: host,
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': `${Math.max(1, Math.round(check.timeout * 1000))}m`,
      'user-agent': 'sluice',
    },
    { endStream: false },
  );
  readAnswer(stream, attempt, probe);
  stream.end(encodeRequest(probe.service));
}

async function begin(attempt: Attempt, check: Check, to: Destination, keys: ClientKeys): Promise<void> {
  const { probe } = check;
  if (probe.type !== 'grpc') throw new TypeError(`not gRPC: ${probe.type}`);
  const { tls } = probe;
  const context = tls === null ? null : await secureContext(tls, keys);
  if (attempt.hasEnded) return;
  openSocket(attempt, to, socket => {
    if (tls === null || context === null) {
      call(attempt, check, probe, to, socket);
      return;
    }
    const request = { tls, context, socket, host: null, address: to.address, protocols: ['h2'] };
    openTls(attempt, request, secure => call(attempt, check, probe, to, secure));
  });
}

export function createGrpcProbes(clock: Clock, keys: ClientKeys): StartProbe {
  return startAttempts(clock, (attempt, check, to) => begin(attempt, check, to, keys));
}
