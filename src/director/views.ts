// SPDX-License-Identifier: Apache-2.0
// Makes what people see out of what native directors report: services with their counts, and connections.

import { formatEndpoint } from '../core/endpoint.ts';
import type { NativeConnection, NativeCounters, NativeService } from '../native/director.ts';
import { noCounts, type RowCounts } from '../native/service-rows.ts';
import type { ConnectionRow, ServerView, ServiceView } from './ipvsadm/listing.ts';
import { type Service, type ServiceIdentity, serviceFamily } from './model.ts';

/** A connection as `ipvsadm -Lnc` lists it, and the local address that FULLNAT or egress has given to it. */
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

/** The name of a service's row. */
export function rowName(identity: ServiceIdentity): string {
  const family = serviceFamily(identity);
  if ('mark' in identity) return `${family} fwmark ${identity.mark}`;
  return `${family} ${identity.protocol} ${formatEndpoint(identity.address, identity.port)}`;
}

function countersOf(counts: RowCounts) {
  return {
    connections: counts.connections,
    packetsIn: counts.packets_in,
    packetsOut: counts.packets_out,
    bytesIn: counts.bytes_in,
    bytesOut: counts.bytes_out,
  };
}

function ratesOf(counts: RowCounts) {
  return {
    connections: counts.connection_rate,
    packetsIn: counts.packet_in_rate,
    packetsOut: counts.packet_out_rate,
    bytesIn: counts.byte_in_rate,
    bytesOut: counts.byte_out_rate,
  };
}

/** The counts of the services of one director, in the form in which workers publish them. */
export function rowsOf(services: readonly NativeService[]): Map<string, RowCounts> {
  const rows = new Map<string, RowCounts>();
  const row = ({ connections, packetsIn, packetsOut, bytesIn, bytesOut }: NativeCounters) => {
    const counts = { packets_in: packetsIn, packets_out: packetsOut, bytes_in: bytesIn, bytes_out: bytesOut };
    return { ...noCounts, connections, ...counts };
  };
  for (const { family, name, counters, servers } of services) {
    const key = `${family} ${name}`;
    rows.set(key, row(counters));
    for (const { address, port, active, inactive, persistent, overloaded, counters: served } of servers) {
      const counts = { active, inactive, persistent, overloaded: Number(overloaded) };
      rows.set(`${key} > ${formatEndpoint(address, port)}`, { ...row(served), ...counts });
    }
  }
  return rows;
}

export interface CountedServer extends ServerView<number> {
  /** Workers at which it is at its upper threshold. */
  readonly overloaded: number;
}

/** A service as it is configured, with what was counted of it and of its servers. */
export interface CountedService extends Omit<Service, 'servers'>, Pick<ServiceView<number>, 'counters' | 'rates'> {
  readonly servers: readonly CountedServer[];
}

/** The services of a model with what directors have counted of them, by the names that rows have. */
export function serviceViews(services: readonly Service[], counted: ReadonlyMap<string, RowCounts>): CountedService[] {
  return services.map(service => serviceView(service, rowName(service.identity), counted));
}

function serviceView(service: Service, name: string, counted: ReadonlyMap<string, RowCounts>): CountedService {
  const servers = service.servers.map(server => {
    const counts = counted.get(`${name} > ${formatEndpoint(server.address, server.port)}`) ?? noCounts;
    const { active, inactive, persistent, overloaded } = counts;
    return {
      ...server,
      active,
      inactive,
      persistent,
      overloaded,
      counters: countersOf(counts),
      rates: ratesOf(counts),
    };
  });
  const counts = counted.get(name) ?? noCounts;
  return { ...service, counters: countersOf(counts), rates: ratesOf(counts), servers };
}
