// SPDX-License-Identifier: Apache-2.0
// Receivers of events that work, fail, hang and talk nonsense; each is a server of its own.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../../lab/topology/until.ts';
import { EventLog } from '../../../../src/control/events/event-log.ts';
import type { WebhookSettings } from '../../../../src/control/webhooks/settings.ts';
import { Webhooks } from '../../../../src/control/webhooks/webhooks.ts';
import { VirtualClock } from '../../../../src/core/clock.ts';
import type { SluiceEvent } from '../../../../src/core/events/event.ts';
import { createLogger } from '../../../../src/core/logger.ts';
import { SecretContent } from '../../../../src/core/secret-content.ts';

const patience = 20_000;

interface Received {
  readonly authorization: string | undefined;
  readonly host: string;
  readonly missed: number;
  readonly events: readonly SluiceEvent[];
}

let folder = '';
let clock = new VirtualClock();
let events: EventLog;
let webhooks: Webhooks;
const logged: string[] = [];
const logger = createLogger({ pretty: false, stream: { write: line => void logged.push(line) } });
const servers: Server[] = [];
const sockets = new Set<Socket>();

/** What the receiver has been sent, and what it answers. */
let received: Received[] = [];
let status = 200;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-webhooks-'));
  writeFileSync(join(folder, 'token'), 'opensesame\n');
  clock = new VirtualClock();
  received = [];
  status = 200;
  await begin();
});

afterEach(async () => {
  await end();
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true });
});

/** A control, as it begins after a restart. */
async function begin(mostKept?: number): Promise<void> {
  events = await EventLog.open({
    folder: { path: folder, shown: folder },
    clock,
    logger,
    ...(mostKept && { mostKept }),
  });
  webhooks = new Webhooks({
    ...{ events, folder, clock, logger },
    readSecret: async secret => new SecretContent(readFileSync(secret.file)),
  });
}

async function end(): Promise<void> {
  await webhooks.stop();
  await events.close();
}

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.on('connection', socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/sluice`;
}

const receiver = (): Promise<string> =>
  listen(
    createHttpServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', part => {
        text += part;
      });
      request.on('end', () => {
        received.push({ authorization: request.headers.authorization, ...JSON.parse(text) });
        response.writeHead(status, { location: '/elsewhere' }).end();
      });
    }),
  );

async function configure(...all: readonly Partial<WebhookSettings>[]): Promise<void> {
  const usual = { name: 'alerts', token: null, kinds: null, authorities: null };
  const model = { webhooks: all.map(one => ({ ...usual, ...one })) };
  await (await webhooks.prepare({ id: 'a', digest: JSON.stringify(model), model })).commit();
}

function tell(kind: string): void {
  events.tell({ kind, severity: 'info', subject: kind, text: kind });
}

const numbers = (): number[] => received.flatMap(each => each.events.map(({ number }) => number));
const has = (...wanted: number[]): Promise<void> =>
  until(`the receiver has ${wanted}`, patience, async () => wanted.every(one => numbers().includes(one)));

/** After a failure: lets the time of the next attempt come. */
async function untilSent(what: string, holds: () => boolean): Promise<void> {
  await until(what, patience, async () => {
    await clock.advance(1000);
    return holds();
  });
}

describe('a webhook', () => {
  it('sends what happens from now on, with the token, and never what was before', async () => {
    tell('before');
    await configure({ url: await receiver(), token: { file: join(folder, 'token') } });
    tell('server.down');
    await has(2);
    tell('server.up');
    await has(3);
    expect(numbers()).toEqual([2, 3]);
    expect(received[0]).toMatchObject({
      authorization: 'Bearer opensesame',
      missed: 0,
      events: [{ number: 2, kind: 'server.down', text: 'server.down' }],
    });
    expect(logged.join('')).not.toContain('opensesame');
  });

  it('sends the kinds that are wanted', async () => {
    await configure({ url: await receiver(), kinds: ['server', 'quorum.lost'] });
    for (const kind of ['server.down', 'serverless', 'quorum.met', 'quorum.lost']) tell(kind);
    await has(4);
    expect(numbers()).toEqual([1, 4]);
  });

  it.each([500, 404, 302, 400])('tries again after status %i, and says so meanwhile', async refusal => {
    status = refusal;
    await configure({ url: await receiver() });
    tell('one');
    await has(1);
    await until('it is known', patience, async () => webhooks.problems.length === 1);
    expect(webhooks.problems).toEqual([
      {
        about: 'webhook alerts',
        text: expect.stringMatching(/^events are not delivered to http:.*: it answers with status \d+$/),
        since: '1970-01-01T00:00:00.000Z',
        remedy: 'mend the receiver; sluice tries again every minute, and sends what its log still has',
      },
    ]);
    tell('two');
    status = 204;
    await untilSent('both are taken', () => webhooks.problems.length === 0);
    await has(1, 2);
  });

  it('goes on after a restart where it was, in batches, nothing left out', async () => {
    const url = await receiver();
    await configure({ url });
    tell('one');
    await has(1);
    await until('it is written', patience, async () =>
      readFileSync(join(folder, 'webhook-alerts.json'), 'utf8').includes('"number":1}'),
    );
    await end();
    await begin();
    for (let count = 0; count < 120; count++) tell('while away');
    await end();
    await begin();
    await configure({ url });
    await has(121);
    expect(numbers()).toEqual(Array.from({ length: 121 }, (_, index) => index + 1));
    expect(Math.max(...received.map(each => each.events.length))).toBe(50);
  });

  it('says how many events are not kept any more', async () => {
    await end();
    await begin(10);
    const url = await receiver();
    status = 500;
    await configure({ url });
    tell('one');
    await has(1);
    for (let count = 0; count < 40; count++) tell('more');
    status = 200;
    await untilSent('the last is taken', () => numbers().includes(41));
    const [missed = 0] = received.map(each => each.missed).filter(each => each > 0);
    const kept = new Set(numbers()).size;
    expect(missed + kept).toBe(41);
  });

  it('begins anew where the numbers of events begin anew', async () => {
    const url = await receiver();
    await configure({ url });
    for (const kind of ['one', 'two', 'three']) tell(kind);
    await has(3);
    await end();
    for (const name of ['events.jsonl', 'events.old.jsonl']) rmSync(join(folder, name), { force: true });
    received = [];
    await begin();
    await configure({ url });
    tell('first');
    await has(1);
  });

  it('goes on by other settings, and ends with its section', async () => {
    const url = await receiver();
    await configure({ url });
    tell('one');
    await has(1);
    await configure({ url, kinds: ['server'] });
    tell('two');
    tell('server.down');
    await has(3);
    await configure();
    tell('server.up');
    await configure({ url, kinds: ['server'] });
    await has(4);
    expect(numbers()).toEqual([1, 3, 4]);
  });

  it('is refused where its files cannot be used', async () => {
    const url = 'https://127.0.0.1:1/';
    await expect(configure({ url, token: { file: join(folder, 'missing') } })).rejects.toThrow(/ENOENT/);
    await expect(configure({ url, authorities: join(folder, 'token') })).rejects.toThrow(/this is no certificate/);
  });
});

describe('a receiver', () => {
  const nonsense: readonly [string, (socket: Socket) => void, RegExp][] = [
    ['closes at once', socket => socket.destroy(), /ECONNRESET|hang up|EPIPE/],
    ['answers with garbage', socket => socket.end('garbage\r\n\r\n'), /Parse Error|Expected HTTP/],
    ['answers with an endless head', socket => flood(socket, 'x: y\r\n', 'HTTP/1.1 200 OK\r\n'), /Header overflow/i],
  ];

  it.each(nonsense)('that %s costs no more than attempts', async (_, answer, reason) => {
    const url = await listen(createServer(socket => socket.once('data', () => answer(socket))));
    await configure({ url });
    tell('one');
    await until('it is known', patience, async () => webhooks.problems.length === 1);
    expect(webhooks.problems[0]?.text).toMatch(reason);
  });

  it('with an endless answer has taken the events with its status', async () => {
    let connections = 0;
    const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
    const server = createServer(socket => {
      connections += 1;
      socket.once('data', () => flood(socket, '5\r\nhello\r\n', head));
    });
    await configure({ url: await listen(server) });
    for (const expected of [1, 2]) {
      tell('one');
      await until('the event is sent', patience, async () => connections === expected);
      await until('the connection is closed', patience, async () => sockets.size === 0);
    }
    expect(webhooks.problems).toEqual([]);
  });

  it('that never answers delays neither other receivers nor the end', async () => {
    const silent = await listen(createServer(() => undefined));
    await configure({ name: 'silent', url: silent }, { name: 'alerts', url: await receiver() });
    tell('one');
    await has(1);
    tell('two');
    await has(2);
    await webhooks.stop();
    expect(sockets.size).toBeLessThanOrEqual(1);
  });
});

function flood(socket: Socket, text: string, first: string): void {
  socket.write(first);
  const more = (): void => {
    while (!socket.destroyed && socket.write(text.repeat(1000)));
  };
  socket.on('drain', more);
  more();
}
