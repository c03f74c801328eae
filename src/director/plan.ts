// SPDX-License-Identifier: Apache-2.0
// A model, or the changes that lead to one, as steps that the native director carries out one after the other. Steps are
// plain data: numbers where C++ has enumerations, addresses as canonical text, no nulls. Ports are not in it: the engine
// opens devices, the director only knows their numbers.
import type { Family } from '../core/address.ts';
import { UsageError } from '../core/errors.ts';
import { compareDirectorModels, type DirectorChange } from './changes.ts';
import {
  type DirectorModel,
  type Egress,
  emptyDirectorModel,
  type FirewallMark,
  familyOf,
  hostMask,
  type Limits,
  type Pool,
  type RealServer,
  type Service,
  type ServiceIdentity,
  type Switches,
  serviceFamily,
  type Timeouts,
  takesPackets,
} from './model.ts';
import { bitsFromFlags } from './schedulers.ts';

/** Which service: a mark (not 0), or protocol, address and port. */
export interface PlanIdentity {
  readonly family: Family;
  /** As in IP: 6, 17, 132; 0 for a mark. */
  readonly protocol: number;
  /** Empty for a mark. */
  readonly address: string;
  readonly port: number;
  readonly mark: number;
}

export interface PlanService extends PlanIdentity {
  readonly scheduler: string;
  /** SchedulerFlag bits. */
  readonly flags: number;
  /** 0: not persistent. */
  readonly persistenceSeconds: number;
  /** As an address of the service's family. */
  readonly persistenceNetmask: string;
  readonly onePacket: boolean;
  /** Empty: none. */
  readonly pool: string;
  readonly toa: boolean;
  readonly proxyProtocol: boolean;
  /** 0 off, 1 on, 2 while half-open flows exceed their limit. */
  readonly synProxy: number;
  /** New flows a second of one source; 0: no limit. */
  readonly sourceRate: number;
  readonly sourceBurst: number;
  readonly sourcePrefix: number;
}

export interface PlanServer {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
  /** As `director::Forwarding`: 0 nat, 1 fullnat, 2 dr, 3 tunnel. */
  readonly forwarding: number;
  /** As `director::Encapsulation`: 0 ipip, 1 gue, 2 gre. */
  readonly encapsulation: number;
  readonly tunnelPort: number;
  readonly tunnelChecksum: boolean;
  readonly tunnelRemoteChecksum: boolean;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
}

export interface PlanNetwork {
  readonly family: Family;
  readonly address: string;
  readonly prefix: number;
}

export interface PlanPool {
  readonly name: string;
  readonly networks: readonly PlanNetwork[];
  readonly firstPort: number;
  readonly lastPort: number;
}

export interface PlanEgress {
  readonly name: string;
  readonly sources: readonly PlanNetwork[];
  readonly pool: string;
}

/** What is not there is not asked for. */
export interface PlanMark {
  readonly mark: number;
  /** Its number. */
  readonly port?: number;
  readonly source?: PlanNetwork;
  readonly destination?: PlanNetwork;
  readonly protocol?: number;
  readonly firstPort?: number;
  readonly lastPort?: number;
}

/** The sysctls of IPVS as numbers; switches are 0 or 1. */
export type PlanSwitches = { readonly [Name in keyof Switches]: number };

export type PlanStep =
  | { readonly op: 'setTimeouts'; readonly timeouts: Timeouts }
  | { readonly op: 'setSwitches'; readonly switches: PlanSwitches }
  | { readonly op: 'setLimits'; readonly limits: Limits }
  | { readonly op: 'addPool' | 'editPool'; readonly pool: PlanPool }
  | { readonly op: 'removePool'; readonly name: string }
  | { readonly op: 'addEgress' | 'editEgress'; readonly egress: PlanEgress }
  | { readonly op: 'removeEgress'; readonly name: string }
  | { readonly op: 'setMarks'; readonly marks: readonly PlanMark[] }
  | { readonly op: 'addService' | 'editService'; readonly service: PlanService }
  | { readonly op: 'removeService'; readonly service: PlanIdentity }
  /** The new server becomes the head of the service's list, as in the kernel. */
  | { readonly op: 'addServer' | 'editServer'; readonly service: PlanIdentity; readonly server: PlanServer }
  | { readonly op: 'removeServer'; readonly service: PlanIdentity; readonly server: PlanServer }
  /** Counters are no part of a model: no comparison leads to this step. */
  | { readonly op: 'zeroCounters'; readonly service: PlanIdentity }
  /** All servers of the service, from the head of its list. */
  | { readonly op: 'orderServers'; readonly service: PlanIdentity; readonly servers: readonly PlanServer[] };

/** The steps from a director that has just been made, which has the defaults of timeouts, switches and limits. */
export function planModel(model: DirectorModel): PlanStep[] {
  const ports = model.ports.map(port => port.name);
  return planChanges(compareDirectorModels(emptyDirectorModel, model), ports);
}

/** `ports` are the names of the director's, by their numbers. */
export function planChanges(changes: readonly DirectorChange[], ports: readonly string[]): PlanStep[] {
  return changes.flatMap(change => planChange(change, ports));
}

function planChange(change: DirectorChange, ports: readonly string[]): PlanStep[] {
  // The director does not have these services: their packets stay with the host, as with IPVS.
  if ('service' in change && !takesPackets(change.service.identity)) return [];
  switch (change.kind) {
    case 'port-added':
    case 'port-removed':
    case 'port-edited':
    case 'workers-changed':
    case 'stealing-changed':
      return [];
    case 'pool-added':
      return [{ op: 'addPool', pool: planPool(change.pool) }];
    case 'pool-edited':
      return [{ op: 'editPool', pool: planPool(change.pool) }];
    case 'pool-removed':
      return [{ op: 'removePool', name: change.pool.name }];
    case 'egress-added':
      return [{ op: 'addEgress', egress: planEgress(change.egress) }];
    case 'egress-edited':
      return [{ op: 'editEgress', egress: planEgress(change.egress) }];
    case 'egress-removed':
      return [{ op: 'removeEgress', name: change.egress.name }];
    case 'marks-changed':
      return [{ op: 'setMarks', marks: change.marks.map(rule => planMark(rule, ports)) }];
    case 'timeouts-changed':
      return [{ op: 'setTimeouts', timeouts: change.timeouts }];
    case 'switches-changed':
      return [{ op: 'setSwitches', switches: planSwitches(change.switches) }];
    case 'limits-changed':
      return [{ op: 'setLimits', limits: change.limits }];
    case 'service-added': {
      const service = planIdentity(change.service.identity);
      const add: PlanStep = { op: 'addService', service: planService(change.service) };
      return [
        add,
        ...change.service.servers.map(server => ({ op: 'addServer', service, server: planServer(server) }) as const),
      ];
    }
    case 'service-edited':
      return [{ op: 'editService', service: planService(change.service) }];
    case 'service-removed':
      return [{ op: 'removeService', service: planIdentity(change.service.identity) }];
    case 'server-added':
    case 'server-edited':
    case 'server-removed': {
      const op = (
        { 'server-added': 'addServer', 'server-edited': 'editServer', 'server-removed': 'removeServer' } as const
      )[change.kind];
      return [{ op, service: planIdentity(change.service.identity), server: planServer(change.server) }];
    }
    case 'servers-reordered': {
      const { identity, servers } = change.service;
      return [{ op: 'orderServers', service: planIdentity(identity), servers: servers.map(planServer).reverse() }];
    }
  }
}

/** Begins the counts of the services anew. */
export function planZero(identities: readonly ServiceIdentity[]): PlanStep[] {
  return identities
    .filter(takesPackets)
    .map(identity => ({ op: 'zeroCounters', service: planIdentity(identity) }) as const);
}

const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

export function planIdentity(identity: ServiceIdentity): PlanIdentity {
  const family = serviceFamily(identity);
  if ('mark' in identity) return { family, protocol: 0, address: '', port: 0, mark: identity.mark };
  const { protocol, address, port } = identity;
  return { family, protocol: protocolNumbers[protocol], address, port, mark: 0 };
}

const synProxyNumbers = { off: 0, on: 1, auto: 2 } as const;

function planService(service: Service): PlanService {
  const identity = planIdentity(service.identity);
  return {
    ...identity,
    scheduler: service.scheduler,
    flags: bitsFromFlags(service.flags),
    persistenceSeconds: service.persistence?.timeout ?? 0,
    persistenceNetmask: service.persistence?.netmask ?? hostMask(identity.family),
    onePacket: service.onePacket,
    pool: service.pool ?? '',
    toa: service.clientAddress === 'toa',
    proxyProtocol: service.proxyProtocol === 'v2',
    synProxy: synProxyNumbers[service.synProxy],
    sourceRate: service.sourceLimit?.rate ?? 0,
    sourceBurst: service.sourceLimit?.burst ?? 0,
    sourcePrefix: service.sourceLimit?.prefix ?? 0,
  };
}

const forwardingNumbers = { nat: 0, fullnat: 1, dr: 2, tunnel: 3 } as const;
const encapsulationNumbers = { ipip: 0, gue: 1, gre: 2 } as const;

function planServer(server: RealServer): PlanServer {
  const { tunnel } = server;
  return {
    family: familyOf(server.address),
    address: server.address,
    port: server.port,
    forwarding: forwardingNumbers[server.mode],
    encapsulation: encapsulationNumbers[tunnel?.type ?? 'ipip'],
    tunnelPort: tunnel?.port ?? 0,
    tunnelChecksum: tunnel?.checksum === 'full',
    tunnelRemoteChecksum: tunnel?.checksum === 'remote',
    weight: server.weight,
    upperThreshold: server.upperThreshold,
    lowerThreshold: server.lowerThreshold,
  };
}

function planPool({ name, addresses, firstPort, lastPort }: Pool): PlanPool {
  return { name, networks: addresses.map(planNetwork), firstPort, lastPort };
}

function planEgress({ name, sources, pool }: Egress): PlanEgress {
  return { name, sources: sources.map(planNetwork), pool };
}

function planMark(
  { mark, port, source, destination, protocol, ports }: FirewallMark,
  names: readonly string[],
): PlanMark {
  if (port !== null && !names.includes(port)) {
    const remedy = `use one of ${names.join(', ')}`;
    throw new UsageError('a rule of marks names a port that is not there', { value: port, remedy });
  }
  return {
    mark,
    ...(port !== null && { port: names.indexOf(port) }),
    ...(source !== null && { source: planNetwork(source) }),
    ...(destination !== null && { destination: planNetwork(destination) }),
    ...(protocol !== null && { protocol: protocolNumbers[protocol] }),
    ...(ports !== null && { firstPort: ports[0], lastPort: ports[1] }),
  };
}

// The model's networks are canonical: an address, a slash and a prefix.
function planNetwork(network: string): PlanNetwork {
  const [address = '', prefix = '0'] = network.split('/');
  return { family: familyOf(address), address, prefix: Number(prefix) };
}

function planSwitches(switches: Switches): PlanSwitches {
  return Object.fromEntries(Object.entries(switches).map(([name, value]) => [name, Number(value)])) as PlanSwitches;
}
