// SPDX-License-Identifier: Apache-2.0
// What the director does for virtual addresses and servers, apart from forwarding in each mode.
import type { Mode } from '../balancers/balancer.ts';
import { openConnections } from '../drivers/connections.ts';
import { Session } from '../drivers/session.ts';
import { watch } from '../drivers/tcpdump.ts';
import { whoEchoes } from '../drivers/udp-echo.ts';
import { isServed, whoServes } from '../drivers/web.ts';
import { addressOnLink, clientAddress, type Family, serverAddress, virtualAddress } from './addresses.ts';
import { checkServices, families, service } from './modes.ts';
import { expect, type Scenario } from './scenario.ts';
import { twoArms } from './topologies.ts';

const requests = 30;
/** Four fragments on a link of 1500 bytes. */
const fragmentedBytes = 5000;

function onLink(family: Family): Scenario {
  const address = addressOnLink[family];
  return {
    name: `address-on-link-${family}`,
    title: 'a virtual address in the network of the client is reached, though no host has it',
    topology: twoArms(),
    forwarding: { services: [{ ...service('tcp', family, 'nat'), address }] },
    needs: ['answers'],
    play: async ({ client }) => checkServices(await whoServes(client, address, requests), family, 'nat'),
  };
}

function answersPing(family: Family): Scenario {
  return {
    name: `ping-${family}`,
    title: 'a virtual address answers each ping once',
    topology: twoArms(),
    forwarding: { services: [service('tcp', family, 'nat')] },
    needs: ['answers'],
    async play({ client }) {
      const printed = await client.must(['ping', '-q', '-c', '10', '-i', '0.05', virtualAddress[family]]);
      expect(printed.includes(' 10 received, 0% packet loss'), printed.trim());
      expect(!printed.includes('duplicates'), printed.trim());
    },
  };
}

const hexOf = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Kind 254, length 8, the client's port and address, as tcpdump shows bytes. */
function toaOf(address: string, port: number): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return ['fe08', hexOf(port, 4), hexOf(256 * a + b, 4), hexOf(256 * c + d, 4)].join(' ');
}

const workers = 2;
const connections = 200;

/** Enough connections for all workers to get some. Each worker must get the replies of its own connections. */
function sharedByWorkers(mode: Mode): Scenario {
  return {
    name: `workers-${mode}`,
    title: 'two workers share connections and datagrams, and no connection or datagram is lost',
    topology: twoArms(),
    forwarding: {
      services: [service('tcp', 'ipv4', mode, 7), service('udp', 'ipv4', mode)],
      workers,
    },
    needs: ['process'],
    async play({ client }) {
      const { opened, echoed } = await openConnections(client, virtualAddress.ipv4, connections);
      expect(opened === connections && echoed === connections, `${opened} connections opened, ${echoed} were answered`);
      checkServices(await whoEchoes(client, virtualAddress.ipv4, fragmentedBytes, requests), 'ipv4', mode);
    },
  };
}

/** No host has this address: ARP requests for it get no answer. */
const silentServer = '10.2.0.77';

export const directorScenarios: readonly Scenario[] = [
  ...families.map(onLink),
  ...families.map(answersPing),
  sharedByWorkers('nat'),
  sharedByWorkers('fullnat'),
  {
    name: 'mixed-modes',
    title: 'servers of one service may have different modes, and each sees the client as its mode promises',
    topology: twoArms({ directServer: 'r3' }),
    forwarding: {
      services: [
        {
          ...service('tcp', 'ipv4', 'nat'),
          servers: [
            { address: serverAddress('ipv4', 1) },
            { address: serverAddress('ipv4', 2), mode: 'fullnat' },
            { address: serverAddress('ipv4', 3), mode: 'dr' },
          ],
        },
      ],
    },
    needs: ['mixed'],
    async play({ client }) {
      const services = await whoServes(client, virtualAddress.ipv4, requests);
      const met = [...new Set(services.map(({ server }) => server))].sort().join();
      expect(met === 'r1,r2,r3', `of r1, r2 and r3 the client reached ${met}`);
      for (const { server, client: seen } of services) {
        const isClient = seen === clientAddress.ipv4;
        expect(isClient === (server !== 'r2'), `${server} saw ${seen} as its client`);
      }
    },
  },
  {
    name: 'host-forwards-nothing',
    title: 'the host of the balancer may have IP forwarding off and reverse path filtering on',
    topology: twoArms({ hostForwardsNothing: true }),
    forwarding: { services: [service('tcp', 'ipv4', 'nat')] },
    needs: ['process'],
    async play({ client, host }) {
      await host('balancer').must([
        'sh',
        '-c',
        'for each in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 > $each; done',
      ]);
      checkServices(await whoServes(client, virtualAddress.ipv4, requests), 'ipv4', 'nat');
    },
  },
  {
    name: 'toa',
    title: 'a FULLNAT server reads the address of the client in an option of TCP',
    topology: twoArms(),
    forwarding: {
      services: [
        {
          ...service('tcp', 'ipv4', 'fullnat', 7),
          servers: [{ address: serverAddress('ipv4', 1) }],
          tellsClient: true,
        },
      ],
    },
    needs: ['toa'],
    async play({ client, host }) {
      const seen = await watch(host('r1'), 'eth0', 'tcp dst port 7', { bytes: true });
      const session = await Session.open(client, virtualAddress.ipv4);
      await seen.says(toaOf(clientAddress.ipv4, session.port));
    },
  },
  {
    name: 'server-silent',
    title: 'a server that does not answer ARP does not delay the requests for other servers',
    topology: twoArms(),
    forwarding: {
      services: [
        service('tcp', 'ipv4', 'nat'),
        { ...service('tcp', 'ipv4', 'nat', 7), servers: [{ address: silentServer }] },
        { ...service('tcp', 'ipv6', 'nat'), servers: [{ address: 'fd00:2::77' }] },
      ],
    },
    needs: ['process'],
    async play({ client }) {
      expect(!(await isServed(client, virtualAddress.ipv6)), 'somebody answered in place of the silent server');
      checkServices(await whoServes(client, virtualAddress.ipv4, requests), 'ipv4', 'nat');
    },
  },
];
