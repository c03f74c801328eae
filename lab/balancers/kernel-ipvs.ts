// SPDX-License-Identifier: Apache-2.0
// The kernel's own IPVS, set up with ipvsadm: Sluice is compared with it. If this host's kernel has no IPVS, use Debian's
// kernel: `npm run lab -- --guest --balancer kernel-ipvs`.
import { isIPv6 } from 'node:net';
import { hasIpvs } from '../kernel.ts';
import type { Host } from '../topology/host.ts';
import type { Balancer, Mode, VirtualService } from './balancer.ts';

/** ipvsadm's option for each mode. */
const forwardingOf: Partial<Record<Mode, string>> = { nat: '-m', dr: '-g', tunnel: '-i' };

const protocolOf = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };

const endpoint = (address: string, port: number): string => `${isIPv6(address) ? `[${address}]` : address}:${port}`;

function rules({ protocol, address, port, mode, servers }: VirtualService): string[] {
  const service = `${protocolOf[protocol]} ${endpoint(address, port)}`;
  const toServers = servers.map(
    server =>
      `-a ${service} -r ${endpoint(server.address, port)} ${forwardingOf[server.mode ?? mode]} -w ${server.weight ?? 1}`,
  );
  return [`-A ${service} -s wrr`, ...toServers];
}

/** IPVS handles only packets to the host's own addresses. */
export async function takeAddress(host: Host, address: string): Promise<void> {
  await host.must(['ip', 'address', 'replace', `${address}/${isIPv6(address) ? 128 : 32}`, 'dev', 'lo']);
}

export const kernelIpvs: Balancer = {
  name: 'kernel-ipvs',
  modes: ['nat', 'dr', 'tunnel'],
  // No icmpv6-errors: Linux before 6.1.192, as in the virtual machine, drops them, as it takes their checksum without the
  // pseudo-header.
  abilities: ['mixed'],
  unavailable: () => (hasIpvs() ? undefined : 'this kernel has no IPVS; --guest boots one that has'),
  async start(host, { services }) {
    for (const { address } of services) await takeAddress(host, address);
    const change = async (changed: readonly VirtualService[]): Promise<void> => {
      await host.must(['ipvsadm', '-C']);
      await host.must(['ipvsadm', '-R'], { input: `${changed.flatMap(rules).join('\n')}\n` });
    };
    await change(services);
    return { change: changed => change(changed.services) };
  },
};
