// SPDX-License-Identifier: Apache-2.0
// The prober against the servers of Node. How sockets behave in detail is tested in native/test/probe/.
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/core/package-root.ts';
import { addonPath, loadAddon } from '../../../src/native/addon.ts';
import {
  createProber,
  type ExchangeEvent,
  type ExchangeRequest,
  type NativeProber,
} from '../../../src/native/prober.ts';

const { errno } = constants;
const module = pathToFileURL(join(packageRoot, 'src/native/prober.ts')).href;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function listening(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket.on('error', () => {}));
    onConnection(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

const tcp = (port: number, more: Partial<ExchangeRequest> = {}): ExchangeRequest => ({
  protocol: 'tcp',
  address: '127.0.0.1',
  port,
  timeoutMilliseconds: 30_000,
  ...more,
});
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** A prober, and all that it has reported. */
class Probing {
  readonly events: ExchangeEvent[] = [];
  readonly prober: NativeProber;
  #woken = (): void => {};

  constructor(handle: (event: ExchangeEvent, prober: NativeProber) => void = () => {}) {
    this.prober = createProber(events => {
      for (const event of events) {
        this.events.push(event);
        handle(event, this.prober);
      }
      this.#woken();
    });
    closing.push(() => this.prober.close());
  }

  start(...requests: ExchangeRequest[]): number[] {
    return this.prober.start(requests);
  }

  /** Waits until the events are as wanted. */
  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      await new Promise<void>(resolve => {
        this.#woken = resolve;
      });
    }
  }

  received(id: number): string {
    const pieces = this.events.flatMap(event => (event.kind === 'data' && event.id === id ? [event.data] : []));
    return Buffer.concat(pieces).toString();
  }

  kinds(id: number): string[] {
    return this.events.filter(event => event.id === id).map(({ kind }) => kind);
  }
}

describe('the prober', () => {
  it('reports connections that stand, are refused and are not answered', async () => {
    const port = await listening(() => {});
    const free = await listening(() => {});
    closing.pop()?.();
    const probing = new Probing();
    const ids = probing.start(
      tcp(port, { connectOnly: true }),
      tcp(free, { connectOnly: true }),
      tcp(port, { send: text('?'), timeoutMilliseconds: 50 }),
    );
    expect(probing.events).toEqual([]);
    await probing.until(() => probing.events.length === 3);
    const [connected = 0, refused = 0, silent = 0] = ids;
    expect(probing.events).toContainEqual({ id: connected, kind: 'connected' });
    expect(probing.events).toContainEqual({ id: refused, kind: 'failed', errno: errno.ECONNREFUSED });
    expect(probing.events).toContainEqual({ id: silent, kind: 'timeout', connected: true });
  });

  it('carries a conversation, whose calls are made from within the callback', async () => {
    const port = await listening(socket => {
      socket.write('220 ready\r\n');
      socket.on('data', bytes => {
        if (String(bytes) === 'QUIT\r\n') socket.end('221 bye\r\n');
      });
    });
    const probing = new Probing((event, prober) => {
      if (event.kind === 'data' && probing.received(event.id) === '220 ready\r\n')
        prober.send(event.id, text('QUIT\r\n'));
      if (event.kind === 'closed') prober.end(event.id);
    });
    const [id = 0] = probing.start(tcp(port));
    await probing.until(() => probing.kinds(id).includes('closed'));
    expect(probing.received(id)).toBe('220 ready\r\n221 bye\r\n');
  });

  it('gives every exchange its own bytes', async () => {
    const port = await listening(socket =>
      socket.on('data', bytes => socket.end(Buffer.from(`${bytes}`.repeat(2000)))),
    );
    const probing = new Probing();
    const words = Array.from({ length: 200 }, (_, n) => `<${n}>`);
    const ids = probing.start(...words.map(word => tcp(port, { send: text(word) })));
    await probing.until(() => ids.every(id => probing.kinds(id).includes('closed')));
    expect(ids.map(id => probing.received(id))).toEqual(words.map(word => word.repeat(2000)));
  });

  it('starts others from within the callback, and ends those that it was asked to end', async () => {
    const port = await listening(() => {});
    const ended: number[] = [];
    const probing: Probing = new Probing((_event, prober) => {
      if (probing.events.length >= 20) return;
      const ids = prober.start([tcp(port, { connectOnly: true }), tcp(port, { connectOnly: true })]);
      ended.push(ids[1] ?? 0);
      prober.end(ids[1] ?? 0);
    });
    probing.start(tcp(port, { connectOnly: true }));
    await probing.until(() => probing.events.length === 20);
    expect(probing.events.filter(({ id }) => ended.includes(id))).toEqual([]);
    expect(new Set(probing.events.map(({ id }) => id)).size).toBe(20);
  });

  it('can be closed from within the callback, and again, and then starts nothing', async () => {
    const port = await listening(() => {});
    const probing = new Probing((_event, prober) => prober.close());
    const ids = probing.start(...Array.from({ length: 20 }, () => tcp(port, { connectOnly: true })));
    await probing.until(() => probing.events.length > 0);
    probing.prober.close();
    probing.prober.end(ids[0] ?? 0);
    probing.prober.send(ids[0] ?? 0, text('?'));
    expect(() => probing.start(tcp(port))).toThrow('the prober is closed');
  });

  it('sends and receives datagrams', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => server.close());
    server.on('message', (bytes, { port }) => server.send(Buffer.concat([bytes, bytes]), port, '127.0.0.1'));
    const unused = createSocket('udp4').bind(0, '127.0.0.1');
    await once(unused, 'listening');
    const { port: refusing } = unused.address();
    await new Promise<void>(resolve => unused.close(resolve));
    const probing = new Probing();
    const udp = (port: number): ExchangeRequest => tcp(port, { protocol: 'udp', send: text('ab') });
    const [answered = 0, refused = 0] = probing.start(udp(server.address().port), udp(refusing));
    await probing.until(() => probing.events.length === 2);
    expect(probing.received(answered)).toBe('abab');
    expect(probing.events).toContainEqual({ id: refused, kind: 'failed', errno: errno.ECONNREFUSED });
  });

  it('pings, or says that it must not', async () => {
    const probing = new Probing();
    const [id = 0] = probing.start({ protocol: 'ping', address: '127.0.0.1', port: 0, timeoutMilliseconds: 10_000 });
    await probing.until(() => probing.events.length > 0);
    const [event] = probing.events;
    if (event?.kind === 'failed') expect([errno.EPERM, errno.EACCES]).toContain(event.errno);
    else expect(probing.received(id)).not.toBe('');
  });
});

describe('misuse of the prober', () => {
  const good = tcp(1, { send: text('?') });
  const wrong: [string, object][] = [
    ['protocol', { ...good, protocol: 'sctp' }],
    ['protocol', { ...good, protocol: undefined }],
    ['address', { ...good, address: 'localhost' }],
    ['address', { ...good, address: 5 }],
    ['address', { ...good, address: Symbol('x') }],
    ['port', { ...good, port: 65_536 }],
    ['port', { ...good, port: -1 }],
    ['port', { ...good, port: 1.5 }],
    ['port', { ...good, port: '80' }],
    ['timeoutMilliseconds', { ...good, timeoutMilliseconds: Number.NaN }],
    ['timeoutMilliseconds', { ...good, timeoutMilliseconds: -1 }],
    ['timeoutMilliseconds', { ...good, timeoutMilliseconds: Number.POSITIVE_INFINITY }],
    ['send', { ...good, send: 'text' }],
    ['send', { ...good, send: new Uint16Array(2) }],
    ['connectOnly', { ...good, connectOnly: 1 }],
    ['source', { ...good, source: 'eth0' }],
    ['device', { ...good, device: 7 }],
    ['mark', { ...good, mark: 2 ** 32 }],
  ];

  it.each(wrong)('names the wrong field: %s %o', (field, request) => {
    const probing = new Probing();
    const start = (): unknown => probing.prober.start([good, request as ExchangeRequest]);
    expect(start).toThrow(TypeError);
    expect(start).toThrow(new RegExp(`^${field} of an exchange must be`));
  });

  it('throws TypeErrors for other arguments, and takes ids of nothing', () => {
    const { prober } = new Probing();
    const call = (method: string, ...words: unknown[]): (() => unknown) => {
      const methods = prober as unknown as Record<string, (...words: unknown[]) => unknown>;
      return () => methods[method]?.(...words);
    };
    expect(call('start', undefined)).toThrow(TypeError);
    expect(call('start', [null])).toThrow(TypeError);
    expect(call('send', '1', text('x'))).toThrow(TypeError);
    expect(call('send', 1, 'x')).toThrow(TypeError);
    expect(call('end', {})).toThrow(TypeError);
    for (const id of [0, -1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      expect(call('end', id)).not.toThrow();
      expect(call('send', id, text('x'))).not.toThrow();
    }
    expect(() => createProber(undefined as never)).toThrow(TypeError);
  });

  it('throws a TypeError where the native class is made or called in a wrong way', () => {
    const { Prober } = loadAddon();
    const size = Prober.mostEvents * 3;
    const shared = new Float64Array(new SharedArrayBuffer(size * 8));
    const bytes = new Uint8Array(new SharedArrayBuffer(Prober.mostBytes));
    const make = (...words: unknown[]): (() => unknown) => {
      const Class = Prober as unknown as new (...words: unknown[]) => unknown;
      return () => new Class(...words);
    };
    expect(make()).toThrow(TypeError);
    expect(make(new Float64Array(size), bytes, () => {})).toThrow(TypeError);
    expect(make(shared.subarray(1), bytes, () => {})).toThrow(TypeError);
    expect(make(bytes, shared, () => {})).toThrow(TypeError);
    expect(make(shared, bytes.subarray(1), () => {})).toThrow(TypeError);
    expect(make(shared, new Uint8Array(Prober.mostBytes), () => {})).toThrow(TypeError);
    expect(make(shared, bytes, 'no function')).toThrow(TypeError);
    const prober = new Prober(shared, bytes, () => {});
    closing.push(() => prober.close());
    expect(() => prober.end.call({}, 1)).toThrow(TypeError);
  });
});

/** Runs a module in a Node of its own. */
function runNode(source: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const program = `import { createProber } from ${JSON.stringify(module)};\n${source}`;
  const args = ['--import=tsx', '--expose-gc', '--input-type=module', '--eval', program];
  const env = { ...process.env, SLUICE_ADDON: addonPath() };
  return spawnSync(process.execPath, args, { cwd: packageRoot, encoding: 'utf8', env, timeout: 60_000 });
}

/** A listening server whose socket nothing waits for, and requests to it. */
const withServer = `
import { createServer } from 'node:net';
const server = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1');
await new Promise(resolve => server.on('listening', resolve));
server.unref();
const { port } = server.address();
const request = { protocol: 'tcp', address: '127.0.0.1', port, timeoutMilliseconds: 30_000 };
`;

describe('a process with a prober', () => {
  it('ends by itself when no exchange runs, and not before', () => {
    const { status, stdout } = runNode(`${withServer}
      createProber(() => {});
      const prober = createProber(events => console.log(events[0].kind));
      prober.start([{ ...request, send: new Uint8Array(1), timeoutMilliseconds: 300 }]);
    `);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'timeout\n' });
  });

  it('gets what the callback throws as an uncaught exception, and goes on', () => {
    const { status, stdout } = runNode(`${withServer}
      process.on('uncaughtException', error => console.log('uncaught', error.message ?? error));
      let calls = 0;
      const prober = createProber(() => {
        process.nextTick(() => console.log('tick'));
        calls++;
        if (calls < 3) prober.start([{ ...request, connectOnly: true }]);
        if (calls === 1) throw new Error('first');
        if (calls === 2) throw 'second';
        console.log('third');
      });
      prober.start([{ ...request, connectOnly: true }]);
    `);
    expect(status).toBe(0);
    expect(stdout.split('\n').sort()).toEqual([
      '',
      'third',
      'tick',
      'tick',
      'tick',
      'uncaught first',
      'uncaught second',
    ]);
  });

  it('ends with the exception of the callback if nobody takes it', () => {
    const { status, stderr } = runNode(`${withServer}
      createProber(() => { throw new Error('nobody takes this'); }).start([{ ...request, connectOnly: true }]);
    `);
    expect(status).toBe(1);
    expect(stderr).toContain('nobody takes this');
  });

  it('may end in the middle of exchanges', () => {
    const { status, stdout } = runNode(`${withServer}
      const prober = createProber(() => {});
      prober.start(Array.from({ length: 100 }, () => request));
      prober.start(Array.from({ length: 100 }, () => ({ ...request, connectOnly: true })));
      process.exit(7);
    `);
    expect({ status, stdout }).toEqual({ status: 7, stdout: '' });
  });

  it('keeps an object that nobody knows while its exchange runs, and frees probers and their descriptors', () => {
    const { status, stdout } = runNode(`${withServer}
      import { readdirSync } from 'node:fs';
      import { setTimeout } from 'node:timers/promises';
      const descriptors = () => readdirSync('/proc/self/fd').length;
      const before = descriptors();
      const reported = new Promise(resolve => {
        createProber(events => resolve(events[0].kind)).start([{ ...request, timeoutMilliseconds: 200 }]);
      });
      for (let i = 0; i < 100; i++) createProber(() => {});
      for (let i = 0; i < 100; i++) createProber(() => {}).close();
      gc();
      console.log(await reported);
      while (descriptors() > before) {
        gc();
        await setTimeout(10);
      }
      console.log('freed');
    `);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'timeout\nfreed\n' });
  });
});

it('ends with its worker thread, in the middle of exchanges, from within the callback too', async () => {
  const port = await listening(() => {});
  // Neither datagrams nor connections that are reset at once leave this process a descriptor of the server's side.
  const silent = createSocket('udp4').bind(0, '127.0.0.1');
  await once(silent, 'listening');
  closing.push(() => silent.close());
  // The native class itself: a worker thread of a test loads no TypeScript.
  const source = (end: string): string => `
    process.dlopen(module, ${JSON.stringify(addonPath())});
    const { Prober } = module.exports;
    const { parentPort } = require('node:worker_threads');
    const events = new Float64Array(new SharedArrayBuffer(Prober.mostEvents * 24));
    const bytes = new Uint8Array(new SharedArrayBuffer(Prober.mostBytes));
    const prober = new Prober(events, bytes, () => {
      parentPort.postMessage('called');
      ${end}
    });
    for (let i = 0; i < 50; i++) prober.start('udp', '127.0.0.1', ${silent.address().port}, 60_000, Buffer.from('?'));
    for (let i = 0; i < 50; i++) prober.start('tcp', '127.0.0.1', ${port}, 60_000, undefined, true);`;
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const ends: [end: string, status: number][] = [
    ['', 1],
    ['while (true);', 1],
    ['process.exit(3)', 3],
    ['prober.close()', 0],
  ];
  for (const [end, status] of ends) {
    const before = descriptors();
    const worker = new Worker(source(end), { eval: true });
    const exit = once(worker, 'exit');
    await once(worker, 'message');
    if (status === 1) await worker.terminate();
    expect(await exit, end).toEqual([status]);
    // 50 sockets are still open when the worker ends.
    expect(descriptors(), end).toBeLessThan(before + 10);
  }
});
