// SPDX-License-Identifier: Apache-2.0
// The director itself, started as a person starts it: `sluice run` in the balancer's namespace.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Host } from '../topology/host.ts';
import type { Balancer, Forwarding, VirtualService } from './balancer.ts';

const loader = import.meta.resolve('tsx');
const main = join(import.meta.dirname, '../../src/cli/main.ts');
const sluice = [process.execPath, `--import=${loader}`, main] as const;

/** What FULLNAT takes as its sources: free addresses on the servers' side of every topology. */
const localAddresses: readonly string[] = ['10.2.0.200', 'fd00:2::200'];

const endpoint = (address: string, port: number): string => `${isIPv6(address) ? `[${address}]` : address}:${port}`;

function serviceDocument({ protocol, address, port, mode, servers }: VirtualService): object {
  return {
    [protocol]: endpoint(address, port),
    scheduler: 'wrr',
    mode,
    ...(mode === 'fullnat' && { pool: 'local' }),
    servers: servers.map(server => ({ server: server.address, weight: server.weight ?? 1 })),
  };
}

/** A sluice.yaml for these devices. */
export function sluiceDocument({ services, sourceNat }: Forwarding, devices: readonly string[]): string {
  const pools = {
    local: localAddresses,
    ...(sourceNat !== undefined && { public: [sourceNat.address] }),
  };
  return stringify({
    layer4: {
      ports: Object.fromEntries(devices.map(device => [device, device])),
      services: services.map(serviceDocument),
      pools,
      ...(sourceNat !== undefined && { egress: { inside: { sources: [sourceNat.inside], pool: 'public' } } }),
    },
  });
}

async function devicesOf(host: Host): Promise<string[]> {
  const links: { ifname: string }[] = JSON.parse(await host.must(['ip', '-json', 'link']));
  return links.map(link => link.ifname).filter(name => name !== 'lo');
}

export const sluiceBalancer: Balancer = {
  name: 'sluice',
  modes: ['nat', 'fullnat', 'dr'],
  abilities: ['change', 'snat', 'fragments', 'vlan'],
  unavailable() {
    const [node, ...words] = sluice;
    const { stdout } = spawnSync(node, [...words, '--help'], { encoding: 'utf8' });
    return /^ {2}run\b/m.test(stdout) ? undefined : '`sluice run` is not there yet';
  },
  async start(host, forwarding) {
    const devices = await devicesOf(host);
    const file = join(host.folder, `${host.name}-sluice.yaml`);
    writeFileSync(file, sluiceDocument(forwarding, devices));
    // A path of its own: namespaces of networks share the machine's files.
    const socket = join(host.folder, `${host.name}-sluice.sock`);
    const program = host.start('sluice', [...sluice, 'run', '-c', file, '--socket', socket]);
    await program.ready({ prints: '"msg":"ready"' });
    return {
      async change(changed) {
        writeFileSync(file, sluiceDocument(changed, devices));
        const from = program.stderr.length;
        program.kill('SIGHUP');
        await program.logs('"msg":"configuration applied"', from);
      },
    };
  },
};
