// SPDX-License-Identifier: Apache-2.0
// The table of services that ipvsadm's commands change one after the other. It answers as the kernel does. A table is
// made from a model and turned into a model at the end. Services that no command has changed are the same objects in
// both. The table holds only what commands have changed; all else is looked up in the sorted list of the model.

import { type Address, isServerAddress, parseAddress } from '../../core/address.ts';
import { byText, deepFreeze } from '../../core/config/canonical.ts';
import { given } from '../../core/given.ts';
import {
  type DirectorModel,
  familyOf,
  type RealServer,
  type Service,
  type ServiceIdentity,
  serverKey,
  serviceFamily,
  serviceKey,
} from '../model.ts';
import type { Command, ServiceSettings } from './grammar.ts';

/** The reason why a command was not carried out. The problem has the words of ipvsadm. */
export interface Refusal {
  readonly problem: string;
  readonly remedy: string;
  /** The service or the server of the command. */
  readonly subject: string;
  /** The words of ipvsadm, where the problem has better ones. */
  readonly inIpvsadm?: string;
}

// A service that commands have changed: its settings, and its servers in the order in which they were added.
interface OpenService {
  settings: Omit<Service, 'servers'>;
  readonly servers: Map<string, RealServer>;
}

export class ServiceTable {
  readonly #base: DirectorModel;
  /** Sorted by key. */
  #unchanged: readonly Service[];
  /** By key, in place of those that are unchanged; undefined for one that was removed. */
  readonly #changed = new Map<string, Service | OpenService | undefined>();
  readonly #isBroadcast: (address: Address) => boolean;
  #timeouts: DirectorModel['timeouts'];

  /** `isBroadcast`: whether an interface of this host has the address as its broadcast address. */
  constructor(base: DirectorModel, isBroadcast: (address: Address) => boolean = isLoopbackBroadcast) {
    this.#base = base;
    this.#isBroadcast = isBroadcast;
    this.#unchanged = base.services;
    this.#timeouts = base.timeouts;
  }

  has(identity: ServiceIdentity): boolean {
    return this.#find(serviceKey(identity)) !== undefined;
  }

  /** Whether a server has another family than its service, which connection synchronisation does not go with. */
  get hasMixedFamilies(): boolean {
    return this.model().services.some(({ identity, servers }) =>
      servers.some(({ address }) => familyOf(address) !== serviceFamily(identity)),
    );
  }

  /** Carries the command out. When the command is refused, returns the reason and changes nothing. */
  apply(command: Command): Refusal | undefined {
    switch (command.kind) {
      case 'add-service':
        return this.#addService(command.identity, command.settings);
      case 'edit-service':
        return this.#editService(command.identity, command.settings);
      case 'delete-service':
        return this.#deleteService(command.identity);
      case 'flush':
        this.#unchanged = [];
        this.#changed.clear();
        return undefined;
      case 'add-server':
        return this.#addServer(command.identity, command.server);
      case 'edit-server':
        return this.#editServer(command.identity, command.server);
      case 'delete-server':
        return this.#deleteServer(command.identity, serverKey(command.server));
      case 'set':
        return this.#setTimeouts(command.tcp, command.tcpFin, command.udp);
      case 'zero': {
        const { identity } = command;
        // Counters are not a part of the model.
        return identity === undefined || this.has(identity) ? undefined : noSuchService(identity);
      }
      case 'start-daemon':
      case 'stop-daemon':
        return refuse('the synchronisation daemon is not supported here', 'remove the line', `--${command.kind}`);
      case 'list':
      case 'save':
      case 'restore':
      case 'help':
      case 'version':
        return refuse('the command changes nothing', 'remove the line', `--${command.kind}`);
    }
  }

  /** The model that the commands have made, frozen. */
  model(): DirectorModel {
    const services = this.#services();
    // Those of a list that is frozen are frozen, and those that were changed are frozen by #services().
    if (Object.isFrozen(this.#base.services)) Object.freeze(services);
    return deepFreeze({ ...this.#base, services, timeouts: this.#timeouts });
  }

  #services(): readonly Service[] {
    if (this.#changed.size === 0) return this.#unchanged;
    const services: Service[] = [];
    let next = 0;
    const takeUntil = (end: number): void => {
      for (; next < end; next++) services.push(this.#unchanged[next] as Service);
    };
    for (const key of [...this.#changed.keys()].sort(byText)) {
      const at = this.#position(key);
      takeUntil(at);
      if (this.#keyAt(at) === key) next++;
      const service = this.#changed.get(key);
      if (service !== undefined) services.push(deepFreeze(isOpen(service) ? closed(service) : service));
    }
    takeUntil(this.#unchanged.length);
    return services;
  }

  #find(key: string): Service | OpenService | undefined {
    const changed = this.#changed.get(key);
    if (changed !== undefined || this.#changed.has(key)) return changed;
    const at = this.#position(key);
    return this.#keyAt(at) === key ? this.#unchanged[at] : undefined;
  }

  #keyAt(at: number): string | undefined {
    const service = this.#unchanged[at];
    return service === undefined ? undefined : serviceKey(service.identity);
  }

  /** Of the first unchanged service whose key does not come before this one. */
  #position(key: string): number {
    let [low, high] = [0, this.#unchanged.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (byText(this.#keyAt(middle) ?? '', key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #deleteService(identity: ServiceIdentity): Refusal | undefined {
    if (!this.has(identity)) return noSuchService(identity);
    this.#changed.set(serviceKey(identity), undefined);
    return undefined;
  }

  #addService(identity: ServiceIdentity, settings: ServiceSettings): Refusal | undefined {
    const key = serviceKey(identity);
    if (this.#find(key) !== undefined) return refuse('Service already exists', 'use -E to edit it', key);
    const more = {
      pool: null,
      clientAddress: 'none',
      proxyProtocol: 'none',
      synProxy: 'off',
      sourceLimit: null,
    } as const;
    this.#changed.set(key, { settings: { identity, ...written(settings), ...more }, servers: new Map() });
    return undefined;
  }

  // The settings of a service that ipvsadm cannot express stay as they were.
  #editService(identity: ServiceIdentity, settings: ServiceSettings): Refusal | undefined {
    const service = this.#open(identity);
    if (service === undefined) return noSuchService(identity);
    const { persistenceEngine: _, ...others } = service.settings;
    service.settings = { ...others, ...written(settings) };
    return undefined;
  }

  #addServer(identity: ServiceIdentity, server: RealServer): Refusal | undefined {
    const service = this.#open(identity);
    if (service === undefined) return notDefined(identity);
    const key = serverKey(server);
    const refusal = checkThresholds(server);
    if (refusal !== undefined) return refusal;
    if (service.servers.has(key)) return refuse('Destination already exists', 'use -e to edit it', key);
    const address = parseAddress(server.address);
    if (address === undefined || !isServerAddress(address) || this.#isBroadcast(address)) {
      const remedy = 'use the address of one host: not multicast, broadcast, zero or link-local';
      return { ...refuse('Invalid operation: address not unicast', remedy, key), inIpvsadm: invalidOperation };
    }
    service.servers.set(key, server);
    return undefined;
  }

  // An edited server keeps its place in the order.
  #editServer(identity: ServiceIdentity, server: RealServer): Refusal | undefined {
    const service = this.#open(identity);
    if (service === undefined) return notDefined(identity);
    const key = serverKey(server);
    const refusal = checkThresholds(server);
    if (refusal !== undefined) return refusal;
    const before = service.servers.get(key);
    if (before === undefined) return noSuchDestination(key);
    // ipvsadm knows neither of them.
    const { maintenance, health } = before;
    service.servers.set(key, { ...server, ...given({ maintenance, health }) });
    return undefined;
  }

  #deleteServer(identity: ServiceIdentity, key: string): Refusal | undefined {
    const service = this.#open(identity);
    if (service === undefined) return notDefined(identity);
    return service.servers.delete(key) ? undefined : noSuchDestination(key);
  }

  #setTimeouts(tcp: number, tcpFin: number, udp: number): undefined {
    const { tcp: old, udp: oldUdp } = this.#timeouts;
    this.#timeouts = {
      ...this.#timeouts,
      tcp: { ...old, established: tcp || old.established, fin_wait: tcpFin || old.fin_wait },
      udp: { normal: udp || oldUdp.normal },
    };
  }

  #open(identity: ServiceIdentity): OpenService | undefined {
    const key = serviceKey(identity);
    const service = this.#find(key);
    if (service === undefined || isOpen(service)) return service;
    const { servers, ...settings } = service;
    const open: OpenService = { settings, servers: new Map(servers.map(server => [serverKey(server), server])) };
    this.#changed.set(key, open);
    return open;
  }
}

/** The settings as a model has them. */
function written({ persistenceEngine, ...settings }: ServiceSettings) {
  return { ...settings, ...(persistenceEngine !== null && { persistenceEngine }) };
}

export const invalidOperation = 'Invalid operation.  Possibly wrong module version, address not unicast, ...';

/** Of the loopback interface, which every host has. */
function isLoopbackBroadcast({ text }: Address): boolean {
  return text === '127.255.255.255';
}

function isOpen(service: Service | OpenService): service is OpenService {
  return 'settings' in service;
}

function closed({ settings, servers }: OpenService): Service {
  return { ...settings, servers: [...servers.values()] };
}

function refuse(problem: string, remedy: string, subject: string): Refusal {
  return { problem, remedy, subject };
}

function noSuchService(identity: ServiceIdentity): Refusal {
  return refuse('No such service', 'add it with -A first', serviceKey(identity));
}

function notDefined(identity: ServiceIdentity): Refusal {
  return refuse('Service not defined', 'add it with -A first', serviceKey(identity));
}

function noSuchDestination(key: string): Refusal {
  return refuse('No such destination', 'write address and port as they were added', key);
}

function checkThresholds(server: RealServer): Refusal | undefined {
  if (server.lowerThreshold <= server.upperThreshold) return undefined;
  const remedy = `use at most ${server.upperThreshold} as -y, or a higher -x`;
  return {
    ...refuse('Numerical result out of range: the lower threshold is above the upper', remedy, serverKey(server)),
    inIpvsadm: 'Numerical result out of range',
  };
}
