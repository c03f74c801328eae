// SPDX-License-Identifier: Apache-2.0
// Stealing by nftables, for hosts without BPF: nftables keeps packets of services from the host's stack.
import { Session } from '../drivers/session.ts';
import { whoEchoes } from '../drivers/udp-echo.ts';
import { whoServes } from '../drivers/web.ts';
import { addressOnLink, clientGateway, virtualAddress } from './addresses.ts';
import { checkServices, service } from './modes.ts';
import { expect, type Scenario, type Stage } from './scenario.ts';
import { twoArms } from './topologies.ts';

const requests = 30;
const datagramBytes = 1000;
/** The balancer's host has the first address, no host the second. */
const [onHost, onNoHost] = [virtualAddress.ipv4, addressOnLink.ipv4] as const;

/** Modes NAT and FULLNAT, TCP and UDP, on both addresses. */
async function playTraffic({ client }: Stage): Promise<void> {
  checkServices(await whoServes(client, onHost, requests), 'ipv4', 'nat');
  checkServices(await whoServes(client, onNoHost, requests), 'ipv4', 'fullnat');
  checkServices(await whoEchoes(client, onHost, datagramBytes, requests), 'ipv4', 'fullnat');
  checkServices(await whoEchoes(client, onNoHost, datagramBytes, requests), 'ipv4', 'nat');
}

const tables = ({ host }: Stage): Promise<string> => host('balancer').must(['nft', 'list', 'tables', 'netdev']);

/** `end` stops the balancer and removes what it leaves on the host. */
function stealsByNftables(name: string, title: string, end: (stage: Stage) => Promise<void>): Scenario {
  return {
    name,
    title,
    topology: twoArms({ virtualAddressOnHost: true }),
    forwarding: {
      services: [
        service('tcp', 'ipv4', 'nat'),
        { ...service('tcp', 'ipv4', 'fullnat'), address: onNoHost },
        service('udp', 'ipv4', 'fullnat'),
        { ...service('udp', 'ipv4', 'nat'), address: onNoHost },
      ],
      stealing: 'nftables',
    },
    needs: ['process', 'answers'],
    async play(stage) {
      const withHost = await Session.open(stage.client, clientGateway.ipv4);
      await playTraffic(stage);
      await withHost.type();
      expect((await tables(stage)) !== '', 'there are no rules of nftables');
      await end(stage);
      const left = await tables(stage);
      expect(left === '', `left behind: ${left}`);
      await withHost.type();
    },
  };
}

export const stealingScenarios: readonly Scenario[] = [
  stealsByNftables(
    'stealing-nftables',
    'nftables instead of BPF keeps packets of services from the host, and SIGTERM removes its rules',
    async ({ balancer }) => balancer.process?.stop(),
  ),
  stealsByNftables(
    'stealing-nftables-killed',
    'after kill -9 of all processes `sluice clean` removes the rules of nftables',
    async stage => {
      await stage.balancer.process?.kill();
      expect((await tables(stage)) !== '', 'there is nothing to clean');
      await stage.balancer.process?.clean();
    },
  ),
];
