// SPDX-License-Identifier: Apache-2.0
// Whether another host answers ARP for the address of a service whose servers are in DR mode. Each of these servers has the
// address, too. If one of them answers ARP for it, clients and routers of that network send everything to this server. It is
// asked as a person would, by arping(8): one request, on the device that leads to the servers. For IPv6 there is no arping.
import type { DirectWanted, Finding, Look } from './finding.ts';
import type { Host } from './host.ts';

/** Of a second each: a host with thousands of services is not asked about for an hour. */
const mostRequests = 8;

const once = ['-c', '1', '-w', '1', '-I'];

export const lookAtArp: Look = (host, { direct }) => {
  const requests = requestsFor(host, direct);
  const asked = [...requests.values()].slice(0, mostRequests);
  const findings = asked.flatMap(request => ask(host, request) ?? []);
  const [unknown] = findings.filter(({ verdict }) => verdict === 'unknown');
  if (unknown !== undefined) return [unknown];
  if (findings.length > 0 || asked.length === 0) return findings;
  const left = requests.size - asked.length;
  const rest = left === 0 ? '' : `; ${left} more are not asked for`;
  return [{ about: 'ARP', verdict: 'good', found: `no server in DR mode answers for its service's address${rest}` }];
};

interface Request {
  readonly address: string;
  readonly device: string;
  readonly servers: string[];
}

/** One for each address and device; servers behind a router, which DR does not reach, have none. */
function requestsFor(host: Host, direct: readonly DirectWanted[]): ReadonlyMap<string, Request> {
  const devices = new Map<string, string | undefined>();
  const requests = new Map<string, Request>();
  for (const { address, server } of direct) {
    if (address.includes(':')) continue;
    if (!devices.has(server)) devices.set(server, deviceTowards(host, server));
    const device = devices.get(server);
    if (device === undefined) continue;
    const key = `${address} ${device}`;
    const servers = requests.get(key)?.servers ?? [];
    servers.push(server);
    requests.set(key, { address, device, servers });
  }
  return requests;
}

function deviceTowards(host: Host, server: string): string | undefined {
  const route = host.run('ip', ['route', 'get', server]) ?? '';
  return /\bvia\b|^local\b/.test(route) ? undefined : /\bdev (\S+)/.exec(route)?.[1];
}

/** Nothing when nobody answers. */
function ask(host: Host, { address, device, servers }: Request): Finding | undefined {
  // With -D it succeeds when nobody answers, without it when somebody does; where it is missing, neither succeeds.
  if (host.run('arping', ['-D', ...once, device, address]) !== undefined) return undefined;
  const answer = host.run('arping', [...once, device, address]);
  if (answer === undefined) {
    const found = 'servers in DR mode are not asked whether they answer for their service: arping fails, or is missing';
    return { about: 'ARP', verdict: 'unknown', found, remedy: 'install iputils-arping, and ask as root' };
  }
  const mac = /\[([0-9a-f:]{17})\]/i.exec(answer)?.[1]?.toLowerCase() ?? 'unknown';
  const server = servers.find(each => host.run('ip', ['neigh', 'show', 'to', each, 'dev', device])?.includes(mac));
  const who = server === undefined ? `a host with the link-layer address ${mac}` : `the real server ${server}`;
  return {
    about: `ARP on ${device}`,
    verdict: 'problem',
    found: `${who} answers for ${address}: its neighbours send the service's packets there, past Sluice`,
    remedy: 'on the server: sysctl net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2',
  };
}
