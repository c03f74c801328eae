// SPDX-License-Identifier: Apache-2.0
// Confines itself as its arguments say, and prints what still works.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { loadAddon } from '../../../src/native/addon.ts';

const words = process.argv.slice(2);
const problem = loadAddon().confine({ allowExec: words.includes('exec'), allowBpf: words.includes('bpf') })?.problem;

async function serves(): Promise<boolean> {
  const server = createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const request = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false });
  const [answer] = await once(request, 'response');
  answer.resume();
  server.close();
  return answer.statusCode === 200;
}

async function startsThreads(): Promise<boolean> {
  const worker = new Worker('', { eval: true });
  const [status] = await once(worker, 'exit');
  return status === 0;
}

const lines = readFileSync('/proc/self/status', 'utf8').split('\n');
console.log(
  JSON.stringify({
    problem,
    starts: spawnSync('true').error?.message ?? 'a program',
    serves: await serves(),
    threads: await startsThreads(),
    filter: lines.filter(line => /^(Seccomp|NoNewPrivs):/.test(line)).map(line => line.replace(/\s+/, ' ')),
  }),
);
