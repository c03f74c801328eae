// SPDX-License-Identifier: Apache-2.0
// `sluice decap` on a real server, which `sluice run` sends packets in each of its tunnels:
//
//   client ── router ── lan ── balancer, r1
//
// Requests to the virtual address go through the balancer; r1 answers through the router.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { nodeProgram } from '../../lab/drivers/node-program.ts';
import { realServer } from '../../lab/drivers/real-server.ts';
import { watch } from '../../lab/drivers/tcpdump.ts';
import { whoEchoes } from '../../lab/drivers/udp-echo.ts';
import { upload, whoServes } from '../../lab/drivers/web.ts';
import { content } from '../../lab/programs/content.ts';
import {
  balancerAddress,
  clientAddress,
  clientGateway,
  defaultsVia,
  onLink,
  routerAddress,
  virtualAddress,
} from '../../lab/scenarios/addresses.ts';
import type { TopologyDescription } from '../../lab/topology/description.ts';
import type { Host } from '../../lab/topology/host.ts';
import type { Ending, Program } from '../../lab/topology/program.ts';
import { Topology } from '../../lab/topology/topology.ts';
import { describeAsRoot } from '../privileges.ts';
import { runSluice } from './run-sluice.ts';
import { sluiceCommand } from './sluice-command.ts';

const serverAddress = { ipv4: '10.2.0.11', ipv6: 'fd00:2::11' };
const families = ['ipv4', 'ipv6'] as const;
const ports = { tcp: 80, udp: 7 };
const transferBytes = 5_000_000;
const longestTest = 90_000;
/** An ordinary user, who can read the project's folder although it belongs to root. */
const asNobody = [
  ...(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] as const),
  ...['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search', '--'],
] as const;

const description: TopologyDescription = {
  hosts: {
    client: { interfaces: { eth0: onLink(clientAddress) }, routes: defaultsVia(clientGateway) },
    router: {
      interfaces: { eth0: onLink(clientGateway), eth1: onLink(routerAddress) },
      routes: families.map(family => ({ to: virtualAddress[family], via: balancerAddress[family] })),
      forwards: true,
    },
    balancer: { interfaces: { eth0: onLink(balancerAddress) }, routes: defaultsVia(routerAddress), forwards: true },
    r1: { interfaces: { eth0: onLink(serverAddress) }, routes: defaultsVia(routerAddress) },
  },
  switches: ['lan'],
  links: [
    { between: ['client:eth0', 'router:eth0'] },
    { between: ['router:eth1', 'lan'] },
    { between: ['balancer:eth0', 'lan'] },
    { between: ['r1:eth0', 'lan'] },
  ],
};

const addressWords = families.flatMap(family => ['--address', virtualAddress[family]]);

async function startSluice(host: Host, ...words: string[]): Promise<Program> {
  const program = host.start('sluice', [...sluiceCommand, ...words]);
  await program.ready({ prints: '"msg":"ready"' });
  return program;
}

/** The server's addresses, to which outer packets are sent, by the family of the client's packets. */
type Way = Readonly<Record<(typeof families)[number], string>>;

async function startDirector(balancer: Host, tunnel: object, way: Way): Promise<void> {
  const services = families.flatMap(family =>
    Object.entries(ports).map(([protocol, port]) => ({
      [protocol]: family === 'ipv4' ? `${virtualAddress.ipv4}:${port}` : `[${virtualAddress.ipv6}]:${port}`,
      scheduler: 'rr',
      mode: 'tunnel',
      servers: [{ server: way[family], tunnel }],
    })),
  );
  const file = join(balancer.folder, 'tunnel.yaml');
  writeFileSync(file, stringify({ director: { ports: { lan: { device: 'eth0' } }, services } }));
  await startSluice(balancer, 'run', '-c', file, '--socket', join(balancer.folder, 'admin.sock'));
}

/** Checks that r1 answers a client's requests of both families, and that uploads arrive unchanged. */
async function checkRequests(client: Host): Promise<void> {
  const file = join(client.folder, 'content');
  writeFileSync(file, Buffer.concat([...content(transferBytes)]));
  for (const family of families) {
    const address = virtualAddress[family];
    const served = { server: 'r1', client: clientAddress[family] };
    expect(await whoServes(client, address, 2)).toMatchObject([served, served]);
    expect(await whoEchoes(client, address, 1000, 2)).toMatchObject([served, served]);
    await upload(client, address, file, transferBytes);
  }
}

/** The packets that r1 itself sends to the balancer: only neighbour discovery, no ICMP errors. */
const complaints =
  '(src host 10.2.0.11 or src host fd00:2::11) and (ip or ip6) and not (icmp6 and ip6[40] >= 133 and ip6[40] <= 136)';

function lastLog(program: Ending): Record<string, unknown> {
  return JSON.parse(program.stderr.trim().split('\n').at(-1) ?? '');
}

let standing: Topology | undefined;
afterEach(async () => {
  await standing?.down();
  standing = undefined;
});

const straight: Way = serverAddress;
const crossed: Way = { ipv4: serverAddress.ipv6, ipv6: serverAddress.ipv4 };

async function up(): Promise<(name: string) => Host> {
  const topology = await Topology.up(description);
  standing = topology;
  return name => topology.host(name);
}

describeAsRoot('sluice decap', () => {
  it.each([
    ['IPIP', { type: 'ipip' }, straight],
    ['IPIP over the other family', { type: 'ipip' }, crossed],
    ['GUE with a checksum over the other family', { type: 'gue', port: 6080, checksum: 'full' }, crossed],
    ['GUE with the remote checksum', { type: 'gue', port: 6080, checksum: 'remote' }, straight],
    ['GRE with a checksum over the other family', { type: 'gre', checksum: 'full' }, crossed],
  ] as const)(
    'delivers what the director sends in %s',
    async (_, tunnel, way) => {
      const host = await up();
      const agent = await startSluice(host('r1'), 'decap', ...addressWords);
      await host('r1').startService(realServer('r1', Object.values(virtualAddress)));
      const complained = await watch(host('balancer'), 'eth0', complaints);
      await startDirector(host('balancer'), tunnel, way);
      await checkRequests(host('client'));
      expect(complained.stdout).toBe('');
      agent.kill('SIGTERM');
      const ending = await agent.ending;
      expect(ending.status).toBe(0);
      const { msg, packets } = lastLog(ending);
      expect({ msg, reasons: Object.keys(packets as object) }).toEqual({ msg: 'stopped', reasons: ['delivered'] });
      expect(await host('r1').must(['ip', 'address'])).not.toContain(virtualAddress.ipv4);
    },
    longestTest,
  );

  it(
    'leaves nothing when it is killed, and starts again',
    async () => {
      const server = (await up())('r1');
      const agent = await startSluice(server, 'decap', ...addressWords);
      expect(await server.must(['ip', 'address'])).toContain('sluice-decap');
      agent.kill('SIGKILL');
      await agent.ending;
      expect(await server.must(['ip', 'address'])).not.toMatch(/sluice-decap|192\.0\.2\.10/);
      await startSluice(server, 'decap', ...addressWords);
    },
    longestTest,
  );

  it(
    'ends with an error when its device is removed',
    async () => {
      const host = await up();
      const agent = await startSluice(host('r1'), 'decap', '--address', virtualAddress.ipv4);
      await startDirector(host('balancer'), { type: 'ipip' }, straight);
      await host('r1').must(['ip', 'link', 'delete', 'sluice-decap']);
      // No program is told of this; the agent must notice it.
      await host('client').run(nodeProgram('udp-client', virtualAddress.ipv4, '1', '1'));
      const { status, stderr } = await agent.ending;
      expect(status).toBe(1);
      expect(stderr.trim().split('\n').at(-1)).toBe(
        'sluice: the TUN device was removed or set down: nothing is delivered any more: "sluice-decap" (start sluice decap again)',
      );
    },
    longestTest,
  );
});

describe('sluice decap', () => {
  it('tells an ordinary user what it needs', () => {
    const words = [...sluiceCommand, 'decap'] as const;
    const [program, ...rest] = process.getuid?.() === 0 ? ([...asNobody, ...words] as const) : words;
    const { status, stderr } = spawnSync(program, rest, { encoding: 'utf8', timeout: longestTest });
    expect(status).toBe(1);
    expect(stderr).toContain('(run as root, or with CAP_NET_ADMIN and CAP_NET_RAW)');
  });

  it.each([
    [['--address', '192.0.2.10/24'], 'a virtual address is one host: "192.0.2.10/24" (use /32: '],
    [['--address', 'vip'], 'not an address for a host: "vip" (use one like 192.0.2.10/32)'],
    [['--tunnel', 'vxlan'], 'no such tunnel: "vxlan" (use ipip, gue, gre)'],
    [['--gue-port', '0'], 'not a port: "0" (use 1 to 65535)'],
    [['--device', 'a-name-that-is-too-long'], 'not a name for a device: "a-name-that-is-too-long"'],
    [['eth0'], 'unexpected word: "eth0"'],
  ])('refuses %j', async (words, message) => {
    const { status, stderr } = await runSluice(['decap', ...words]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(`sluice: ${message}`) });
  });
});
