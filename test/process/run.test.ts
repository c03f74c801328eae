// SPDX-License-Identifier: Apache-2.0
// `sluice run` as a person uses it, with a client, a server, and the balancer between them. The balancer's host has the
// virtual address, too: its stack answers every packet that Sluice does not steal.
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { Host } from '../../lab/topology/host.ts';
import type { Program } from '../../lab/topology/program.ts';
import { Topology } from '../../lab/topology/topology.ts';
import { until } from '../../lab/topology/until.ts';
import type { Status } from '../../src/cli/status.ts';
import { describeAsRoot } from '../privileges.ts';
import { runSluice } from './run-sluice.ts';
import { sluiceCommand as sluice } from './sluice-command.ts';

const virtual = '192.0.2.10';
const greeting = 'hello from the real server';
const bigSize = 12 * 1024 * 1024;
const server = `require('node:http')
  .createServer(({ url }, answer) => answer.end(url === '/big' ? Buffer.alloc(${bigSize}) : '${greeting}'))
  .listen(8080)`;

const topologyDescription = {
  hosts: {
    client: { interfaces: { eth0: ['10.1.0.2/24'] }, routes: [{ to: 'default', via: '10.1.0.1' }] },
    balancer: { interfaces: { lo: [`${virtual}/32`], eth0: ['10.1.0.1/24'], eth1: ['10.2.0.1/24'] }, forwards: true },
    server: {
      interfaces: { eth0: ['10.2.0.2/24'] },
      routes: [{ to: 'default', via: '10.2.0.1' }],
      services: [{ name: 'http', command: [process.execPath, '-e', server], ready: { listens: 'tcp:8080' } }],
    },
  },
  links: [{ between: ['client:eth0', 'balancer:eth0'] }, { between: ['balancer:eth1', 'server:eth0'] }],
} as const;

const rules = `-A -t ${virtual}:80 -s rr\n-a -t ${virtual}:80 -r 10.2.0.2:8080 -m\n`;

let standing: Topology | undefined;

afterEach(async () => {
  await standing?.down();
  standing = undefined;
});

interface Running {
  readonly client: Host;
  readonly balancer: Host;
  readonly program: Program;
  readonly rulesFile: string;
  readonly socket: string;
}

/** A module that makes the director's process throw an uncaught exception on request. */
const mistake = "process.on('SIGUSR2',()=>{throw%20new%20Error('a%20mistake')})";
const canFail = ['env', `NODE_OPTIONS=--import=data:text/javascript,${mistake}`] as const;

async function start(): Promise<Running> {
  standing = await Topology.up(topologyDescription);
  const [client, balancer] = [standing.host('client'), standing.host('balancer')];
  const rulesFile = join(balancer.folder, 'rules');
  const socket = join(balancer.folder, 'sluice.sock');
  writeFileSync(rulesFile, rules);
  const files = ['--rules', rulesFile, '--socket', socket, '--state', balancer.folder] as const;
  const program = balancer.start('sluice', [...canFail, ...sluice, 'run', ...files]);
  await program.ready({ prints: '"msg":"ready"' });
  return { client, balancer, program, rulesFile, socket };
}

const url = (path: string, port = 80): string => `http://${virtual}:${port}${path}`;

/** The body that a client gets, or curl's exit status. */
async function get(client: Host, port = 80): Promise<string | number> {
  const { status, stdout } = await client.run(['curl', '-sS', '--max-time', '1', url('/', port)]);
  return status === 0 ? stdout : (status ?? -1);
}

/** curl's exit status. */
const refused = 7;

async function ask<Answer>({ balancer, socket }: Running, ...words: string[]): Promise<Answer> {
  return JSON.parse(await balancer.must([...sluice, ...words, '--json', '--socket', socket]));
}

/** Sends a question to the admin socket as another program would. Returns a line of JSON for each value. */
async function askSocket({ balancer, socket }: Running, question: string): Promise<string[]> {
  const answer = await balancer.must(['curl', '-sS', '--unix-socket', socket, `http://sluice/${question}`]);
  return answer.split('\n').filter(line => line !== '');
}

/** The number of the director's process. */
async function directorPid(running: Running): Promise<number> {
  const [line = ''] = await askSocket(running, 'control/status');
  const { processes }: Status = JSON.parse(line);
  const pid = processes.find(({ name }) => name === 'director')?.pid;
  if (pid === undefined) throw new Error('the director has no process');
  return pid;
}

describe('sluice run', () => {
  it('reports missing options and options that exclude each other', async () => {
    const [both, net] = await Promise.all([
      runSluice(['run', '--rules', 'a', '--config', 'b']),
      runSluice(['run', '--net', 'a']),
    ]);
    const way = await runSluice(['run', '--rules', 'a', '--stealing', 'ebpf']);
    expect(way.stderr).toBe('sluice: not a way of stealing: "ebpf" (use one of tcx, clsact, nftables)\n');
    expect(net.stderr).toContain('--net can only be used with --rules');
    expect(both.status).toBe(2);
    expect(both.stderr).toContain('--config and --rules exclude each other');
  });

  it('names file, line and column of what is wrong with the configuration before it touches the host', async () => {
    const { status, stderr } = await runSluice(['run', '-c', fileURLToPath(import.meta.url)]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/run\.test\.ts:\d+:\d+/);
  });
});

describe('the commands that ask a running sluice', () => {
  it.each(['status', 'connections'])('%s says that none answers, and how to start one', async command => {
    const { status, stderr } = await runSluice([command, '--socket', '/nowhere/sluice.sock']);
    expect(status).toBe(1);
    expect(stderr).toContain('no sluice answers');
    expect(stderr).toContain('sluice run');
  });
});

describeAsRoot('a running sluice', () => {
  it('forwards in place of the host, answers questions and leaves the host as it was', async () => {
    const running = await start();
    const { client, program, socket } = running;
    expect(await get(client)).toBe(greeting);
    expect(await get(client, 81)).toBe(refused); // no service has this port: the host's own answer

    expect(statSync(socket).mode & 0o777).toBe(0o600);
    const { director, processes } = await ask<Status>(running, 'status');
    expect(processes).toMatchObject([
      { name: 'supervisor', user: 'root' },
      { name: 'control', state: 'running', restarts: 0 },
      { name: 'director', state: 'running', restarts: 0, standsBy: expect.any(Number) },
      { name: 'health', state: 'stopped' },
    ]);
    expect(director?.ports.map(port => port.name)).toEqual(['eth0', 'eth1']);
    expect(director?.services[0]?.servers[0]?.inactive).toBe(1);
    expect(await ask<object[]>(running, 'connections')).toEqual([
      expect.objectContaining({ protocol: 'TCP', virtual: { address: virtual, port: 80 } }),
    ]);

    program.kill('SIGTERM');
    expect((await program.ending).status).toBe(0);
    expect(await get(client)).toBe(refused);
  });

  it('applies a changed configuration on SIGHUP and keeps the one before when the new one is wrong', async () => {
    const { client, program, rulesFile } = await start();
    writeFileSync(rulesFile, `${rules}-A -t nonsense\n`);
    program.kill('SIGHUP');
    await program.logs('was not applied', 0);
    expect(program.stderr).toContain('rules:3');
    expect(await get(client)).toBe(greeting);

    writeFileSync(rulesFile, rules.replaceAll(':80 ', ':82 '));
    program.kill('SIGHUP');
    await program.logs('configuration applied', 0);
    expect(await get(client, 82)).toBe(greeting);
    expect(await get(client)).toBe(refused);
  });

  it('leaves nothing behind when it is killed', async () => {
    const { client, program } = await start();
    program.kill('SIGKILL');
    await program.ending;
    // The director's process ends shortly after its parent.
    await until('the host answers again', 10_000, async () => (await get(client)) === refused);
  });

  it.each<[string, NodeJS.Signals]>([
    ['is killed', 'SIGKILL'],
    ['ends by an exception', 'SIGUSR2'],
  ])('carries connections on when the process that forwards %s, and keeps what that was given last', async (_, end) => {
    const running = await start();
    const { client, balancer, program } = running;
    const download = client.run([
      'curl',
      '-sS',
      '--limit-rate',
      '1M',
      '-w',
      '%{size_download}',
      '-o',
      '/dev/null',
      url('/big'),
    ]);
    await until('the download is established', 10_000, async () =>
      (await askSocket(running, 'director/connections')).some(line => JSON.parse(line).state === 'ESTABLISHED'),
    );
    const pid = await directorPid(running);
    const from = program.stderr.length;
    process.kill(pid, end);
    // The host's stack would answer a packet of the connection with a reset.
    await program.logs('was given last', from);
    expect(await download).toMatchObject({ status: 0, stdout: String(bigSize) });
    expect(await directorPid(running)).not.toBe(pid);
    const [capture = ''] = readdirSync(join(balancer.folder, 'crashes'));
    const frames = await balancer.must(['tcpdump', '-n', '-r', join(balancer.folder, 'crashes', capture)]);
    expect(frames).toMatch(/IP 10\.[12]\.0\.2\./);
    expect(await get(client)).toBe(greeting);
  });

  it('says that a device is down until it is up again', async () => {
    const running = await start();
    const { balancer } = running;
    const notes = async (): Promise<readonly string[]> =>
      (await ask<Status>(running, 'status')).director?.notices ?? [];
    expect(await notes()).toEqual([]);
    await balancer.must(['ip', 'link', 'set', 'eth1', 'down']);
    await until('the status has a note', 10_000, async () =>
      (await notes()).some(note => note.includes('eth1 is down')),
    );
    await balancer.must(['ip', 'link', 'set', 'eth1', 'up']);
    await until('the note has gone', 10_000, async () => (await notes()).length === 0);
  });

  it('is refused beside another one on the same socket, which goes on', async () => {
    const { client, balancer, rulesFile, socket } = await start();
    const second = await balancer.run([...sluice, 'run', '--rules', rulesFile, '--socket', socket]);
    expect(second.status).toBe(1);
    expect(second.stderr).toContain('another process answers on the admin socket');
    expect(await get(client)).toBe(greeting);
  });

  it('is refused beside another one on the same devices, which goes on', async () => {
    const { client, balancer, rulesFile, socket } = await start();
    const second = await balancer.run([...sluice, 'run', '--rules', rulesFile, '--socket', `${socket}2`]);
    expect(second).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('another sluice forwards on this device'),
    });
    expect(await get(client)).toBe(greeting);
  });

  it('uses a device again that was away while another process took over', async () => {
    const running = await start();
    const { client, balancer, program } = running;
    await balancer.must(['ip', 'link', 'set', 'eth0', 'down']);
    const from = program.stderr.length;
    process.kill(await directorPid(running), 'SIGKILL');
    await program.logs('flows of the process that crashed', from);
    await balancer.must(['ip', 'link', 'set', 'eth0', 'up']);
    await until('forwarding goes on', 20_000, async () => (await get(client)) === greeting);
  });

  it('names a configured interface that does not exist', async () => {
    standing = await Topology.up(topologyDescription);
    const balancer = standing.host('balancer');
    const file = join(balancer.folder, 'sluice.yaml');
    writeFileSync(
      file,
      `director:\n  ports: { eth7: eth7 }\n  services: [{ tcp: "${virtual}:80", servers: [10.2.0.2:8080] }]\n`,
    );
    const socket = join(balancer.folder, 'sluice.sock');
    const { status, stderr } = await balancer.run([...sluice, 'run', '-c', file, '--socket', socket]);
    expect({ status, names: stderr.includes('there is no interface eth7') }).toEqual({ status: 1, names: true });
  });
});
