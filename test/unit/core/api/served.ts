// SPDX-License-Identifier: Apache-2.0
// A server with a few routes on a socket of its own, and requests to it as bytes: what no client library would send.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Type from 'typebox';
import { until } from '../../../../lab/topology/until.ts';
import type { Admit } from '../../../../src/core/api/admission.ts';
import { type Answering, answering, parametersSchema, route } from '../../../../src/core/api/route.ts';
import { type ApiLimits, ApiServer, type ForwardTo } from '../../../../src/core/api/server.ts';
import { HostError, UsageError } from '../../../../src/core/errors.ts';
import { createLogger } from '../../../../src/core/logger.ts';

export const echo = route({
  method: 'GET',
  path: '/plane/echo',
  summary: 'its parameters',
  parameters: parametersSchema({
    text: Type.Optional(Type.String({ maxLength: 1000 })),
    number: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
    exact: Type.Optional(Type.Boolean()),
    words: Type.Optional(Type.Array(Type.Enum(['red', 'green']))),
    ports: Type.Optional(Type.Array(Type.Integer())),
  }),
  answer: Type.Object({ taken: Type.Unknown() }),
});

export const change = route({
  method: 'POST',
  path: '/plane/change',
  summary: 'its parameters, one of which is needed',
  parameters: parametersSchema({
    name: Type.String({ description: 'of what is changed' }),
    size: Type.Optional(Type.Integer()),
    deep: Type.Optional(Type.Object({ list: Type.Array(Type.Integer()) }, { additionalProperties: false })),
  }),
  answer: Type.Object({ taken: Type.Unknown() }),
});

export const count = route({
  method: 'GET',
  path: '/plane/count',
  summary: 'numbers, up to a number',
  parameters: parametersSchema({ to: Type.Integer(), failsAt: Type.Optional(Type.Integer()) }),
  answer: Type.Object({ n: Type.Integer(), padding: Type.String() }),
  streams: true,
});

export const watch = route({
  method: 'POST',
  path: '/plane/watch',
  summary: 'a word at once, and one at the end',
  parameters: parametersSchema({}),
  answer: Type.Object({ word: Type.String() }),
  streams: true,
});

export const fail = route({
  method: 'GET',
  path: '/plane/fail',
  summary: 'fails',
  parameters: parametersSchema({ how: Type.Enum(['usage', 'host', 'mistake', 'nothing', 'wrong', 'late']) }),
  answer: Type.Object({ taken: Type.Unknown() }),
});

/** What the handlers have done. */
export class Record {
  watching = 0;
  /** Numbers that were made for streams. */
  counted = 0;
}

const padding = 'x'.repeat(1000);

export function routes(record: Record): Answering[] {
  return [
    answering(echo, taken => ({ taken })),
    answering(change, async taken => ({ taken })),
    answering(count, async function* ({ to, failsAt }) {
      for (let n = 1; n <= to; n++) {
        if (n === failsAt) throw new HostError('the host is full', { remedy: 'empty it' });
        record.counted += 1;
        yield { n, padding };
      }
    }),
    answering(watch, async function* (_, { signal }) {
      record.watching += 1;
      try {
        yield { word: 'first' };
        await new Promise(resolve => {
          if (signal.aborted) resolve(undefined);
          signal.addEventListener('abort', resolve);
        });
        yield { word: 'last' };
      } finally {
        record.watching -= 1;
      }
    }),
    answering(fail, ({ how }) => {
      if (how === 'usage') {
        const place = { file: 'rules', line: 3, column: 7 };
        throw new UsageError('not an address', { value: '10.1', place, remedy: 'use an IPv4 or IPv6 address' });
      }
      if (how === 'host') throw new HostError('no such device', { value: 'eth9' });
      if (how === 'wrong') return { other: 1 } as unknown as { taken: unknown };
      if (how === 'nothing') return undefined as unknown as { taken: unknown };
      if (how === 'late') return Promise.reject(new RangeError('later'));
      throw new TypeError('undefined is not a function');
    }),
  ];
}

export interface Served {
  readonly path: string;
  readonly record: Record;
  readonly server: ApiServer;
  /** What has been logged. */
  readonly logged: string[];
  stop(): Promise<void>;
}

export interface ServedOptions {
  readonly limits?: Partial<ApiLimits>;
  readonly forward?: Readonly<globalThis.Record<string, ForwardTo>>;
  readonly answers?: readonly Answering[];
  readonly admit?: Admit;
}

export function temporarySocket(): { path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-api-'));
  return { path: join(folder, 'socket'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export async function serve({ limits, forward, answers, admit }: ServedOptions = {}): Promise<Served> {
  const { path, remove } = temporarySocket();
  const record = new Record();
  const logged: string[] = [];
  const server = new ApiServer({
    name: 'test socket',
    answers: answers ?? routes(record),
    ...(forward && { forward }),
    ...(limits && { limits }),
    ...(admit && { admit }),
    listen: { path },
    logger: createLogger({ pretty: false, stream: { write: line => void logged.push(line) } }),
    checkAnswers: true,
  });
  await server.start();
  const stop = async (): Promise<void> => {
    await server.stop();
    remove();
  };
  return { path, record, server, logged, stop };
}

const deadlineMilliseconds = 20_000;

/** A connection on which bytes are sent and received. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  isClosed = false;

  constructor(path: string) {
    // Stays open for reading when the server has ended its side, and for writing likewise.
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.on('data', data => {
      this.received += data.toString('latin1');
    });
    // The server may cut the connection.
    this.socket.on('error', () => {});
    this.socket.on('end', () => this.socket.end());
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  /** What was received until the server has closed the connection. */
  async closed(): Promise<string> {
    if (!this.isClosed) await once(this.socket, 'close', { signal: AbortSignal.timeout(deadlineMilliseconds) });
    return this.received;
  }

  async has(text: string): Promise<void> {
    await until(`${text} is received`, deadlineMilliseconds, () => this.received.includes(text));
  }
}

/** Sends bytes and closes the sending side: what comes back until the server closes. */
export async function exchange(path: string, ...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const client = new RawClient(path);
  for (const part of parts) client.send(part);
  client.socket.end();
  return await client.closed();
}

/** The status and the body of the first answer in what was received. */
export function answerIn(received: string): { status: number; body: unknown } {
  const [head = '', ...rest] = received.split('\r\n\r\n');
  const text = rest.join('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? text.length);
  return { status, body: text === '' ? undefined : JSON.parse(text.slice(0, length)) };
}

export const get = (target: string): string => `GET ${target} HTTP/1.1\r\n\r\n`;

export function post(target: string, body: string, type = 'application/json'): string {
  return `POST ${target} HTTP/1.1\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
