// SPDX-License-Identifier: Apache-2.0
// What the native directors report, in the terms of the model: services with their counts, and connections.
import type { NativeConnection, NativeCounters, NativeServer, NativeService } from '../native/director.ts';
import type { ConnectionRow, ServiceView } from './ipvsadm/listing.ts';
import type { RealServer, Service, ServiceIdentity } from './model.ts';

/** A connection as `ipvsadm -Lnc` lists it, with the local address that FULLNAT and egress give it. */
export interface Connection extends ConnectionRow {
  readonly local: { readonly address: string; readonly port: number };
}

export function connectionRow({
  protocol,
  expires,
  state,
  client,
  virtual,
  server,
  local,
}: NativeConnection): Connection {
  return { protocol, expires, state, client, virtual, server, local };
}

export function byEndpoints(a: Connection, b: Connection): number {
  const key = ({ protocol, client, virtual }: Connection) =>
    [protocol, virtual.address, virtual.port, client.address, client.port].join(' ');
  const left = key(a);
  const right = key(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

function nativeName(identity: ServiceIdentity): string {
  if ('mark' in identity) return `${identity.family} fwmark ${identity.mark}`;
  const isIpv6 = identity.address.includes(':');
  const host = isIpv6 ? `[${identity.address}]` : identity.address;
  return `${isIpv6 ? 6 : 4} ${identity.protocol} ${host}:${identity.port}`;
}

const noCounters = { connections: 0, packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };

/** Adds what one director counts of its services to what others count of theirs. Keys are those of serviceViews(). */
export function addServices(total: Map<string, NativeService>, services: readonly NativeService[]): void {
  for (const service of services) {
    const key = `${service.family} ${service.name}`;
    const before = total.get(key);
    total.set(key, before === undefined ? service : addService(before, service));
  }
}

// Every director has the same servers in the same order.
function addService(a: NativeService, b: NativeService): NativeService {
  const servers = a.servers.map((server, index): NativeServer => {
    const other = b.servers[index];
    if (other === undefined) return server;
    return {
      ...server,
      active: server.active + other.active,
      inactive: server.inactive + other.inactive,
      persistent: server.persistent + other.persistent,
      counters: addCounters(server.counters, other.counters),
    };
  });
  return { ...a, counters: addCounters(a.counters, b.counters), servers };
}

function addCounters(a: NativeCounters, b: NativeCounters): NativeCounters {
  return {
    connections: a.connections + b.connections,
    packetsIn: a.packetsIn + b.packetsIn,
    packetsOut: a.packetsOut + b.packetsOut,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
  };
}

/** The services of a model with what directors have counted of them. */
export function serviceViews(services: readonly Service[], counted: ReadonlyMap<string, NativeService>): ServiceView[] {
  return services.map(service => serviceView(service, counted.get(nativeName(service.identity))));
}

function serviceView(service: Service, native: NativeService | undefined): ServiceView {
  const counted = (server: RealServer) => {
    const found = native?.servers.find(one => one.address === server.address && one.port === server.port);
    const { active = 0, inactive = 0, persistent = 0, counters = noCounters } = found ?? {};
    return { ...server, active, inactive, persistent, counters, rates: noCounters };
  };
  return {
    ...service,
    counters: native?.counters ?? noCounters,
    rates: noCounters,
    servers: service.servers.map(counted),
  };
}
