// SPDX-License-Identifier: Apache-2.0
// What the running director does about a service or a real server, and why. Its workers' counts, its route table and a
// copy of it that is given a packet say so (rehearsal.h).
import { HostError } from '../core/errors.ts';
import type { Finding, Subject } from '../core/explanation.ts';
import { given } from '../core/given.ts';
import { counted } from '../core/words.ts';
import { framesOf, packetOf } from './explanation.ts';
import type { Arrival, LiveDirector, NextHop, PathExplanation } from './live-director.ts';
import { reasons } from './live-director.ts';
import { type DirectorModel, serverKey, serviceIndex, serviceKey } from './model.ts';
import { openingPacket } from './opening-packet.ts';
import type { CountedServer, CountedService } from './views.ts';

export function directorFindings(director: LiveDirector, { group, target, client }: Subject): readonly Finding[] {
  const service = serviceIndex(director.model.services).get(group);
  const [view] = service === undefined ? [] : director.services(service.identity);
  if (view === undefined) return [];
  const rehearsal = rehearse(director, view, client);
  if (target === undefined) return serviceFindings(director, view, rehearsal);
  const server = view.servers.find(one => serverKey(one) === target);
  const paths = pathFindings(view, rehearsal);
  return server === undefined ? paths : [...serverFindings(director, view, server, rehearsal), ...paths];
}

/** What a new connection of a client would meet now. */
interface Rehearsal {
  readonly client: string;
  /** The port on which the client's packet comes. */
  readonly port: string;
  readonly first: PathExplanation['decisions'][number];
  /** Who gets the packet, by the device on which it comes. */
  readonly owners: ReadonlyMap<string, PathExplanation['decisions'][number]['owner']>;
  readonly worker: number;
  readonly workers: number;
}

/** `taker`: another service, which the client's packets go to. */
type Rehearsed = Rehearsal | { readonly failure: string } | { readonly taker: string };

function rehearse(director: LiveDirector, service: CountedService, wantedClient: string | undefined): Rehearsed {
  const { words, mark, client, port } = openingPacket(director.model, service, wantedClient);
  const towards = port ?? director.portTowards(client);
  const ports = director.ports().filter(({ up }) => up);
  const ordered = [...ports.filter(({ name }) => name === towards), ...ports.filter(({ name }) => name !== towards)];
  const described = packetOf(words);
  const arrivals = ordered.flatMap(({ name, mac }): Arrival[] =>
    framesOf(described, mac).map(frame => ({ port: name, frame, mark })),
  );
  if (arrivals.length === 0) return { failure: 'all devices of the director are down' };
  try {
    const { decisions, worker, workers } = director.explain(arrivals);
    const [first] = decisions;
    if (first === undefined) return { failure: 'the copy of the director gave no answer' };
    if (first.service !== undefined && first.service !== decidedName(service)) return { taker: first.service };
    const owners = new Map(arrivals.map((arrival, index) => [arrival.port, decisions[index]?.owner ?? 'unknown']));
    return { client, port: arrivals[0]?.port ?? '', first, owners, worker, workers };
  } catch (error) {
    if (error instanceof HostError) return { failure: error.message };
    throw error;
  }
}

/** The service as decisions name it. */
function decidedName({ identity }: CountedService): string {
  return 'mark' in identity ? `fwmark ${identity.mark}` : serviceKey(identity);
}

function serviceFindings(director: LiveDirector, service: CountedService, rehearsal: Rehearsed): Finding[] {
  return [
    connectionFinding(service, rehearsal),
    ...overloadFinding(director, service),
    ...pathFindings(service, rehearsal),
    ...addressFindings(director, service),
    flowsOfService(service),
    ...persistenceFinding(service),
    ...poolFinding(director.model, service),
    ...dropsFinding(director),
  ];
}

function serverFindings(
  director: LiveDirector,
  service: CountedService,
  server: CountedServer,
  rehearsal: Rehearsed,
): Finding[] {
  return [
    ...thresholdFinding(director, server),
    schedulerFinding(service, server, rehearsal),
    neighbourFinding(director.nextHop(server.address), server),
    flowsOfServer(service, server),
  ];
}

/** Nobody reads the lines of a thousand servers. */
const mostServers = 32;
const relieve = 'wait until connections end, raise the upper threshold, or add servers';

/** With as many connections as the upper threshold a server is overloaded, until fewer are left than the lower one. */
function thresholdFinding({ workerCount }: LiveDirector, server: CountedServer): readonly Finding[] {
  const { upperThreshold: upper, lowerThreshold, active, inactive, overloaded } = server;
  if (upper === 0) return [];
  const topic = 'thresholds';
  const share = workerCount > 1 ? [`each of ${workerCount} workers has a share of the thresholds`] : [];
  const details = [
    `${counted(active + inactive, 'connection')}; overloaded at ${upper}, takes new ones again below ${lowerThreshold || `three quarters of ${upper}`}`,
    ...share,
  ];
  if (overloaded === 0) return [{ topic, effect: 'none', text: 'not overloaded', details }];
  const where = overloaded === workerCount ? '' : ` at ${overloaded} of ${workerCount} workers`;
  const text = `overloaded${where}: ${counted(active + inactive, 'connection')}, upper threshold ${upper}`;
  return [{ topic, effect: overloaded === workerCount ? 'blocks' : 'hinders', text, details, remedy: relieve }];
}

/** Schedulers that give all connections to one server. */
const oneForAll: readonly string[] = ['fo', 'ovf'];

function schedulerFinding(service: CountedService, server: CountedServer, rehearsal: Rehearsed): Finding {
  const topic = 'scheduler';
  const key = serverKey(server);
  if (!('first' in rehearsal)) return notRehearsed(topic, rehearsal);
  const { first, client } = rehearsal;
  const { steps = [] } = first;
  const ofServer = steps.filter(step => step.split(/[\s,;]+/).some(word => word === key || word === `${key}:`));
  const decision = steps.filter(step => step.startsWith(`${service.scheduler}: `) && !ofServer.includes(step));
  const details = [...ofServer, ...decision, ...byWorker(rehearsal)];
  const from = `a new connection from ${client}`;
  if (service.scheduler === 'none') {
    const remedy = 'give the service a scheduler';
    return { topic, effect: 'blocks', text: 'the scheduler none chooses no server', details, remedy };
  }
  if (first.server === key) {
    const isLost = first.verdict === 'drop' && first.reason !== 'no-neighbour';
    if (isLost)
      return { topic, effect: 'blocks', text: `${from} is given to it and dropped: ${first.meaning}`, details };
    return { topic, effect: 'none', text: `${service.scheduler} would give it ${from}`, details };
  }
  if (first.verdict === 'consume') return { topic, effect: 'none', text: `${from}: ${first.meaning}`, details };
  if (first.server === undefined) {
    return { topic, effect: 'none', text: `${from} would get no server now: ${first.meaning}`, details };
  }
  const effect = oneForAll.includes(service.scheduler) ? 'blocks' : 'none';
  return { topic, effect, text: `${service.scheduler} would give ${from} to ${first.server}`, details };
}

function byWorker({ worker, workers }: Rehearsal): string[] {
  return workers === 1 ? [] : [`asked of worker ${worker} of ${workers}: each schedules its own connections`];
}

function notRehearsed(topic: string, rehearsal: Exclude<Rehearsed, Rehearsal>): Finding {
  if ('taker' in rehearsal) {
    const remedy = `see sluice explain service '${rehearsal.taker.replace(/^fwmark/, 'mark')}', and the rules of marks`;
    return { topic, effect: 'blocks', text: `its packets go to ${rehearsal.taker}`, details: [], remedy };
  }
  const text = `the director could not be asked: ${rehearsal.failure}`;
  return { topic, effect: 'none', text, details: [], remedy: 'try again' };
}

/** How packets reach the server, as the director's own route table says. */
function neighbourFinding({ state, port, address, mac }: NextHop, server: CountedServer): Finding {
  const topic = 'neighbour';
  const isDirect = address === server.address;
  const where = isDirect
    ? `${server.address} on ${port}`
    : `the router ${address} on ${port}, towards ${server.address}`;
  if (state === 'local') return { topic, effect: 'none', text: 'the real server is this host', details: [] };
  if (state === 'no-route') {
    const remedy = `add a route: see ip route get ${server.address}`;
    return { topic, effect: 'blocks', text: `no route leads to ${server.address}`, details: [], remedy };
  }
  if (server.mode === 'dr' && !isDirect) {
    const text = `${server.address} is behind the router ${address}: mode dr needs the server on a network of the director`;
    const remedy = 'use mode tunnel, nat or fullnat, or give the director an address on the network of the server';
    return { topic, effect: 'blocks', text, details: [], remedy };
  }
  if (state === 'reachable')
    return { topic, effect: 'none', text: `${where} has the link-layer address ${mac}`, details: [] };
  const text = `the link-layer address of ${where} is not known`;
  // The kernel is asked for it when the first packet needs it.
  if (server.counters.connections === 0)
    return { topic, effect: 'none', text: `${text}: no packet has needed it yet`, details: [] };
  const remedy = `see ip neigh show ${address}, and whether ${isDirect ? 'the server' : 'the router'} is on this network`;
  return { topic, effect: 'blocks', text: `${text}: nobody answers for it`, details: [], remedy };
}

function flowsOfServer({ scheduler, onePacket }: CountedService, server: CountedServer): Finding {
  const { active, inactive, persistent, counters, rates, mode } = server;
  const kept = persistent === 0 ? '' : `, ${counted(persistent, 'client')} kept by persistence`;
  const text = `${active} established, ${inactive} in other states${kept}; ${rates.connections} new ones a second`;
  const details = [
    `${counted(counters.connections, 'connection')} since the service was added, mode ${mode}, scheduler ${scheduler}`,
  ];
  if (onePacket) details.push('one packet: every datagram is a connection of its own');
  return { topic: 'flows', effect: 'none', text, details };
}

function flowsOfService({ servers, counters, rates }: CountedService): Finding {
  const sum = (count: (server: CountedServer) => number): number =>
    servers.reduce((total, one) => total + count(one), 0);
  const [active, inactive] = [sum(one => one.active), sum(one => one.inactive)];
  const text = `${active} established, ${inactive} in other states; ${rates.connections} new ones a second`;
  const details = [`${counted(counters.connections, 'connection')} since the service was added`];
  return { topic: 'flows', effect: 'none', text, details };
}

function connectionFinding({ scheduler, servers }: CountedService, rehearsal: Rehearsed): Finding {
  const topic = 'connection';
  if (!('first' in rehearsal)) return notRehearsed(topic, rehearsal);
  const { first, client, port } = rehearsal;
  const { verdict, reason, meaning, server, steps = [] } = first;
  const details = [...steps, ...byWorker(rehearsal)];
  const from = `a new connection from ${client} on ${port}`;
  switch (verdict) {
    case 'forward':
    case 'deliver':
      return { topic, effect: 'none', text: `${scheduler} would give ${from} to ${server}`, details };
    case 'consume':
      return { topic, effect: reason === 'syn-cookie-sent' ? 'none' : 'blocks', text: `${from}: ${meaning}`, details };
    case 'pass':
      return { topic, effect: 'blocks', text: `${from} would be left to the host: ${meaning}`, details };
    case 'drop':
      return {
        topic,
        effect: effectOfDrop(first, servers),
        text: `${from} would be dropped${server === undefined ? '' : ` on its way to ${server}`}: ${meaning}`,
        details,
        ...given({ remedy: server === undefined ? undefined : `see sluice explain server ${server}` }),
      };
  }
}

/** What it means for the service that one connection would be dropped. */
function effectOfDrop({ reason, server }: Rehearsal['first'], servers: readonly CountedServer[]): Finding['effect'] {
  switch (reason) {
    case 'no-real-server':
      // With no server that can be used, the findings about weights and thresholds say why. Otherwise this client gets none.
      return servers.some(({ weight, overloaded }) => weight > 0 && overloaded === 0) ? 'hinders' : 'none';
    case 'no-neighbour':
      // The kernel is asked for the neighbour when the first packet needs it.
      return servers.some(one => serverKey(one) === server && one.counters.connections > 0) ? 'hinders' : 'none';
    case 'no-route':
    // These concern one packet, one client or one server.
    case 'source-limit':
    case 'martian-source':
    case 'drop-packet-defence':
    case 'pool-exhausted':
    case 'hairpin-refused':
    case 'out-of-buffers':
      return 'hinders';
    default:
      return 'blocks';
  }
}

function overloadFinding({ workerCount }: LiveDirector, { servers }: CountedService): readonly Finding[] {
  const usable = servers.filter(({ weight }) => weight > 0);
  const overloaded = usable.filter(one => one.overloaded > 0);
  if (overloaded.length === 0) return [];
  const isAll = usable.every(one => one.overloaded === workerCount);
  const text = `${overloaded.length} of ${counted(usable.length, 'server')} overloaded`;
  const details = overloaded
    .slice(0, mostServers)
    .map(
      one =>
        `${serverKey(one)}: ${counted(one.active + one.inactive, 'connection')}, upper threshold ${one.upperThreshold}`,
    );
  return [{ topic: 'thresholds', effect: isAll ? 'blocks' : 'hinders', text, details, remedy: relieve }];
}

const ownerWords = {
  director: "kept from the host's stack",
  host: "left to the host's stack",
  both: "seen by the host's stack too",
  unknown: 'rules of nftables decide',
} as const;

/** Whether packets of the service reach the director. */
function pathFindings({ identity }: CountedService, rehearsal: Rehearsed): Finding[] {
  if (!('first' in rehearsal)) return [];
  const { owners } = rehearsal;
  const details = [...owners].map(([port, owner]) => `${port}: ${ownerWords[owner]}`);
  const taken = [...owners].filter(([, owner]) => owner !== 'host').map(([port]) => port);
  const topic = 'packets';
  if (taken.length > 0) {
    return [
      { topic, effect: 'none', text: `packets of the service are the director's on ${taken.join(', ')}`, details },
    ];
  }
  const remedy = 'mark' in identity ? 'add a rule to director.marks' : 'report this: see the log for what was refused';
  return [
    {
      topic,
      effect: 'blocks',
      text: "no packet of the service reaches the director: the host's stack gets them",
      details,
      remedy,
    },
  ];
}

/** Whose the virtual address is. */
function addressFindings(director: LiveDirector, { identity }: CountedService): Finding[] {
  if ('mark' in identity) return [];
  const topic = 'address';
  const { address } = identity;
  const conflicts = director
    .state()
    .notices.filter(notice => notice.includes(`virtual address ${address} `))
    .map((text): Finding => ({ topic, effect: 'hinders', text, details: [] }));
  const { state, port, address: next } = director.nextHop(address);
  const text =
    state === 'local'
      ? `the host has the address ${address}: its stack gets all packets but those of services`
      : state === 'no-route'
        ? `no device is on a network with ${address}: its packets come only if a router sends them here`
        : next === address
          ? `the director answers for ${address} on ${port}; the host does not have it`
          : `${address} is on no network of the director: its packets come only if a router sends them here`;
  return [...conflicts, { topic, effect: 'none', text, details: [] }];
}

function persistenceFinding({ persistence, servers }: CountedService): readonly Finding[] {
  if (persistence === null) return [];
  const kept = servers.reduce((sum, { persistent }) => sum + persistent, 0);
  const text = `clients stay at their server for ${persistence.timeout} s after their last connection; ${kept} are kept`;
  return [
    {
      topic: 'persistence',
      effect: 'none',
      text,
      details: [`clients are equal under the mask ${persistence.netmask}`],
    },
  ];
}

function poolFinding({ pools }: DirectorModel, { pool: name }: CountedService): readonly Finding[] {
  const pool = pools.find(one => one.name === name);
  if (pool === undefined) return [];
  const { addresses, firstPort, lastPort } = pool;
  const text = `local addresses of the pool ${pool.name}: ${addresses.join(', ')}, ports ${firstPort} to ${lastPort}`;
  return [{ topic: 'pool', effect: 'none', text, details: [] }];
}

const mostReasons = 8;

function dropsFinding(director: LiveDirector): readonly Finding[] {
  const counts = director.counts();
  const drops = reasons()
    .filter(({ name, verdict }) => verdict === 'drop' && (counts[name] ?? 0) > 0)
    .sort((a, b) => (counts[b.name] ?? 0) - (counts[a.name] ?? 0));
  if (drops.length === 0) return [];
  const details = drops.slice(0, mostReasons).map(({ name, meaning }) => `${counts[name]} ${name}: ${meaning}`);
  return [
    { topic: 'drops', effect: 'none', text: 'packets dropped since the start, of all services together', details },
  ];
}
