// SPDX-License-Identifier: Apache-2.0
// `sluice run` answers packets to a virtual address that no service wants at once, as a host would, though no host has the
// address. Also tested: a real server that is the balancer's host itself.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Host } from '../../lab/topology/host.ts';
import type { Program } from '../../lab/topology/program.ts';
import { Topology } from '../../lab/topology/topology.ts';
import { until } from '../../lab/topology/until.ts';
import type { Status } from '../../src/cli/status.ts';
import { describeAsRoot } from '../privileges.ts';
import { sluiceCommand } from './sluice-command.ts';

const virtual4 = '192.0.2.10';
const virtual6 = 'fd00:9::10';

const http = (port: number, text: string) =>
  `require('node:http').createServer((_, answer) => answer.end('${text}')).listen(${port}, '::')`;

const description = {
  hosts: {
    client: {
      interfaces: { eth0: ['10.1.0.2/24', 'fd00:1::2/64'] },
      routes: [
        { to: 'default', via: '10.1.0.1' },
        { to: 'default', via: 'fd00:1::1' },
      ],
    },
    balancer: {
      interfaces: { eth0: ['10.1.0.1/24', 'fd00:1::1/64'], eth1: ['10.2.0.1/24', 'fd00:2::1/64'] },
      forwards: true,
    },
    server: {
      interfaces: { eth0: ['10.2.0.2/24', 'fd00:2::2/64'] },
      routes: [
        { to: 'default', via: '10.2.0.1' },
        { to: 'default', via: 'fd00:2::1' },
      ],
      services: [
        { name: 'http', command: [process.execPath, '-e', http(8080, 'server')], ready: { listens: 'tcp:8080' } },
      ],
    },
  },
  links: [{ between: ['client:eth0', 'balancer:eth0'] }, { between: ['balancer:eth1', 'server:eth0'] }],
} as const;

let standing: Topology | undefined;

afterEach(async () => {
  await standing?.down();
  standing = undefined;
});

interface Running {
  readonly client: Host;
  readonly balancer: Host;
  readonly sluice: Program;
  readonly file: string;
  connections(): Promise<number>;
}

interface Options {
  /** Addresses of the balancer's loopback device. */
  readonly own?: readonly string[];
  readonly words?: readonly string[];
}

async function start(document: string, { own = [], words = [] }: Options = {}): Promise<Running> {
  standing = await Topology.up(description);
  const [client, balancer] = [standing.host('client'), standing.host('balancer')];
  for (const address of own) await balancer.must(['ip', 'address', 'add', address, 'dev', 'lo']);
  const file = join(balancer.folder, 'sluice.yaml');
  const socket = join(balancer.folder, 'sluice.sock');
  writeFileSync(file, document);
  const program = balancer.start('sluice', [...sluiceCommand, 'run', '-c', file, '--socket', socket, ...words]);
  await program.ready({ prints: '"msg":"ready"' });
  const connections = async () =>
    JSON.parse(await balancer.must([...sluiceCommand, 'connections', '--json', '--socket', socket])).length;
  return { client, balancer, sluice: program, file, connections };
}

const services = `
  services:
    - { tcp: "${virtual4}:80", servers: ["10.2.0.2:8080"] }
    - { tcp: "[${virtual6}]:80", servers: ["[fd00:2::2]:8080"] }
`;

/** Connects, prints that, and sends a byte for each line of its input. Its last line is how the connection ended. */
const talker = (host: string, port = 80) => `
  const socket = require('node:net').connect(${port}, '${host}', () => console.log('connected'));
  socket.on('error', ({ code }) => { console.log('ended', code); process.exit(); });
  process.stdin.on('data', () => socket.write('G'));`;

/** Sends a datagram and prints the answer or the error. */
const asker = (host: string, port: number) => `
  const socket = require('node:dgram').createSocket('udp${host.includes(':') ? 6 : 4}');
  socket.on('error', ({ code }) => { console.log('ended', code); process.exit(); });
  socket.connect(${port}, '${host}', () => { setInterval(() => socket.send('x', () => {}), 100); });`;

async function curl(client: Host, host: string, port = 80): Promise<string | number> {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
  const { status, stdout } = await client.run(['curl', '-gsS', '--max-time', '3', url]);
  return status === 0 ? stdout : (status ?? -1);
}
/** curl's exit statuses. */
const [refused, timedOut] = [7, 28];

describeAsRoot('packets that a running sluice has no use for', () => {
  it.each([virtual4, virtual6])('resets a connection to %s at once that was idle for too long', async host => {
    const running = await start(`director:${services}  timeouts: { tcp: { established: 1 } }\n`);
    const program = running.client.start('talker', [process.execPath, '-e', talker(host)], { open: true });
    await program.says('connected');
    await until('the flow to end', 10_000, async () => (await running.connections()) === 0);
    program.write('now\n');
    await program.says('ended ECONNRESET');
  });

  it('resets a connection that the process before knew', async () => {
    const running = await start(`director:${services}`);
    const program = running.client.start('talker', [process.execPath, '-e', talker(virtual4)], { open: true });
    await program.says('connected');
    await running.sluice.stop();
    const words = ['run', '-c', running.file, '--socket', join(running.balancer.folder, 'again.sock')];
    const again = running.balancer.start('again', [...sluiceCommand, ...words]);
    await again.ready({ prints: '"msg":"ready"' });
    program.write('now\n');
    await program.says('ended ECONNRESET');
  });

  it.each(['tcx', 'nftables'])('tells who asks for a port without a service, %s', async way => {
    const { client } = await start(`director:${services}`, { words: ['--stealing', way] });
    for (const host of [virtual4, virtual6]) {
      expect(await curl(client, host)).toBe('server');
      expect(await curl(client, host, 81)).toBe(refused);
      const program = client.start('asker', [process.execPath, '-e', asker(host, 53)]);
      await program.says('ended ECONNREFUSED');
    }
  });

  it('is silent where the policy says so', async () => {
    const { client } = await start(`director:${services}  switches: { host_answers: false }\n`);
    expect(await curl(client, virtual4, 81)).toBe(timedOut);
    expect(await curl(client, virtual4)).toBe('server');
  });

  it('leaves the ports of an address that the host has too to the host', async () => {
    const { client, balancer } = await start(`director:${services}`, { own: [`${virtual4}/32`] });
    await balancer.startService({
      name: 'own',
      command: [process.execPath, '-e', http(81, 'host')],
      ready: { listens: 'tcp:81' },
    });
    expect(await curl(client, virtual4)).toBe('server');
    expect(await curl(client, virtual4, 81)).toBe('host');
    expect(await curl(client, virtual4, 82)).toBe(refused);
  });

  it('leaves them to a host that has the address by a route alone', async () => {
    const { client, balancer } = await start(`director:${services}`);
    await balancer.must(['ip', 'route', 'add', 'local', `${virtual4}/32`, 'dev', 'lo']);
    await balancer.startService({
      name: 'own',
      command: [process.execPath, '-e', http(81, 'host')],
      ready: { listens: 'tcp:81' },
    });
    await until('the host to answer', 10_000, async () => (await curl(client, virtual4, 81)) === 'host');
    expect(await curl(client, virtual4)).toBe('server');
  });
});

describeAsRoot('a real server that is the balancer itself', () => {
  const own = [`${virtual4}/32`, `${virtual6}/128`];
  const last = (address4: string, address6: string, mode = 'dr') => `director:
  services:
    - { tcp: "${virtual4}:80", mode: ${mode}, servers: ["${address4}"] }
    - { tcp: "[${virtual6}]:80", mode: ${mode}, servers: ["${address6}"] }
`;

  it.each([
    ['dr', '127.0.0.1', '[::1]'],
    ['dr', '10.1.0.1', '[fd00:1::1]'],
    ['tunnel', '127.0.0.1', '[::1]'],
  ])('gets the packets as they come, by %s to %s', async (mode, address4, address6) => {
    const running = await start(last(address4, address6, mode), { own });
    await running.balancer.startService({
      name: 'sorry',
      command: [process.execPath, '-e', http(80, 'sorry')],
      ready: { listens: 'tcp:80' },
    });
    expect(await curl(running.client, virtual4)).toBe('sorry');
    expect(await curl(running.client, virtual6)).toBe('sorry');
  });

  it('takes over when no other server is left, and gives way again', async () => {
    const nat = `director:${services}`;
    const running = await start(nat, { own });
    await running.balancer.startService({
      name: 'sorry',
      command: [process.execPath, '-e', http(80, 'sorry')],
      ready: { listens: 'tcp:80' },
    });
    expect(await curl(running.client, virtual4)).toBe('server');
    for (const [document, answer] of [
      [last('127.0.0.1', '[::1]'), 'sorry'],
      [nat, 'server'],
    ] as const) {
      writeFileSync(running.file, document);
      running.sluice.kill('SIGHUP');
      await until(`the answer ${answer}`, 10_000, async () => (await curl(running.client, virtual4)) === answer);
      expect(await curl(running.client, virtual6)).toBe(answer);
    }
  });

  it('gets them from the next process of the director after a crash', async () => {
    const { client, balancer, sluice: program } = await start(last('127.0.0.1', '[::1]'), { own });
    await balancer.startService({
      name: 'sorry',
      command: [process.execPath, '-e', http(80, 'sorry')],
      ready: { listens: 'tcp:80' },
    });
    expect(await curl(client, virtual4)).toBe('sorry');
    const socket = join(balancer.folder, 'sluice.sock');
    const { processes }: Status = JSON.parse(
      await balancer.must([...sluiceCommand, 'status', '--json', '--socket', socket]),
    );
    const from = program.stderr.length;
    process.kill(processes.find(({ name }) => name === 'director')?.pid ?? 0, 'SIGKILL');
    await program.logs('"msg":"ready"', from);
    expect(await curl(client, virtual4)).toBe('sorry');
    expect(await curl(client, virtual6)).toBe('sorry');
  });

  it.each([
    { server: '127.0.0.1:8080', words: [], status: 2, told: 'has a loopback address, which mode nat cannot reach' },
    { server: '10.1.0.1:8080', words: ['--stealing', 'nftables'], status: 1, told: 'give sluice BPF' },
  ])('is refused by nat where that cannot be: $server $words', async ({ server, words, status, told }) => {
    standing = await Topology.up(description);
    const balancer = standing.host('balancer');
    const file = join(balancer.folder, 'sluice.yaml');
    writeFileSync(file, `director:\n  services:\n    - { tcp: "${virtual4}:80", servers: ["${server}"] }\n`);
    const run = ['run', '-c', file, '--socket', join(balancer.folder, 'sluice.sock'), ...words];
    const ended = await balancer.run([...sluiceCommand, ...run]);
    expect(ended.stdout + ended.stderr).toContain(told);
    expect(ended.stdout + ended.stderr).toContain('use');
    expect(ended.status).toBe(status);
  });
});
