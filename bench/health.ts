// SPDX-License-Identifier: Apache-2.0
// CPU time of a process that checks 5,000 targets once a second each, by the prober and, in turns with it, by Node's own
// net and http. The targets are addresses of 127/8, behind which one server in another process (Node's net, without HTTP
// behind it) listens, so that only the kernel's part of the server's side is counted: on the loopback interface packets
// are received by the process that sends them. All reset the connection when they have what they want. Each figure is a
// line of JSON.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createProber, type ExchangeRequest } from '../src/native/prober.ts';

const targets = 5000;
/** Turns of each way to check, and their length. The first part of a turn is left out: the code is being compiled. */
const turns = 2;
const warmUpMilliseconds = 2000;
const measuredMilliseconds = 5000;
const sliceMilliseconds = 10;
const timeoutMilliseconds = 5000;

const addresses = Array.from({ length: targets }, (_, n) => `127.1.${n >> 8}.${n & 255}`);
const requestText = 'GET / HTTP/1.1\r\nHost: check\r\nConnection: close\r\n\r\n';
const answerText = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nOK';

type Kind = 'tcp' | 'http';
type Way = 'prober' | 'node';
/** Begins checks of some targets; each calls `done` once. */
type Start = (addresses: readonly string[], done: (passed: boolean) => void) => void;

interface Measured {
  readonly checks: number;
  readonly failed: number;
  readonly cpuMicroseconds: number;
  readonly microseconds: number;
}

const starters: Record<Way, Record<Kind, (port: number) => Start>> = {
  prober: {
    tcp: port => probing(address => ({ protocol: 'tcp', address, port, timeoutMilliseconds, connectOnly: true })),
    http: port => {
      const send = Buffer.from(requestText);
      return probing(address => ({ protocol: 'tcp', address, port, timeoutMilliseconds, send }));
    },
  },
  node: {
    tcp: port => (some, done) => {
      for (const host of some) {
        const socket = connect({ host, port, timeout: timeoutMilliseconds }, () => {
          socket.resetAndDestroy();
          done(true);
        });
        socket.on('error', () => done(false)).on('timeout', () => socket.destroy(new Error('timeout')));
      }
    },
    http: port => {
      const agent = new Agent({ keepAlive: false });
      return (some, done) => {
        for (const host of some) {
          const request = get({ host, port, agent, timeout: timeoutMilliseconds, path: '/' }, response => {
            response.resume().on('end', () => {
              request.socket?.resetAndDestroy();
              done(response.statusCode === 200);
            });
          });
          request.on('error', () => done(false)).on('timeout', () => request.destroy(new Error('timeout')));
        }
      };
    },
  },
};

function probing(requestFor: (address: string) => ExchangeRequest): Start {
  const running = new Map<number, (passed: boolean) => void>();
  const decoder = new TextDecoder();
  const prober = createProber(events => {
    for (const event of events) {
      const done = running.get(event.id);
      if (done === undefined) continue;
      running.delete(event.id);
      if (event.kind === 'data') prober.end(event.id);
      done(event.kind === 'connected' || (event.kind === 'data' && decoder.decode(event.data) === answerText));
    }
  });
  return (some, done) => {
    for (const id of prober.start(some.map(requestFor))) running.set(id, done);
  };
}

/** Checks all targets once a second, evenly, and measures this process. */
async function check(start: Start): Promise<Measured> {
  const began = performance.now();
  const state = { checks: 0, failed: 0, started: 0 };
  const done = (passed: boolean): void => {
    state.checks += 1;
    if (!passed) state.failed += 1;
  };
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) * targets) / 1000);
    // Who cannot keep up is given no more than one second's checks at once.
    const room = Math.min(due, state.checks + targets) - state.started;
    start(
      Array.from({ length: Math.max(room, 0) }, (_, n) => addresses[(state.started + n) % targets] ?? ''),
      done,
    );
    state.started += Math.max(room, 0);
  }, sliceMilliseconds);
  const sleep = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds));
  await sleep(warmUpMilliseconds);
  const from = { ...state, cpu: process.cpuUsage(), at: performance.now() };
  await sleep(measuredMilliseconds);
  const cpu = process.cpuUsage(from.cpu);
  clearInterval(timer);
  return {
    checks: state.checks - from.checks,
    failed: state.failed - from.failed,
    cpuMicroseconds: cpu.user + cpu.system,
    microseconds: (performance.now() - from.at) * 1000,
  };
}

function role(name: string, ...args: string[]): ChildProcess {
  return fork(fileURLToPath(import.meta.url), [name, ...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function serve(): Promise<void> {
  const answer = Buffer.from(answerText);
  const server = createServer({ noDelay: true }, socket => {
    socket.on('error', () => {}).on('data', () => socket.write(answer));
  });
  await once(server.listen({ port: 0, host: '0.0.0.0', backlog: 4096 }), 'listening');
  process.send?.((server.address() as AddressInfo).port);
}

async function measure(way: Way, kind: Kind, port: number): Promise<Measured> {
  const child = role('check', way, kind, String(port));
  const [measured] = (await once(child, 'message')) as [Measured];
  child.kill();
  return measured;
}

const print = (figure: string, value: number, unit: string): void =>
  console.log(JSON.stringify({ figure, value: Math.round(value * 100) / 100, unit }));

function report(way: Way, kind: Kind, all: readonly Measured[]): number {
  const name = `${kind === 'tcp' ? 'TCP connect' : 'HTTP GET'}, ${way === 'prober' ? 'prober' : `node:${kind === 'tcp' ? 'net' : 'http'}`}`;
  const sum = (pick: (measured: Measured) => number): number => all.reduce((total, one) => total + pick(one), 0);
  const perCheck = sum(one => one.cpuMicroseconds) / sum(one => one.checks);
  print(`${name}: CPU time a check`, perCheck, 'µs');
  print(`${name}: of one core for ${targets} checks a second`, (perCheck * targets) / 10_000, '%');
  print(`${name}: checks a second`, sum(one => one.checks) / (sum(one => one.microseconds) / 1e6), '');
  print(
    `${name}: failed`,
    sum(one => one.failed),
    '',
  );
  return perCheck;
}

async function main(): Promise<void> {
  const server = role('serve');
  try {
    const [port] = (await once(server, 'message')) as [number];
    for (const kind of ['tcp', 'http'] as const) {
      const measured: Record<Way, Measured[]> = { prober: [], node: [] };
      for (let turn = 0; turn < turns; turn++) {
        for (const way of ['prober', 'node'] as const) measured[way].push(await measure(way, kind, port));
      }
      const prober = report('prober', kind, measured.prober);
      print(`${kind}: Node to prober`, report('node', kind, measured.node) / prober, 'times');
    }
  } finally {
    server.kill();
  }
}

const [name, way, kind, port] = process.argv.slice(2);
if (name === 'serve') await serve();
else if (name === 'check') process.send?.(await check(starters[way as Way][kind as Kind](Number(port))));
else await main();
