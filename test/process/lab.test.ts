// SPDX-License-Identifier: Apache-2.0
// The lab is proved by what the kernel does: namespaces that are there or not, pings, captures that tcpdump reads.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { nftDnat } from '../../lab/balancers/nft-dnat.ts';
import { inject } from '../../lab/drivers/inject.ts';
import { watch } from '../../lab/drivers/tcpdump.ts';
import { perform } from '../../lab/perform.ts';
import type { Scenario } from '../../lab/scenarios/scenario.ts';
import type { LinkFaults, TopologyDescription } from '../../lab/topology/description.ts';
import { namespacesOf, removeAbandoned } from '../../lab/topology/run.ts';
import { Topology } from '../../lab/topology/topology.ts';
import { until } from '../../lab/topology/until.ts';
import { buildPacket, echoRequest, ipv4 } from '../../src/wire/packet-builder.ts';
import { describeAsRoot } from '../privileges.ts';
import { programCommand } from './run-program.ts';

const projectRoot = fileURLToPath(new URL('../..', import.meta.url));
const loader = import.meta.resolve('tsx');

// Below the limit of the test, so that what was said so far is there to be seen.
const commandMilliseconds = 50_000;
/** An ordinary user, who can read the project's folder although it belongs to root. */
const asNobody = [
  ...['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
  ...['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search', '--'],
  // What is covered is written where root alone may write; node would complain.
  ...['env', '-u', 'NODE_V8_COVERAGE'],
];

function runLab(words: readonly string[], prefix: readonly string[] = []) {
  const command = [...prefix, process.execPath, `--import=${loader}`, join(projectRoot, 'lab/main.ts'), ...words];
  const [program = '', ...rest] = command;
  return spawnSync(program, rest, { cwd: projectRoot, encoding: 'utf8', timeout: commandMilliseconds });
}

function twoHosts(faults?: LinkFaults): TopologyDescription {
  return {
    hosts: {
      left: { interfaces: { eth0: ['10.0.0.1/24', 'fd00::1/64'] } },
      right: { interfaces: { eth0: ['10.0.0.2/24', 'fd00::2/64'] } },
    },
    links: [{ between: ['left:eth0', 'right:eth0'], ...(faults && { faults }) }],
  };
}

/** Whether a process that lives and is none of this test's has made the topology: other tests run at the same time. */
function isOfOthers(name: string): boolean {
  const maker = Number(/^(?:sl)?(\d+)\.[0-9a-z]+\.\d+/.exec(name)?.[1]);
  for (let pid = maker; pid > 1; ) {
    if (pid === process.pid) return false;
    const status = `/proc/${pid}/status`;
    if (!existsSync(status)) return pid !== maker;
    pid = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(status, 'utf8'))?.[1]);
  }
  return maker > 0;
}

/** What the lab must leave unchanged on the machine: namespaces, interfaces, folders. */
function machineState() {
  const folder = (path: string) => (existsSync(path) ? readdirSync(path).sort() : []);
  return {
    namespaces: folder('/run/netns').filter(name => !isOfOthers(name)),
    interfaces: folder('/sys/class/net'),
    folders: folder('/run/sluice-lab').filter(name => !isOfOthers(name)),
  };
}

let standing: Topology | undefined;

async function up(description: TopologyDescription): Promise<Topology> {
  standing = await Topology.up(description);
  return standing;
}

/** Writes the other host's MAC address into a host's neighbour table, so that no neighbour discovery is needed. */
async function setNeighbour(topology: Topology, host: string, address: string, other: string): Promise<void> {
  const mac = await linkAddress(topology, other);
  await topology.host(host).must(['ip', 'neigh', 'replace', address, 'lladdr', mac, 'dev', 'eth0']);
}

async function linkAddress(topology: Topology, host: string): Promise<string> {
  const [link]: { address: string }[] = JSON.parse(
    await topology.host(host).must(['ip', '-j', 'link', 'show', 'eth0']),
  );
  return link?.address ?? '';
}

async function ping(topology: Topology, ...words: string[]): Promise<string> {
  return (await topology.host('left').run(['ping', '-q', '-i', '0.01', ...words])).stdout;
}

describe('npm run lab', () => {
  it('prints its usage and the list of scenarios', () => {
    expect(runLab(['--help'])).toMatchObject({ status: 0, stderr: '' });
    const listed = runLab(['list', '--json']);
    expect(listed.status).toBe(0);
    expect(JSON.parse(listed.stdout).scenarios).toContainEqual({
      name: 'dr-ipv6-udp',
      title: 'datagrams reach all servers and come back unchanged',
      balancers: ['sluice', 'kernel-forward', 'kernel-ipvs'],
    });
  });

  it.each([
    [['--nothing'], "Unknown option '--nothing'"],
    [['up'], 'up takes the name of one scenario'],
  ])('refuses %j', (words, problem) => {
    const { status, stderr } = runLab(words);
    // Without root, the message about root comes first, except for words that cannot be parsed.
    if (process.getuid?.() === 0 || words[0] !== 'up')
      expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(problem) });
  });
});

describeAsRoot('a topology', () => {
  afterEach(async () => {
    await standing?.down();
    standing = undefined;
  });

  it('leaves nothing behind', async () => {
    const before = machineState();
    const topology = await up(twoHosts({ delayMilliseconds: 1 }));
    expect(namespacesOf(topology.id).map(name => name.replace(/^.*?-/, ''))).toEqual(['left', 'relay~0', 'right']);
    await topology.down();
    expect(machineState()).toEqual(before);
  });

  it('that cannot be made leaves nothing behind, and the error says why', async () => {
    const before = machineState();
    const description = twoHosts();
    const left = { interfaces: { eth7: ['10.0.0.1/24'] } };
    await expect(Topology.up({ ...description, hosts: { ...description.hosts, left } })).rejects.toThrow(
      'Cannot find device "eth7"',
    );
    expect(machineState()).toEqual(before);
  });

  it('of a run that was killed is removed by the next, with its programs', async () => {
    const before = machineState();
    const [node, ...words] = programCommand('lab-standing');
    const child = spawn(node, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      said += text;
    });
    await until('the topology stands', 30_000, () => said.includes('\n'));
    const id = /^stands: (.*)\.$/m.exec(said)?.[1] ?? '';
    const programs = () => spawnSync('ip', ['netns', 'pids', namespacesOf(id)[0] ?? ''], { encoding: 'utf8' }).stdout;
    // The program needs some time to enter its namespace.
    await until('its program runs', 30_000, () => programs() !== '');
    const [program] = programs().split('\n');

    // While the process runs, its topology is not abandoned.
    removeAbandoned();
    expect(namespacesOf(id)).toHaveLength(1);

    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(removeAbandoned()).toBeGreaterThanOrEqual(1);
    expect(machineState()).toEqual(before);
    // The program is killed. It may still be a zombie, if its new parent has not yet waited for it.
    const state = existsSync(`/proc/${program}`) ? readFileSync(`/proc/${program}/stat`, 'utf8').split(' ')[2] : 'Z';
    expect(state).toBe('Z');
  });

  it('has links without faults unless its description has some', async () => {
    const topology = await up(twoHosts());
    expect(await ping(topology, '-c', '20', '10.0.0.2')).toContain(
      '20 packets transmitted, 20 received, 0% packet loss',
    );
    expect(await ping(topology, '-c', '20', 'fd00::2')).toContain(
      '20 packets transmitted, 20 received, 0% packet loss',
    );
  });

  it('has links that delay frames in both directions', async () => {
    const topology = await up(twoHosts({ delayMilliseconds: 25 }));
    const shortest = /rtt min\/avg\/max\/mdev = ([\d.]+)\//.exec(await ping(topology, '-c', '20', '10.0.0.2'))?.[1];
    expect(Number(shortest)).toBeGreaterThanOrEqual(50);
    expect(Number(shortest)).toBeLessThan(100);
  });

  it('has links that lose the given share of packets, the same ones in every run', async () => {
    const counts: (string | undefined)[] = [];
    for (let time = 0; time < 2; time++) {
      // Other packets of the hosts would use up random numbers: no IPv6, no neighbour discovery.
      const sysctls = { 'net/ipv6/conf/default/disable_ipv6': 1 };
      const topology = await up({
        ...twoHosts({ lossPercent: 20 }),
        hosts: {
          left: { interfaces: { eth0: ['10.0.0.1/24'] }, sysctls },
          right: { interfaces: { eth0: ['10.0.0.2/24'] }, sysctls },
        },
      });
      await setNeighbour(topology, 'left', '10.0.0.2', 'right');
      await setNeighbour(topology, 'right', '10.0.0.1', 'left');
      counts.push(/(\d+) received/.exec(await ping(topology, '-c', '200', '-W', '1', '10.0.0.2'))?.[1]);
      await topology.down();
    }
    // 0.8² of 200 are 128, give or take three standard deviations.
    expect(Number(counts[0])).toBeGreaterThan(107);
    expect(Number(counts[0])).toBeLessThan(149);
    expect(counts[1]).toBe(counts[0]);
  });

  it('has links that duplicate', async () => {
    const topology = await up(twoHosts({ duplicatePercent: 100 }));
    expect(await ping(topology, '-c', '1', '-W', '1', '10.0.0.2')).toContain('1 received');
    expect(await ping(topology, '-c', '2', '-W', '1', '10.0.0.2')).toMatch(/\+\d duplicates/);
  });

  it('has links that carry VLAN tags at one end', async () => {
    const topology = await up({
      ...twoHosts(),
      hosts: { ...twoHosts().hosts, other: { interfaces: { eth0: ['10.0.0.3/24'] } } },
      switches: ['lan'],
      links: [
        { between: ['left:eth0', 'lan'], vlan: 100 },
        { between: ['right:eth0', 'lan'], vlan: 100 },
        { between: ['other:eth0', 'lan'], vlan: 200 },
      ],
    });
    const seen = await watch(topology.host('left'), 'eth0', 'icmp');
    expect(await ping(topology, '-c', '5', '10.0.0.2')).toContain('5 received');
    expect(await ping(topology, '-c', '1', '-W', '1', '10.0.0.3')).toContain('0 received');
    expect(seen.stdout).not.toContain('vlan');
  });

  it('has links that show the tag at their second end', async () => {
    const topology = await up({ ...twoHosts(), links: [{ between: ['left:eth0', 'right:eth0'], vlan: 100 }] });
    const seen = await watch(topology.host('right'), 'eth0', 'vlan 100 and arp');
    await ping(topology, '-c', '1', '-W', '1', '10.0.0.2');
    await seen.says('who-has 10.0.0.2 tell 10.0.0.1');
  });

  it('carries crafted packets unchanged', async () => {
    const topology = await up(twoHosts());
    const seen = await watch(topology.host('right'), 'eth0', 'icmp');
    const forged = buildPacket(ipv4({ source: '198.51.100.7', destination: '10.0.0.2', id: 7, ttl: 3 }), echoRequest());
    await inject(topology.host('left'), '10.0.0.2', [forged]);
    await seen.says('198.51.100.7 > 10.0.0.2: ICMP echo request');
    expect(seen.stdout).toContain('ttl 3, id 7');
  });
});

describeAsRoot('a scenario', () => {
  const broken: Scenario = {
    name: 'broken',
    title: 'nothing holds',
    topology: {
      hosts: {
        client: { interfaces: { eth0: ['10.0.0.1/24'] } },
        balancer: { interfaces: { eth0: ['10.0.0.2/24'] } },
      },
      links: [{ between: ['client:eth0', 'balancer:eth0'] }],
    },
    forwarding: { services: [] },
    async play({ client }) {
      await client.must(['ping', '-c', '1', '10.0.0.2']);
      const capture = join(client.folder, 'client-eth0.pcap0');
      await until(
        'tcpdump has written what it saw',
        10_000,
        () => spawnSync('tcpdump', ['-r', capture, 'icmp']).stdout.length > 0,
      );
      await client.must(['ls', '/nothing']);
    },
  };

  it('that fails keeps the captures of its links and the output of its programs', async () => {
    const before = machineState();
    const outcome = await perform(broken, nftDnat, { keep: false });
    expect(outcome).toMatchObject({ result: 'failed', evidence: 'out/lab/broken@nft-dnat' });
    expect(outcome.problem).toContain("ls: cannot access '/nothing': No such file or directory");
    const capture = join(projectRoot, outcome.evidence ?? '', 'client-eth0.pcap0');
    const { stdout } = spawnSync('tcpdump', ['-n', '-r', capture, 'icmp'], { encoding: 'utf8' });
    expect(stdout).toContain('10.0.0.1 > 10.0.0.2: ICMP echo request');
    expect(machineState()).toEqual(before);
  });

  it('is played from the command line with real clients and servers', () => {
    const { status, stdout } = runLab(['nat-ipv4-tcp', '--balancer', 'nft-dnat', '--json']);
    expect({ status, outcomes: JSON.parse(stdout) }).toEqual({
      status: 0,
      outcomes: [{ scenario: 'nat-ipv4-tcp', balancer: 'nft-dnat', result: 'passed', seconds: expect.any(Number) }],
    });
  });

  it('keeps its topology after `up` until `down`', () => {
    const before = machineState();
    const raised = runLab(['up', 'dr-ipv4-tcp', '--balancer', 'kernel-forward', '--json']);
    const { id } = JSON.parse(raised.stdout);
    removeAbandoned();
    const client = `sl${id}-client`;
    const page = spawnSync('ip', ['netns', 'exec', client, 'curl', '-s', 'http://192.0.2.10/who'], {
      encoding: 'utf8',
    });
    expect(JSON.parse(page.stdout)).toMatchObject({ server: expect.stringMatching(/^r[123]$/), client: '10.1.0.2' });
    expect(runLab(['list']).stdout).toContain(`ip netns exec ${client} bash`);
    expect(runLab(['down', 'dr-ipv4-tcp'])).toMatchObject({ status: 0, stdout: '1 topologies removed\n' });
    expect(machineState()).toEqual(before);
  });

  it('that is interrupted leaves nothing behind', async () => {
    const before = machineState();
    const lab = spawn(process.execPath, [`--import=${loader}`, 'lab/main.ts', 'transfer-1gb'], { cwd: projectRoot });
    const ended = once(lab, 'exit');
    await until('hosts are there', 30_000, () => machineState().namespaces.length > before.namespaces.length + 2);
    lab.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expect(machineState()).toEqual(before);
  });

  it('from docs/lab.md passes', () => {
    const path = 'examples/lab/delayed-web.ts';
    const [, ...code] = readFileSync(join(projectRoot, path), 'utf8').split('\n');
    expect(readFileSync(join(projectRoot, 'docs/lab.md'), 'utf8')).toContain(code.join('\n').trim());
    const { stdout } = spawnSync(process.execPath, [`--import=${loader}`, path], {
      cwd: projectRoot,
      encoding: 'utf8',
    });
    expect(JSON.parse(stdout)).toMatchObject({ result: 'passed' });
  });

  it('is refused to an ordinary user, and the error names the remedy', () => {
    const { status, stderr } = runLab(['nat-ipv4-tcp'], asNobody);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'lab: network namespaces need root; run it again as: sudo npm run lab\n',
    });
  });
});
