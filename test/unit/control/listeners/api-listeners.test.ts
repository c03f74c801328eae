// SPDX-License-Identifier: Apache-2.0
// Ports of the API and what comes to them: clients with and without certificates, garbage, floods, and clients that are
// slow. The admin socket is not here: what matters is that the process goes on and answers the next client.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type RequestOptions, request as tlsRequest } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Type from 'typebox';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../../../lab/topology/until.ts';
import { metricsRoute } from '../../../../src/control/api.ts';
import { ApiListeners } from '../../../../src/control/listeners/api-listeners.ts';
import { mostConnections, mostNewPerSecond } from '../../../../src/control/listeners/listener.ts';
import type { ListenerSettings } from '../../../../src/control/listeners/settings.ts';
import { answering, parametersSchema, route } from '../../../../src/core/api/route.ts';
import { VirtualClock } from '../../../../src/core/clock.ts';
import { createLogger } from '../../../../src/core/logger.ts';
import { SecretContent } from '../../../../src/core/secret-content.ts';

const patience = 20_000;
const token = '0123456789abcdef';

const change = route({
  method: 'POST',
  path: '/plane/change',
  summary: 'who asks',
  parameters: parametersSchema({ author: Type.Optional(Type.String()), reason: Type.Optional(Type.String()) }),
  answer: Type.Unknown(),
});

const watch = route({
  method: 'GET',
  path: '/plane/watch',
  summary: 'a word at once, and no end',
  parameters: parametersSchema({}),
  answer: Type.Object({ word: Type.String() }),
  streams: true,
});

let folder = '';
const file = (name: string): string => join(folder, name);
const pem = (name: string): string => readFileSync(file(name), 'utf8');

function openssl(...words: string[]): void {
  const { status, stderr } = spawnSync('openssl', words, { cwd: folder, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
}

/** An authority, and certificates of it. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  const fresh = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(...fresh, '-x509', '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1');
  for (const name of ['server', 'alice']) {
    openssl(...fresh, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.pem`);
  }
  openssl(...fresh, '-x509', '-subj', '/CN=alice', '-keyout', 'mallory.key', '-out', 'mallory.pem');
  writeFileSync(file('token'), `${token}\n`);
});

afterAll(() => rmSync(folder, { recursive: true }));

const clock = new VirtualClock();
const logged: string[] = [];
let scrapes = 0;
let heldScrape: Promise<void> = Promise.resolve();

const newListeners = (): ApiListeners =>
  new ApiListeners({
    answers: [
      answering(metricsRoute, async () => {
        scrapes += 1;
        await heldScrape;
        return 'sluice_up 1\n';
      }),
      answering(change, taken => taken),
      answering(watch, async function* (_, { signal }) {
        yield { word: 'first' };
        await new Promise(resolve => signal.addEventListener('abort', resolve));
      }),
    ],
    forward: {},
    readSecret: async secret => new SecretContent(readFileSync(secret.file)),
    clock,
    logger: createLogger({ pretty: false, stream: { write: line => void logged.push(line) } }),
  });

let listeners = newListeners();
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await listeners.stop();
  listeners = newListeners();
  heldScrape = Promise.resolve();
  await clock.advance(1000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

const withTls = (clients: string | null = null): Partial<ListenerSettings> => ({
  tls: { certificate: file('server.pem'), key: { file: file('server.key') }, clients },
});
const withToken = (): Partial<ListenerSettings> => ({ tokens: { deploy: { file: file('token') } } });

async function prepare(port: number, settings: Partial<ListenerSettings>) {
  const listen = [{ address: `127.0.0.1:${port}`, routes: 'all', tokens: {}, tls: null, ...settings }];
  return await listeners.prepare({ id: 'a', digest: JSON.stringify(listen), model: { listen } });
}

async function open(settings: Partial<ListenerSettings>, port?: number): Promise<number> {
  const at = port ?? (await freePort());
  await (await prepare(at, settings)).commit();
  return at;
}

interface Answered {
  readonly status: number | undefined;
  readonly body: string;
}

function ask(
  port: number,
  path: string,
  { tls, ...options }: RequestOptions & { tls?: boolean } = {},
): Promise<Answered> {
  const begin = tls === true ? tlsRequest : request;
  return new Promise((resolve, reject) => {
    const whole = { host: '127.0.0.1', port, path, agent: false, ...(tls && { ca: pem('ca.pem') }), ...options };
    const asking = begin(whole, answer => {
      let body = '';
      answer.setEncoding('utf8').on('data', part => {
        body += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, body }));
    });
    asking.on('error', reject);
    asking.end();
  });
}

/** A connection that sends these bytes and then nothing. */
function send(port: number, bytes: string | Uint8Array = ''): Socket & { received?: string } {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  if (bytes.length > 0) socket.write(bytes);
  return socket;
}

const closed = (socket: Socket): Promise<void> =>
  until('the connection is closed', patience, async () => socket.destroyed || socket.readableEnded);

const authorization = { authorization: `Bearer ${token}` };

describe('who asks', () => {
  it('is named by the token that the client has', async () => {
    const port = await open(withToken());
    const asked = { method: 'POST', headers: authorization };
    expect(await ask(port, '/plane/change', asked)).toEqual({
      status: 200,
      body: '{"author":"token deploy@127.0.0.1"}\n',
    });
    expect((await ask(port, '/plane/change', { method: 'POST' })).status).toBe(401);
    for (const wrong of ['Bearer', 'Bearer ', `Basic ${token}`, `Bearer ${token}0`, `Bearer ${token.slice(1)}`]) {
      expect((await ask(port, '/metrics', { headers: { authorization: wrong } })).status).toBe(401);
    }
  });

  it('is named by the certificate, which is of the authority', async () => {
    const port = await open(withTls(file('ca.pem')));
    const as = (name: string) => ({ cert: pem(`${name}.pem`), key: pem(`${name}.key`) });
    const asked = { tls: true, method: 'POST' } as const;
    expect((await ask(port, '/plane/change', { ...asked, ...as('alice') })).body).toBe(
      '{"author":"certificate alice@127.0.0.1"}\n',
    );
    await expect(ask(port, '/plane/change', { ...asked, ...as('mallory') })).rejects.toThrow();
    await expect(ask(port, '/plane/change', asked)).rejects.toThrow();
  });
});

describe('a change', () => {
  it('puts TLS on a port that is open, and takes the next certificate', async () => {
    const port = await open(withToken());
    await open({ ...withToken(), ...withTls() }, port);
    expect((await ask(port, '/metrics', { tls: true, headers: authorization })).status).toBe(200);
    await expect(ask(port, '/metrics', { headers: authorization })).rejects.toThrow();
    await open({ ...withToken() }, port);
    expect((await ask(port, '/metrics', { headers: authorization })).status).toBe(200);
  });

  it('lets streams go on where nothing of the port is different', async () => {
    const port = await open(withToken());
    const stream = send(port, `GET /plane/watch HTTP/1.1\r\nauthorization: Bearer ${token}\r\n\r\n`);
    let received = '';
    stream.on('data', part => {
      received += part;
    });
    await until('the stream has begun', patience, async () => received.includes('first'));
    await open(withToken(), port);
    expect(stream.readableEnded).toBe(false);
    writeFileSync(file('token'), '0123456789abcdeX');
    await open(withToken(), port);
    await closed(stream);
    writeFileSync(file('token'), token);
  });

  it('is refused where a port or a file cannot be used, and what is open stays open', async () => {
    const port = await open(withToken());
    const other = createServer();
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
    const { port: taken } = other.address() as AddressInfo;
    await expect(prepare(taken, withToken())).rejects.toThrow(/cannot listen for the API: listen: EADDRINUSE/);
    other.close();
    const tls = withTls().tls ?? null;
    const withFiles = (files: object) => ({ ...withToken(), tls: tls && { ...tls, ...files } });
    await expect(prepare(port, withFiles({ certificate: file('missing.pem') }))).rejects.toThrow(/ENOENT/);
    await expect(prepare(port, withFiles({ certificate: file('names') }))).rejects.toThrow(/this is no certificate/);
    await expect(prepare(port, withFiles({ key: { file: file('alice.key') } }))).rejects.toThrow(
      /the certificate and the key do not work together/,
    );
    await expect(prepare(port, { tokens: { a: { file: file('names') } } })).resolves.toBeDefined();
    writeFileSync(file('short'), 'short');
    await expect(prepare(port, { tokens: { a: { file: file('short') } } })).rejects.toThrow(
      /the token is not one line of 16 to 256 printable characters.*\(openssl rand -hex 32 > /,
    );
    expect((await ask(port, '/metrics', { headers: authorization })).status).toBe(200);
  });

  it('that is aborted leaves no port open', async () => {
    const port = await freePort();
    await (await prepare(port, withToken())).abort();
    await expect(ask(port, '/metrics')).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('a port', () => {
  it('with metrics only has nothing else', async () => {
    const port = await open({ routes: 'metrics' });
    expect(await ask(port, '/metrics')).toEqual({ status: 200, body: 'sluice_up 1\n' });
    expect((await ask(port, '/plane/change', { method: 'POST' })).status).toBe(404);
  });

  it('makes one answer for all who ask for metrics before it is begun', async () => {
    const port = await open({ routes: 'metrics' });
    let release = (): void => undefined;
    heldScrape = new Promise(resolve => {
      release = resolve;
    });
    scrapes = 0;
    const first = ask(port, '/metrics');
    await until('the first is being answered', patience, async () => scrapes === 1);
    const others = Array.from({ length: 20 }, () => ask(port, '/metrics'));
    // Comes after the others.
    await ask(port, '/nothing');
    release();
    for (const each of await Promise.all([first, ...others])) expect(each.status).toBe(200);
    expect(scrapes).toBeLessThan(others.length);
  });

  it('is not ended by garbage, with TLS or without', async () => {
    for (const settings of [withToken(), { ...withToken(), ...withTls() }]) {
      const port = await open(settings);
      const tls = settings.tls !== undefined;
      for (const bytes of [
        'GET / HTTP/1.1\r\n\r\n',
        '\x16\x03\x01\x00\x08\x02\x00\x00\x04\x03\x03no',
        Buffer.alloc(70_000, 0xff),
        `GET /metrics HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
        'POST /plane/change HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n',
      ]) {
        const socket = send(port, bytes);
        socket.resume().end();
        await closed(socket);
        await clock.advance(1000);
        expect((await ask(port, '/metrics', { tls, headers: authorization })).status).toBe(200);
      }
      await listeners.stop();
    }
  });

  it('is not ended by a client that resets its connection while the port gets another server', async () => {
    const port = await open({ routes: 'metrics' });
    let release: () => void = () => undefined;
    heldScrape = new Promise(resolve => {
      release = resolve;
    });
    const before = scrapes;
    const client = send(port, 'GET /metrics HTTP/1.1\r\n\r\n');
    await until('the answer is being made', patience, async () => scrapes > before);
    await open({ routes: 'all', ...withToken() }, port);
    client.resetAndDestroy();
    await closed(client);
    release();
    expect((await ask(port, '/metrics', { headers: authorization })).status).toBe(200);
  });

  it('has a bound for open connections, and is free again when they are gone', async () => {
    const port = await open({ routes: 'metrics' });
    const idle = Array.from({ length: mostConnections }, () => send(port));
    await until('all are open', patience, async () => idle.every(({ readyState }) => readyState === 'open'));
    await clock.advance(1000);
    await expect(ask(port, '/metrics')).rejects.toThrow();
    expect(logged.join('')).toContain('as many connections are open as there may be');
    for (const socket of idle) socket.destroy();
    await until('there is room again', patience, async () => {
      await clock.advance(1000);
      return (await ask(port, '/metrics').catch(() => undefined))?.status === 200;
    });
  });

  it('has a bound for new connections in a second', async () => {
    const port = await open({ routes: 'metrics' });
    for (let count = 0; count < mostNewPerSecond; count++) expect((await ask(port, '/metrics')).status).toBe(200);
    await expect(ask(port, '/metrics')).rejects.toThrow();
    expect(logged.join('')).toContain('more connections came in a second than may come');
    await clock.advance(1000);
    expect((await ask(port, '/metrics')).status).toBe(200);
  });
});
