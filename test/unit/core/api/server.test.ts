// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Type from 'typebox';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../../../lab/topology/until.ts';
import { admitToken } from '../../../../src/core/api/admission.ts';
import { ApiClient } from '../../../../src/core/api/client.ts';
import { answering, parametersSchema, route } from '../../../../src/core/api/route.ts';
import { ApiServer } from '../../../../src/core/api/server.ts';
import { HostError, SystemError, UnavailableError, UsageError } from '../../../../src/core/errors.ts';
import { createLogger } from '../../../../src/core/logger.ts';
import { answerIn, change, count, echo, exchange, get, RawClient, Record, routes, serve, watch } from './served.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-api-'));
  undo.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function started(...options: Parameters<typeof serve>) {
  const served = await serve(...options);
  undo.push(() => served.stop());
  return served;
}

const logger = createLogger({ level: 'silent' });

function serverAt(listen: { path: string } | { fd: number }): ApiServer {
  return new ApiServer({ name: 'test socket', answers: routes(new Record()), listen, logger });
}

describe("a server's socket", () => {
  it('is open to its owner alone', async () => {
    const { path } = await started();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is gone after the server has stopped', async () => {
    const served = await serve();
    await served.server.stop();
    expect(statSync(served.path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('is not taken from another process that answers', async () => {
    const { path } = await started();
    await expect(serverAt({ path }).start()).rejects.toThrow(HostError);
    await expect(serverAt({ path }).start()).rejects.toThrow('another process answers on the admin socket');
    expect(await new ApiClient(path).call(echo, {})).toEqual({ taken: {} });
  });

  it('replaces one that a killed process has left', async () => {
    const path = join(folder(), 'socket');
    const left = createServer();
    await new Promise<void>(resolve => left.listen(path, resolve));
    // Under another name the file outlives the end of the server that made it, as after a kill.
    renameSync(path, `${path}.left`);
    await new Promise(resolve => left.close(resolve));
    renameSync(`${path}.left`, path);
    const server = serverAt({ path });
    await server.start();
    undo.push(() => server.stop());
    expect(await new ApiClient(path).call(echo, {})).toEqual({ taken: {} });
  });

  it('does not replace a file that is no socket', async () => {
    const path = join(folder(), 'precious');
    writeFileSync(path, 'words');
    await expect(serverAt({ path }).start()).rejects.toThrow('the path of the admin socket is that of a file');
    expect(statSync(path).size).toBe(5);
  });

  it('in a folder that does not exist is an error that names the folder', async () => {
    const start = serverAt({ path: '/nowhere/socket' }).start();
    await expect(start).rejects.toThrow(SystemError);
    await expect(start).rejects.toThrow('choose another place with --socket');
  });

  it('may be one that another process has made, which stays open', async () => {
    const path = join(folder(), 'socket');
    const parent: Server = createServer();
    await new Promise<void>(resolve => parent.listen(path, resolve));
    undo.push(() => new Promise(resolve => parent.close(resolve)));
    const { fd } = (parent as unknown as { _handle: { fd: number } })._handle;
    expect(fd).toBeGreaterThan(0);
    const program = `
      import { ApiServer } from '${new URL('../../../../src/core/api/server.ts', import.meta.url)}';
      import { createLogger } from '${new URL('../../../../src/core/logger.ts', import.meta.url)}';
      import { ApiClient } from '${new URL('../../../../src/core/api/client.ts', import.meta.url)}';
      import { openApiRoute } from '${new URL('../../../../src/core/api/openapi.ts', import.meta.url)}';
      const answers = [{ definition: openApiRoute, handler: () => ({ openapi: process.argv[1] }) }];
      const server = new ApiServer({ name: 's', answers, listen: { fd: 3 }, logger: createLogger({ level: 'silent' }) });
      await server.start();
      console.log((await new ApiClient('${path}').call(openApiRoute, {})).openapi);
      await server.stop();
    `;
    const words = ['--import=tsx', '--input-type=module', '--eval', program, 'a child'];
    const { stdout, stderr } = spawnSync(process.execPath, words, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe', fd],
    });
    expect({ stdout, stderr }).toEqual({ stdout: 'a child\n', stderr: '' });
    expect(statSync(path).isSocket()).toBe(true);
  });
});

describe('a server', () => {
  it('lists its questions', async () => {
    const { path } = await started();
    const { body } = answerIn(await exchange(path, get('/plane/ecco')));
    expect(body).toMatchObject({ error: { value: '"/plane/ecco"', remedy: 'did you mean /plane/echo?' } });
    expect(answerIn(await exchange(path, get('/'))).body).toMatchObject({
      error: { remedy: expect.stringContaining('/plane/echo, /plane/change') },
    });
  });

  it('refuses two handlers of one question', () => {
    const answers = [answering(echo, () => ({ taken: 1 })), answering(echo, () => ({ taken: 2 }))];
    expect(() => new ApiServer({ name: 's', answers, listen: { path: 'x' }, logger })).toThrow('two handlers');
  });

  it('limits the time of a request, not that of its answer', async () => {
    const { path, record } = await started({ limits: { headMilliseconds: 100, requestMilliseconds: 100 } });
    const ending = new AbortController();
    const words: string[] = [];
    const watching = (async () => {
      for await (const { word } of new ApiClient(path).stream(watch, {}, { signal: ending.signal })) words.push(word);
    })();
    await until('the stream has begun', 10_000, () => words.length > 0);
    // Begun after the stream, and closed for its time.
    expect(answerIn(await new RawClient(path).send('GET /').closed()).status).toBe(408);
    expect(record.watching).toBe(1);
    ending.abort();
    await watching;
    expect(words).toEqual(['first', 'last']);
  });

  it('stops without waiting for clients that could ask again', async () => {
    const served = await serve();
    const waiting = Array.from({ length: 3 }, () => new RawClient(served.path).send(get('/plane/echo')));
    for (const one of waiting) await one.has('taken');
    const streaming = new RawClient(served.path).send('POST /plane/watch HTTP/1.1\r\ncontent-length: 0\r\n\r\n');
    await streaming.has('first');
    await served.stop();
    await Promise.all([...waiting, streaming].map(one => one.closed()));
    expect(streaming.received).toMatch(/"last"}\n\r\n0\r\n\r\n$/);
  });

  it('ends endless streams when it stops, with their last values, and cuts what does not end', async () => {
    const served = await serve({ limits: { stopMilliseconds: 100 } });
    const words: string[] = [];
    const watching = (async () => {
      for await (const { word } of new ApiClient(served.path).stream(watch, {})) words.push(word);
    })();
    const stalled = new RawClient(served.path).send(get('/plane/count?to=10000000'));
    await stalled.has('"n":1');
    stalled.socket.pause();
    await until('the stream has begun', 10_000, () => words.length > 0);
    await served.stop();
    await watching;
    expect(words).toEqual(['first', 'last']);
  });

  it('checks a definition before it serves it', () => {
    const base = { method: 'GET', summary: '', answer: Type.Object({}) } as const;
    expect(() => route({ ...base, path: 'x', parameters: parametersSchema({}) })).toThrow('not a path');
    const parameters = parametersSchema({ deep: Type.Object({}, { additionalProperties: false }) });
    expect(() => route({ ...base, path: '/x', parameters })).toThrow('a query cannot hold deep');
  });
});

const patience = 20_000;

describe('a client that sends more and more requests and waits for no answer', () => {
  it('is not read any more, and costs nothing when it is gone', async () => {
    let begun = 0;
    let release: () => void = () => undefined;
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    const slow = answering(echo, async ({ number }) => {
      begun += 1;
      await held;
      return { taken: { number } };
    });
    const { path } = await started({ answers: [slow] });
    const client = new RawClient(path);
    const request = 'GET /plane/echo?number=1 HTTP/1.1\r\n\r\n';
    client.socket.write(request.repeat(100_000));
    await until('the first is being answered', patience, async () => begun === 1);
    const other = new ApiClient(path).call(echo, { number: 2 });
    await until('the other client is read', patience, async () => begun === 2);
    // What nobody reads stays with the client.
    expect(client.socket.writableLength).toBeGreaterThan(0);
    client.socket.destroy();
    release();
    await other;
    await new ApiClient(path).call(echo, { number: 3 });
    expect(begun).toBeLessThan(10);
  });
});

describe('a server that forwards to the process of a plane', () => {
  async function pair(limits: NonNullable<Parameters<typeof serve>[0]>['limits'] = {}) {
    const plane = await started({ limits: { stopMilliseconds: 100 } });
    const control = await started({ answers: [], forward: { '/plane/': { path: plane.path } }, limits });
    return { plane, control, client: new ApiClient(control.path) };
  }

  it('passes questions, bodies, refusals and streams', async () => {
    const { client } = await pair();
    expect(await client.call(echo, { number: 3, words: ['red'] })).toEqual({ taken: { number: 3, words: ['red'] } });
    expect(await client.call(change, { name: 'x' })).toEqual({ taken: { name: 'x' } });
    await expect(client.call(echo, { number: 11 })).rejects.toThrow(UsageError);
    let rows = 0;
    for await (const _ of client.stream(count, { to: 2000 })) rows += 1;
    expect(rows).toBe(2000);
  });

  it('says for whom it asks, whatever the client says', async () => {
    const signed = route({
      method: 'POST',
      path: '/plane/signed',
      summary: 'who asks',
      parameters: parametersSchema({ author: Type.Optional(Type.String()) }),
      answer: Type.Object({ author: Type.Optional(Type.String()) }),
    });
    const token = 'of this plane';
    const plane = await started({ answers: [answering(signed, taken => taken)], admit: admitToken(token) });
    const forward = { '/plane/': { path: plane.path, token } };
    const proved = await started({ answers: [], forward, admit: () => 'token deploy@fd00::1' });
    const unproved = await started({ answers: [], forward });
    const author = async (path: string): Promise<unknown> => {
      const body = '{"author":"root"}';
      const head = `POST /plane/signed HTTP/1.1\r\nsluice-caller: root\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`;
      return JSON.parse((await exchange(path, head + body)).split('\r\n\r\n')[1] ?? '').author;
    };
    expect(await author(proved.path)).toBe('token deploy@fd00::1');
    // Nothing is proved on this socket: who may open it may say who they are.
    expect(await author(unproved.path)).toBe('root');
  });

  it('passes on that a client wants the end of a stream, and that it has gone', async () => {
    const { client, plane, control } = await pair();
    const ending = new AbortController();
    const words: string[] = [];
    for await (const { word } of client.stream(watch, {}, { signal: ending.signal })) {
      words.push(word);
      ending.abort();
    }
    expect(words).toEqual(['first', 'last']);
    for await (const _ of client.stream(watch, {})) break;
    await until('the handler has ended', 10_000, () => plane.record.watching === 0);
    expect([...control.logged, ...plane.logged]).toEqual([]);
  });

  it('says that the process does not run', async () => {
    const { client, plane } = await pair();
    await plane.server.stop();
    const error = await client.call(echo, {}).catch(each => each);
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error).toMatchObject({ code: 'SLUICE_UNAVAILABLE', problem: 'the process of the plane does not answer' });
  });

  it('cuts an answer that the process does not complete', async () => {
    const { plane, control } = await pair();
    const client = new RawClient(control.path).send(get('/plane/count?to=10000000'));
    await client.has('"n":1');
    client.socket.pause();
    const stopping = plane.server.stop();
    client.socket.resume();
    expect(await client.closed()).not.toMatch(/\r\n0\r\n\r\n$/);
    await stopping;
  });

  it('waits for a process that hangs only until a deadline', async () => {
    const path = join(folder(), 'socket');
    const hanging = createServer(() => {});
    await new Promise<void>(resolve => hanging.listen(path, resolve));
    undo.push(() => hanging.close());
    const control = await started({
      answers: [],
      forward: { '/plane/': { path } },
      limits: { forwardMilliseconds: 100 },
    });
    const { status, body } = answerIn(await exchange(control.path, get('/plane/echo')));
    expect(status).toBe(504);
    expect(body).toMatchObject({ error: { code: 'SLUICE_UNAVAILABLE' } });
  });

  it('does not wait for a process that is not to run', async () => {
    const reason = new UnavailableError('no section plane', { remedy: 'add it' });
    const path = join(folder(), 'nobody-listens');
    const control = await started({ answers: [], forward: { '/plane/': { path, unavailable: () => reason } } });
    const { status, body } = answerIn(await exchange(control.path, get('/plane/echo')));
    expect(status).toBe(503);
    expect(body).toMatchObject({ error: { problem: 'no section plane', remedy: 'add it' } });
  });

  it('names its prefixes', async () => {
    const { control } = await pair();
    expect(answerIn(await exchange(control.path, get('/other'))).body).toMatchObject({
      error: { remedy: expect.stringMatching(/^use one of \/plane\//) },
    });
  });
});
