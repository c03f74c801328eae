// SPDX-License-Identifier: Apache-2.0
// Connections go on while services change which of two workers gets a client's packets.
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import type { Program } from '../../lab/topology/program.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice, virtual } from './running-sluice.ts';

const count = 24;
const other = '192.0.2.11';
const client = [
  process.execPath,
  `--import=${import.meta.resolve('tsx')}`,
  fileURLToPath(new URL('./programs/keep-connections.ts', import.meta.url)),
] as const;

const rules = (persistence: string): string =>
  [
    `-A -t ${virtual}:80 -s rr ${persistence}`,
    `-a -t ${virtual}:80 -r 10.2.0.2:8082 -m`,
    `-A -t ${other}:80 -s rr`,
    `-a -t ${other}:80 -r 10.2.0.2:8081 -m`,
    '',
  ].join('\n');

/** A server that keeps idle connections open, which an HTTP server does not. */
const server = `for (const port of [8081, 8082])
  require('node:net')
    .createServer(socket => socket.on('data', () => socket.write('hello')).on('error', () => {}))
    .listen(port)`;

interface Connection {
  readonly state: string;
  readonly virtual: { readonly address: string };
}

let running: RunningSluice | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function keepConnections(sluice: RunningSluice): Promise<Program> {
  const second = sluice.server.start('second', [process.execPath, '-e', server]);
  await second.ready({ listens: 'tcp:8081' });
  const program = sluice.client.start('connections', [...client, `${count}`, `${virtual}:80`, `${other}:80`]);
  await program.says('opened');
  return program;
}

let rounds = 0;
async function expectAllToAnswer(program: Program): Promise<void> {
  rounds++;
  program.kill('SIGUSR2');
  await program.says(`round ${rounds} is over`);
  for (const address of [virtual, other]) {
    expect(program.stdout).toContain(`round ${rounds}: ${address}:80 answered ${count} of ${count}`);
  }
}

async function become(sluice: RunningSluice, persistence: string): Promise<void> {
  const before = sluice.program.stderr.length;
  sluice.configure(rules(persistence));
  sluice.program.kill('SIGHUP');
  await sluice.program.logs('configuration applied', before);
}

describeAsRoot('two workers', () => {
  it('keep the connections of all services when one becomes persistent, ceases to be, and after a crash', async () => {
    rounds = 0;
    running = await RunningSluice.startWith(rules(''), '--workers', '2');
    const program = await keepConnections(running);
    await expectAllToAnswer(program);
    await become(running, '-p 300');
    await expectAllToAnswer(program);
    const { processes } = await running.ask<{ processes: readonly { name: string; pid: number }[] }>('status');
    const { pid } = processes.find(({ name }) => name === 'director') ?? { pid: 0 };
    const from = running.program.stderr.length;
    process.kill(pid, 'SIGKILL');
    await running.program.logs('are carried on', from);
    await expectAllToAnswer(program);
    await become(running, '');
    await expectAllToAnswer(program);
    const connections = await running.ask<Connection[]>('connections');
    for (const address of [virtual, other]) {
      const ofService = connections.filter(one => one.virtual.address === address && one.state === 'ESTABLISHED');
      expect(ofService.length).toBe(count);
    }
  });
});
