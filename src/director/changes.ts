// SPDX-License-Identifier: Apache-2.0
// Compares two models of the director: the result is the list of changes that lead from one to the other. Services are
// compared by their digests first, so that only the services that differ are compared in detail.
import { canonicalJson, digestOf } from '../core/config/canonical.ts';
import { sharedEnds } from '../core/config/shared-ends.ts';
import { describeMark } from './firewall-marks.ts';
import {
  type DirectorModel,
  type Egress,
  type FirewallMark,
  type Limits,
  type Pool,
  type Port,
  type RealServer,
  type Service,
  type StealWay,
  type Switches,
  serverKey,
  serviceIndex,
  serviceKey,
  type Timeouts,
  type Workers,
} from './model.ts';

/** The fields that differ, each with its value before and after. */
export type Fields = Readonly<Record<string, { readonly before: unknown; readonly after: unknown }>>;

export type DirectorChange =
  | { readonly kind: 'port-added' | 'port-removed'; readonly port: Port }
  | { readonly kind: 'port-edited'; readonly port: Port; readonly fields: Fields }
  | { readonly kind: 'workers-changed'; readonly workers: Workers; readonly before: Workers }
  | {
      readonly kind: 'stealing-changed';
      readonly stealing: StealWay | undefined;
      readonly before: StealWay | undefined;
    }
  | { readonly kind: 'pool-added' | 'pool-removed'; readonly pool: Pool }
  | { readonly kind: 'pool-edited'; readonly pool: Pool; readonly fields: Fields }
  | { readonly kind: 'egress-added' | 'egress-removed'; readonly egress: Egress }
  | { readonly kind: 'egress-edited'; readonly egress: Egress; readonly fields: Fields }
  /** `marks` are the rules after the change. */
  | {
      readonly kind: 'marks-changed';
      readonly marks: readonly FirewallMark[];
      readonly before: readonly FirewallMark[];
    }
  | { readonly kind: 'timeouts-changed'; readonly timeouts: Timeouts; readonly fields: Fields }
  | { readonly kind: 'switches-changed'; readonly switches: Switches; readonly fields: Fields }
  | { readonly kind: 'limits-changed'; readonly limits: Limits; readonly fields: Fields }
  | { readonly kind: 'service-added' | 'service-removed'; readonly key: string; readonly service: Service }
  /** `service` is the service after the change. Its real servers have changes of their own. */
  | { readonly kind: 'service-edited'; readonly key: string; readonly service: Service; readonly fields: Fields }
  | {
      readonly kind: 'server-added' | 'server-removed';
      readonly service: Service;
      readonly key: string;
      readonly server: RealServer;
    }
  | {
      readonly kind: 'server-edited';
      readonly service: Service;
      readonly key: string;
      readonly server: RealServer;
      readonly fields: Fields;
    }
  /**
   * The service has its real servers by now, but in the order in which they were added, not in that of the new model.
   */
  | { readonly kind: 'servers-reordered'; readonly service: Service; readonly key: string };

/**
 * The changes in an order in which they can be applied one by one. A pool, for example, is added before the services
 * that refer to it, and removed after them. A server that is added becomes the last one of its service, as with
 * `ipvsadm -a`. When the new model has another order, 'servers-reordered' follows.
 */
export function compareDirectorModels(before: DirectorModel, after: DirectorModel): DirectorChange[] {
  const ports = compareNamed(before.ports, after.ports);
  const pools = compareNamed(before.pools, after.pools);
  const egress = compareNamed(before.egress, after.egress);
  const changes: DirectorChange[] = [
    ...ports.added.map(port => ({ kind: 'port-added', port }) as const),
    ...ports.edited.map(([port, fields]) => ({ kind: 'port-edited', port, fields }) as const),
    ...pools.added.map(pool => ({ kind: 'pool-added', pool }) as const),
    ...pools.edited.map(([pool, fields]) => ({ kind: 'pool-edited', pool, fields }) as const),
    ...compareGlobals(before, after),
    ...egress.removed.map(rule => ({ kind: 'egress-removed', egress: rule }) as const),
    ...egress.edited.map(([rule, fields]) => ({ kind: 'egress-edited', egress: rule, fields }) as const),
    ...egress.added.map(rule => ({ kind: 'egress-added', egress: rule }) as const),
  ];
  compareServices(before.services, after.services, changes);
  for (const pool of pools.removed) changes.push({ kind: 'pool-removed', pool });
  for (const port of ports.removed) changes.push({ kind: 'port-removed', port });
  return changes;
}

function compareGlobals(before: DirectorModel, after: DirectorModel): DirectorChange[] {
  const changes: DirectorChange[] = [];
  const { workers, stealing, marks } = after;
  if (before.workers !== workers) changes.push({ kind: 'workers-changed', workers, before: before.workers });
  if (before.stealing !== stealing) changes.push({ kind: 'stealing-changed', stealing, before: before.stealing });
  if (canonicalJson(before.marks) !== canonicalJson(marks)) {
    changes.push({ kind: 'marks-changed', marks, before: before.marks });
  }
  const timeouts = differences(flatten(before.timeouts), flatten(after.timeouts));
  if (timeouts !== undefined) changes.push({ kind: 'timeouts-changed', timeouts: after.timeouts, fields: timeouts });
  const switches = differences(before.switches, after.switches);
  if (switches !== undefined) changes.push({ kind: 'switches-changed', switches: after.switches, fields: switches });
  const limits = differences(before.limits, after.limits);
  if (limits !== undefined) changes.push({ kind: 'limits-changed', limits: after.limits, fields: limits });
  return changes;
}

// { tcp: { established: 900 } } → { 'tcp.established': 900 }
function flatten(timeouts: Timeouts): Record<string, number> {
  return Object.fromEntries(
    Object.entries(timeouts).flatMap(([protocol, states]) =>
      Object.entries<number>(states).map(([state, seconds]) => [`${protocol}.${state}`, seconds]),
    ),
  );
}

function compareServices(before: readonly Service[], after: readonly Service[], changes: DirectorChange[]): void {
  // Lists of which one was made from the other share all services but a few.
  const { first, behind } = sharedEnds(before, after);
  const old = serviceIndex(before.slice(first, before.length - behind));
  const fresh = serviceIndex(after.slice(first, after.length - behind));
  for (const [key, service] of old) {
    if (!fresh.has(key)) changes.push({ kind: 'service-removed', key, service });
  }
  for (const [key, service] of fresh) {
    const previous = old.get(key);
    if (previous === undefined) changes.push({ kind: 'service-added', key, service });
    else if (previous !== service && digestOf(previous) !== digestOf(service)) {
      compareService(key, previous, service, changes);
    }
  }
}

function compareService(key: string, before: Service, after: Service, changes: DirectorChange[]): void {
  const { servers: oldServers, ...oldRest } = before;
  const { servers: newServers, ...newRest } = after;
  const fields = differences(oldRest, newRest);
  if (fields !== undefined) changes.push({ kind: 'service-edited', key, service: after, fields });

  const old = new Map(oldServers.map(server => [serverKey(server), server]));
  const fresh = new Map(newServers.map(server => [serverKey(server), server]));
  const order = [...old.keys()].filter(name => fresh.has(name));
  for (const [name, server] of old) {
    if (!fresh.has(name)) changes.push({ kind: 'server-removed', service: after, key: name, server });
  }
  for (const [name, server] of fresh) {
    const previous = old.get(name);
    if (previous === undefined) {
      changes.push({ kind: 'server-added', service: after, key: name, server });
      order.push(name);
      continue;
    }
    const edits = differences(previous, server);
    if (edits !== undefined) changes.push({ kind: 'server-edited', service: after, key: name, server, fields: edits });
  }
  const wanted = [...fresh.keys()];
  if (wanted.some((name, index) => name !== order[index]))
    changes.push({ kind: 'servers-reordered', service: after, key });
}

interface NamedComparison<T> {
  readonly added: T[];
  readonly removed: T[];
  readonly edited: [T, Fields][];
}

function compareNamed<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
): NamedComparison<T> {
  const old = new Map(before.map(part => [part.name, part]));
  const names = new Set(after.map(part => part.name));
  const result: NamedComparison<T> = { added: [], removed: before.filter(part => !names.has(part.name)), edited: [] };
  for (const part of after) {
    const previous = old.get(part.name);
    if (previous === undefined) {
      result.added.push(part);
      continue;
    }
    const fields = differences(previous, part);
    if (fields !== undefined) result.edited.push([part, fields]);
  }
  return result;
}

// The fields that differ; undefined when all are equal. A field may be in one of the two only.
function differences(before: object, after: object): Fields | undefined {
  const fields: Record<string, { before: unknown; after: unknown }> = {};
  const old = new Map<string, unknown>(Object.entries(before));
  const fresh = new Map<string, unknown>(Object.entries(after));
  for (const name of new Set([...old.keys(), ...fresh.keys()])) {
    const [previous, value] = [old.get(name), fresh.get(name)];
    if (!isSame(previous, value)) fields[name] = { before: previous, after: value };
  }
  return Object.keys(fields).length === 0 ? undefined : fields;
}

function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  return one !== undefined && other !== undefined && canonicalJson(one) === canonicalJson(other);
}

function describePort({ device, type, vlan }: Port): string {
  return `${device} ${type}${vlan === undefined ? '' : ` vlan ${vlan}`}`;
}

/** A change in a line: `+ tcp 10.0.1.100:80 server 10.0.2.11:8080 nat weight 1`. */
export function describeDirectorChange(change: DirectorChange): string {
  switch (change.kind) {
    case 'port-added':
    case 'port-removed':
      return `${sign(change.kind)} port ${change.port.name} ${describePort(change.port)}`;
    case 'pool-added':
    case 'pool-removed': {
      const { name, addresses, firstPort, lastPort } = change.pool;
      return `${sign(change.kind)} pool ${name} ${addresses.join(' ')} ports ${firstPort}-${lastPort}`;
    }
    case 'egress-added':
    case 'egress-removed':
      return `${sign(change.kind)} egress ${change.egress.name} ${change.egress.sources.join(' ')} pool ${change.egress.pool}`;
    case 'port-edited':
      return `~ port ${change.port.name} ${formatFields(change.fields)}`;
    case 'pool-edited':
      return `~ pool ${change.pool.name} ${formatFields(change.fields)}`;
    case 'egress-edited':
      return `~ egress ${change.egress.name} ${formatFields(change.fields)}`;
    case 'workers-changed':
      return `~ workers: ${change.before} → ${change.workers}`;
    case 'stealing-changed':
      return `~ stealing: ${change.before ?? 'auto'} → ${change.stealing ?? 'auto'}`;
    case 'marks-changed':
      return `~ marks ${listMarks(change.before)} → ${listMarks(change.marks)}`;
    case 'timeouts-changed':
      return `~ timeouts ${formatFields(change.fields)}`;
    case 'switches-changed':
      return `~ switches ${formatFields(change.fields)}`;
    case 'limits-changed':
      return `~ limits ${formatFields(change.fields)}`;
    case 'service-added':
    case 'service-removed':
      return `${sign(change.kind)} ${change.key} ${change.service.scheduler} with ${count(change.service.servers.length)}`;
    case 'service-edited':
      return `~ ${change.key} ${formatFields(change.fields)}`;
    case 'server-added':
    case 'server-removed':
      return `${sign(change.kind)} ${serviceKey(change.service.identity)} server ${change.key} ${change.server.mode} weight ${change.server.weight}`;
    case 'server-edited':
      return `~ ${serviceKey(change.service.identity)} server ${change.key} ${formatFields(change.fields)}`;
    case 'servers-reordered':
      return `~ ${change.key} order of servers: ${change.service.servers.map(serverKey).join(', ')}`;
  }
}

function listMarks(marks: readonly FirewallMark[]): string {
  return marks.length === 0 ? 'none' : marks.map(describeMark).join('; ');
}

function sign(kind: string): string {
  return kind.endsWith('-added') ? '+' : '-';
}

function count(servers: number): string {
  return servers === 1 ? '1 server' : `${servers} servers`;
}

function formatFields(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, { before, after }]) => `${name}: ${formatValue(before)} → ${formatValue(after)}`)
    .join(', ');
}

function formatValue(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
