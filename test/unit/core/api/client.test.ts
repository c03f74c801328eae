// SPDX-License-Identifier: Apache-2.0
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../../../lab/topology/until.ts';
import { ApiClient } from '../../../../src/core/api/client.ts';
import { messageVersion } from '../../../../src/core/api/route.ts';
import { ApiError, HostError, SystemError, UnavailableError, UsageError } from '../../../../src/core/errors.ts';
import { change, count, echo, fail, type Served, serve, temporarySocket, watch } from './served.ts';

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    error => error,
  );
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}

describe('a client', () => {
  let served: Served;
  let client: ApiClient;
  beforeAll(async () => {
    served = await serve();
    client = new ApiClient(served.path);
  });
  afterAll(() => served.stop());

  it('sends texts, numbers, booleans and lists in a query', async () => {
    const parameters = { text: 'a b&c=%ü', number: 7, exact: false, words: ['red', 'green'], ports: [1] } as const;
    expect(await client.call(echo, parameters)).toEqual({ taken: parameters });
  });

  it('sends a body with POST', async () => {
    const parameters = { name: 'ü', deep: { list: [1, 2] } };
    expect(await client.call(change, parameters)).toEqual({ taken: parameters });
  });

  it('throws the error that the handler has thrown, with its fields', async () => {
    const error = await errorOf(client.call(fail, { how: 'usage' }));
    expect(error).toBeInstanceOf(UsageError);
    const place = { file: 'rules', line: 3, column: 7 };
    expect(error).toMatchObject({
      code: 'SLUICE_USAGE',
      exitStatus: 2,
      problem: 'not an address',
      value: '10.1',
      place,
    });
    expect(error).toMatchObject({
      message: 'rules:3:7: not an address: "10.1" (use an IPv4 or IPv6 address)',
      remedy: 'use an IPv4 or IPv6 address',
    });
    expect(await errorOf(client.call(fail, { how: 'host' }))).toEqual(
      new HostError('no such device', { value: 'eth9' }),
    );
  });

  it("tells a mistake of the process from the host's refusal", async () => {
    const error = await errorOf(client.call(fail, { how: 'mistake' }));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'SLUICE_API_INTERNAL', exitStatus: 1 });
    expect(served.logged.join('')).toContain('undefined is not a function');
  });

  it('throws what is wrong with a parameter', async () => {
    const error = await errorOf(client.call(echo, { number: 11 }));
    expect(error).toMatchObject({ code: 'SLUICE_USAGE', place: { file: 'parameter number' }, value: 11 });
  });

  it('reads a stream to its end', async () => {
    const rows = await all(client.stream(count, { to: 3000 }));
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 3000 }, (_, index) => index + 1));
  });

  it('throws the error with which a stream ends, after the values before it', async () => {
    const rows: number[] = [];
    const reading = (async () => {
      for await (const { n } of client.stream(count, { to: 9, failsAt: 3 })) rows.push(n);
    })();
    expect(await errorOf(reading)).toEqual(new HostError('the host is full', { remedy: 'empty it' }));
    expect(rows).toEqual([1, 2]);
  });

  it('asks a stream to end at its signal, and takes what still comes', async () => {
    const ending = new AbortController();
    const words: string[] = [];
    for await (const { word } of client.stream(watch, {}, { signal: ending.signal })) {
      words.push(word);
      ending.abort();
    }
    expect(words).toEqual(['first', 'last']);
    expect(served.record.watching).toBe(0);
  });

  it('ends a stream when nobody takes its values any more', async () => {
    for await (const { word } of client.stream(watch, {})) {
      expect(word).toBe('first');
      break;
    }
    await until('the handler has ended', 10_000, () => served.record.watching === 0);
  });

  it('does not ask after its signal was aborted', async () => {
    const signal = AbortSignal.abort();
    expect(await all(client.stream(watch, {}, { signal }))).toEqual([]);
    expect(await errorOf(client.call(echo, {}, { signal }))).toBe(signal.reason);
  });

  it('is refused when its messages are of another version', async () => {
    const error = await errorOf(new ApiClient(served.path, { version: '0' }).call(echo, {}));
    expect(error).toMatchObject({ code: 'SLUICE_API_VERSION', value: '0', remedy: expect.stringContaining('restart') });
  });

  it('reports that no Sluice answers, and how to start one', async () => {
    const error = await errorOf(new ApiClient('/nowhere/sluice.sock').call(echo, {}));
    expect(error).toBeInstanceOf(SystemError);
    expect(error).toMatchObject({ errnoName: 'ENOENT', value: '/nowhere/sluice.sock' });
    expect((error as Error).message).toContain('sluice run');
  });
});

describe('a client of something else', () => {
  const socket = temporarySocket();
  let server: Server;
  afterEach(() => new Promise(resolve => server.close(resolve)));
  afterAll(() => socket.remove());

  async function listen(one: Server): Promise<ApiClient> {
    server = one;
    await new Promise<void>(resolve => server.listen(socket.path, resolve));
    return new ApiClient(socket.path);
  }
  const http = (listener: RequestListener) => listen(createHttpServer(listener));
  const own = { 'sluice-version': messageVersion };

  it.each<[string, RequestListener, string]>([
    ['another program', (_, response) => response.end('hello'), 'SLUICE_API_VERSION'],
    [
      'another version',
      (_, response) => response.writeHead(200, { 'sluice-version': '9' }).end('{}'),
      'SLUICE_API_VERSION',
    ],
    ['no JSON', (_, response) => response.writeHead(200, own).end('hello'), 'SLUICE_API_ANSWER'],
    ['no answer', (_, response) => response.destroy(), 'SLUICE_API_ANSWER'],
    [
      'half an answer',
      (_, response) => {
        response.writeHead(200, { ...own, 'content-length': 100 }).write('{');
        setImmediate(() => response.destroy());
      },
      'SLUICE_API_ANSWER',
    ],
  ])('names %s', async (_, listener, code) => {
    const client = await http(listener);
    const error = await errorOf(client.call(echo, {}));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code, remedy: expect.any(String) });
  });

  it('notices a stream that breaks off within a line, and one that breaks off between lines', async () => {
    let rest = '{"n":2';
    const client = await http((_, response) => {
      response.writeHead(200, own).write('{"n":1,"padding":""}\n');
      if (rest === '') setImmediate(() => response.destroy());
      else response.end(rest);
    });
    expect(await errorOf(all(client.stream(count, { to: 2 })))).toMatchObject({ code: 'SLUICE_API_ANSWER' });
    rest = '';
    expect(await errorOf(all(client.stream(count, { to: 2 })))).toMatchObject({ code: 'SLUICE_API_ANSWER' });
  });

  it('reports an answer that is no HTTP', async () => {
    const client = await listen(
      createServer(
        connection =>
          void connection
            .on('error', () => {})
            .end('SSH-2.0-OpenSSH_9.2\r\n')
            .resume(),
      ),
    );
    expect(await errorOf(client.call(echo, {}))).toMatchObject({ code: 'SLUICE_API_ANSWER' });
  });

  it('passes on that a plane does not run', async () => {
    const error = new UnavailableError('the process of the director does not answer', { remedy: 'try again' });
    const client = await http((_, response) => {
      response.writeHead(503, own).end(JSON.stringify({ error: error.toJSON() }));
    });
    expect(await errorOf(client.call(echo, {}))).toEqual(error);
  });
});
