// SPDX-License-Identifier: Apache-2.0
// Several ports as one service, by a firewall mark that the balancer itself sets.
import { Session } from '../drivers/session.ts';
import { whoServes } from '../drivers/web.ts';
import { type Family, serverNames, virtualAddress } from './addresses.ts';
import { families, service } from './modes.ts';
import { expect, type Scenario } from './scenario.ts';
import { twoArms } from './topologies.ts';

const requests = 10;
/** The real servers and the balancer's host listen on all of these ports. */
const [ownPorts, portOfRange] = [[80, 443], 8005] as const;

function firewallMark(family: Family): Scenario {
  const address = virtualAddress[family];
  const web = service('tcp', family, 'nat');
  return {
    name: `firewall-mark-${family}`,
    title: "two ports and a range of ports are one service, and the other ports of the address are the host's",
    topology: twoArms({ virtualAddressOnHost: true }),
    forwarding: { services: [{ ...web, groupedPorts: [...ownPorts, '8000-8010'] }] },
    needs: ['groups', 'change'],
    async play({ client, balancer }) {
      const withHost = await Session.open(client, address);
      const met = async (port: number) => {
        const services = await whoServes(client, address, requests, port);
        return [...new Set(services.map(({ server }) => server))].join();
      };
      const servers = [await met(80), await met(443), await met(portOfRange)];
      const [first = ''] = servers;
      expect(
        serverNames.some(name => name === first),
        `port 80 is served by ${first}`,
      );
      expect(
        servers.every(server => server === first),
        `a client reached ${servers.join(', ')}`,
      );
      await withHost.type();

      await balancer.change({ services: [{ ...web, groupedPorts: ownPorts }] });
      expect((await met(443)) === first, 'the change moved the client to another server');
      expect((await met(portOfRange)) === 'balancer', 'a port that left the service was not given back to the host');
      await withHost.type();
    },
  };
}

export const markScenarios: readonly Scenario[] = families.map(firewallMark);
