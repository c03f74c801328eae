// SPDX-License-Identifier: Apache-2.0
// nftables as a balancer: destination NAT to the servers in turn. For FULLNAT the source becomes the balancer's own address
// on the servers' side. The kernel's connection tracking translates replies, and keeps existing connections when the rules
// change.
import { isIPv6 } from 'node:net';
import type { Host } from '../topology/host.ts';
import { type Balancer, byWeight, type Forwarding, type SourceNat, type VirtualService } from './balancer.ts';

const nftFamily = (address: string): string => (isIPv6(address) ? 'ip6' : 'ip');

/** Marks connections whose source is rewritten, too. */
const fullnatMark = 1;

function destinationRule({ protocol, address, port, servers, mode }: VirtualService): string {
  const family = nftFamily(address);
  const match = `${family} daddr ${address} ${protocol} dport ${port}`;
  const turns = byWeight(servers);
  if (turns.length === 0) return `${match} drop`;
  const map = turns.map((server, index) => `${index} : ${server} . ${port}`).join(', ');
  const mark = mode === 'fullnat' ? `ct mark set ${fullnatMark} ` : '';
  return `${match} ${mark}dnat ${family} to numgen inc mod ${turns.length} map { ${map} }`;
}

function sourceRules(sourceNat: SourceNat | undefined): string[] {
  const always = [`ct mark ${fullnatMark} masquerade`];
  if (sourceNat === undefined) return always;
  const family = nftFamily(sourceNat.address);
  return [...always, `oifname eth0 ${family} saddr ${sourceNat.inside} snat ${family} to ${sourceNat.address}`];
}

function ruleset({ services, sourceNat }: Forwarding): string {
  return `table inet lab
delete table inet lab
table inet lab {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ${services.map(destinationRule).join('\n    ')}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ${sourceRules(sourceNat).join('\n    ')}
  }
}
`;
}

/** nft replaces all rules in one transaction. */
async function load(host: Host, forwarding: Forwarding): Promise<void> {
  await host.must(['nft', '-f', '-'], { input: ruleset(forwarding) });
}

export const nftDnat: Balancer = {
  name: 'nft-dnat',
  modes: ['nat', 'fullnat'],
  abilities: ['change', 'snat', 'fragments', 'icmpv6-errors'],
  unavailable: () => undefined,
  async start(host, forwarding) {
    await load(host, forwarding);
    return { change: changed => load(host, changed) };
  },
};
