// SPDX-License-Identifier: Apache-2.0
// Reads a virtual service of a document with its real servers.
import { addressOf, bitsOf, type Family, isServerAddress, networkOf, parseAddress } from '../core/address.ts';
import type { Path } from '../core/config/node.ts';
import type { DocumentReader } from '../core/config/reader.ts';
import { alternatives, suggest } from '../core/config/suggest.ts';
import { parseEndpoint } from '../core/endpoint.ts';
import {
  defaultPersistence,
  defaultWeight,
  hostMask,
  type Mode,
  type Persistence,
  type Protocol,
  type RealServer,
  type Service,
  type ServiceIdentity,
  type SourceLimit,
  serverKey,
  serviceFamily,
  type Tunnel,
} from './model.ts';
import { type ReadSorry, readServerHealth, readServiceHealth } from './read-health.ts';
import type { PoolsInDocument } from './read-pools.ts';
import { allFlags, bitsFromFlags, defaultScheduler, flagNames, flagsFromBits } from './schedulers.ts';
import type { ServerDocument, ServiceDocument } from './schema.ts';

const protocols = ['tcp', 'udp', 'sctp'] as const satisfies readonly Protocol[];

/** The document in which a service is written, and the pools that the service may refer to. */
interface DocumentWithPools {
  readonly reader: DocumentReader;
  readonly pools: PoolsInDocument;
}

/** Reads the service; undefined when its address or mark cannot be read, which is reported. */
export function readService(
  { reader, pools }: DocumentWithPools,
  value: ServiceDocument,
  path: Path,
): Service | undefined {
  const identity = readIdentity(reader, value, path);
  if (identity === undefined) return undefined;
  const family = serviceFamily(identity);
  const servers = readServers(reader, value, path, identity);
  const service: Service = {
    identity,
    scheduler: value.scheduler ?? defaultScheduler,
    flags: readFlags(reader, value, path),
    persistence: readPersistence(reader, value.persistence, [...path, 'persistence'], family),
    ...(value.persistence_engine !== undefined && { persistenceEngine: value.persistence_engine }),
    onePacket: value.one_packet ?? false,
    pool: value.pool ?? null,
    clientAddress: value.client_address ?? 'none',
    proxyProtocol: value.proxy_protocol ?? 'none',
    synProxy: value.syn_proxy ?? 'off',
    sourceLimit: readSourceLimit(reader, value.source_limit, [...path, 'source_limit'], family),
    ...readHealth(reader, value, path, identity, servers),
    servers,
  };
  // The sorry server takes the place of the others, so what holds for them holds for it.
  const sorry = service.health?.sorry ?? null;
  const whole = sorry === null ? service : { ...service, servers: [...servers, sorry] };
  checkTogether(reader, whole, path);
  checkPool(reader, pools, whole, path);
  return service;
}

function readIdentity(reader: DocumentReader, value: ServiceDocument, path: Path): ServiceIdentity | undefined {
  const keys = [...protocols, 'mark' as const];
  const given = keys.filter(key => value[key] !== undefined);
  const [key] = given;
  if (key === undefined || given.length > 1) {
    const problem = key === undefined ? 'says neither address nor mark' : 'says more than one thing to match';
    return reader.report(path, problem, given.join(', ') || 'nothing', `write one of ${alternatives(keys)}`);
  }
  if (key === 'mark') return { mark: value.mark ?? 0, family: value.family === 'ipv6' ? 6 : 4 };
  if (value.family !== undefined) {
    reader.report([...path, 'family'], 'goes with mark only', value.family, 'remove it: the address has a family');
  }
  const text = value[key] ?? '';
  const endpoint = parseEndpoint(text);
  if ('fault' in endpoint) return reader.report([...path, key], endpoint.fault, text, endpoint.remedy);
  const { address, port = 0 } = endpoint;
  if (port === 0 && value.persistence === undefined) {
    const remedy = 'write a port, or add persistence: 360';
    reader.report([...path, key], 'needs a port: all ports (0) are for persistent services only', text, remedy);
  }
  return { protocol: key, address: address.text, port };
}

function readFlags(reader: DocumentReader, value: ServiceDocument, path: Path): string[] {
  const scheduler = value.scheduler ?? defaultScheduler;
  const known: string[] = [];
  for (const [index, flag] of (value.flags ?? []).entries()) {
    const info = allFlags.get(flag);
    if (info !== undefined && (info.scheduler ?? scheduler) === scheduler) {
      known.push(flag);
      continue;
    }
    const problem = info === undefined ? 'is not a flag of a scheduler' : `is not a flag of the scheduler ${scheduler}`;
    const remedy =
      info === undefined ? suggest(flag, [...allFlags.keys()]) : `use ${alternatives(flagNames(scheduler))}`;
    reader.report([...path, 'flags', index], problem, flag, remedy);
  }
  return flagsFromBits(scheduler, bitsFromFlags(known));
}

function readPersistence(
  reader: DocumentReader,
  value: ServiceDocument['persistence'],
  path: Path,
  family: Family,
): Persistence | null {
  if (value === undefined) return null;
  if (typeof value === 'number') return { timeout: value, netmask: hostMask(family) };
  const { timeout = defaultPersistence, netmask, prefix } = value;
  if (netmask !== undefined && prefix !== undefined) {
    reader.conflict([...path, 'prefix'], 'says the same as netmask', prefix, 'write one of them');
  }
  if (netmask !== undefined) {
    const mask = parseAddress(netmask);
    if (family === 6) reader.report([...path, 'netmask'], 'is for IPv4', netmask, 'write prefix: 64');
    else if (mask?.family !== 4)
      reader.report([...path, 'netmask'], 'is not a netmask', netmask, 'such as 255.255.255.0');
    return { timeout, netmask: mask?.text ?? hostMask(family) };
  }
  const bits = bitsOf(family);
  if (prefix !== undefined && prefix > bits) {
    reader.report([...path, 'prefix'], `is longer than an IPv${family} address`, prefix, `use 0 to ${bits}`);
    return { timeout, netmask: hostMask(family) };
  }
  if (prefix === 0 && family === 6) {
    reader.report([...path, 'prefix'], 'would make all clients one', prefix, 'use 1 to 128');
  }
  return { timeout, netmask: maskOf(family, prefix ?? bits) };
}

/** The netmask with this many leading ones. */
export function maskOf(family: Family, prefix: number): string {
  const ones = addressOf(family, new Array<number>(bitsOf(family) / 32).fill(0xffff_ffff));
  return networkOf(ones, prefix).first.text;
}

// A network of IPv6 has a /64 or more, and one host can use any of its addresses. So a single address does not identify
// a source.
const defaultSourcePrefix = { 4: 32, 6: 64 } as const;

function readSourceLimit(
  reader: DocumentReader,
  value: ServiceDocument['source_limit'],
  path: Path,
  family: Family,
): SourceLimit | null {
  if (value === undefined) return null;
  const { rate, burst = rate, prefix = defaultSourcePrefix[family] } = value;
  if (prefix > bitsOf(family)) {
    reader.report([...path, 'prefix'], `is longer than an IPv${family} address`, prefix, `use 1 to ${bitsOf(family)}`);
  }
  return { rate, burst, prefix };
}

function readHealth(
  reader: DocumentReader,
  { health, mode = 'nat' }: ServiceDocument,
  path: Path,
  identity: ServiceIdentity,
  servers: readonly RealServer[],
): Pick<Service, 'health'> {
  if (health !== undefined) {
    const at = [...path, 'health'];
    const readSorry: ReadSorry = (value, place) =>
      readServer(reader, typeof value === 'string' ? { server: value } : value, place, identity, mode);
    return { health: readServiceHealth(reader, health, at, readSorry) };
  }
  for (const [index, server] of servers.entries()) {
    if (server.health === undefined) continue;
    const remedy = `add health to ${reader.fullPath(path)}, or remove it`;
    reader.conflict(
      [...path, 'servers', index, 'health'],
      'goes with health of the service',
      serverKey(server),
      remedy,
    );
  }
  return {};
}

function readServers(
  reader: DocumentReader,
  value: ServiceDocument,
  path: Path,
  identity: ServiceIdentity,
): RealServer[] {
  const servers: RealServer[] = [];
  const seen = new Map<string, Path>();
  for (const [index, server] of (value.servers ?? []).entries()) {
    const at = [...path, 'servers', index];
    const read = readServer(
      reader,
      typeof server === 'string' ? { server } : server,
      at,
      identity,
      value.mode ?? 'nat',
    );
    if (read === undefined) continue;
    const key = serverKey(read);
    const first = seen.get(key);
    if (first !== undefined)
      reader.conflict(at, 'is listed twice', key, `remove it, or the one at ${reader.mention(first)}`);
    else servers.push(read);
    seen.set(key, first ?? at);
  }
  return servers;
}

type ServerMap = Exclude<ServerDocument, string>;

function readServer(
  reader: DocumentReader,
  value: ServerMap,
  path: Path,
  identity: ServiceIdentity,
  serviceMode: Mode,
): RealServer | undefined {
  const endpoint = parseEndpoint(value.server);
  if ('fault' in endpoint) return reader.report(path, endpoint.fault, value.server, endpoint.remedy);
  const { address } = endpoint;
  const mode = value.mode ?? serviceMode;
  const servicePort = 'mark' in identity ? 0 : identity.port;
  const port = endpoint.port ?? servicePort;
  if (!isServerAddress(address)) {
    reader.report(
      path,
      'is not the address of one host',
      value.server,
      'use one that is not multicast, broadcast, zero or link-local',
    );
  }
  const family = serviceFamily(identity);
  if (address.family !== family && mode !== 'tunnel') {
    const problem = `is IPv${address.family} and its service IPv${family}, which only mode tunnel can carry`;
    reader.conflict(path, problem, value.server, `use an IPv${family} address, or mode: tunnel`);
  }
  // In these modes a packet keeps the destination port that the client wrote, so the server cannot have another port.
  if ((mode === 'dr' || mode === 'tunnel') && !('mark' in identity) && port !== servicePort) {
    const remedy = `leave the port out, use ${servicePort}, or use mode: nat`;
    reader.conflict(path, `has a port of its own, which mode ${mode} cannot reach`, value.server, remedy);
  }
  const { upper_threshold: upperThreshold = 0, lower_threshold: lowerThreshold = 0 } = value;
  if (lowerThreshold > upperThreshold) {
    const remedy = `use at most upper_threshold, ${upperThreshold}`;
    reader.conflict([...path, 'lower_threshold'], 'is higher than upper_threshold', lowerThreshold, remedy);
  }
  return {
    address: address.text,
    port,
    mode,
    tunnel: readTunnel(reader, value.tunnel, [...path, 'tunnel'], mode),
    weight: value.weight ?? defaultWeight,
    upperThreshold,
    lowerThreshold,
    ...(value.maintenance === true && { maintenance: true }),
    ...(value.health !== undefined && { health: readServerHealth(reader, value.health, [...path, 'health']) }),
  };
}

function readTunnel(reader: DocumentReader, value: ServerMap['tunnel'], path: Path, mode: Mode): Tunnel | null {
  if (mode !== 'tunnel') {
    if (value !== undefined)
      reader.conflict(path, 'goes with mode: tunnel only', mode, 'add mode: tunnel, or remove it');
    return null;
  }
  const { type = 'ipip', port = 0, checksum = 'none' } = typeof value === 'string' ? { type: value } : (value ?? {});
  if (type === 'gue' && port === 0) {
    reader.report(path, 'needs the UDP port of the real server', 'gue', 'write { type: gue, port: 6080 }');
  }
  if (type !== 'gue' && port !== 0) reader.conflict([...path, 'port'], `has no meaning for ${type}`, port, 'remove it');
  const possible = { ipip: ['none'], gre: ['none', 'full'], gue: ['none', 'full', 'remote'] }[type];
  if (!possible.includes(checksum)) {
    reader.conflict([...path, 'checksum'], `is not possible with ${type}`, checksum, `use ${alternatives(possible)}`);
  }
  return { type, port, checksum };
}

// Checks what depends on several settings of a service.
function checkTogether(reader: DocumentReader, service: Service, path: Path): void {
  const { identity, servers } = service;
  const protocol = 'mark' in identity ? undefined : identity.protocol;
  if (service.onePacket && protocol !== undefined && protocol !== 'udp') {
    reader.conflict([...path, 'one_packet'], 'is for UDP services', true, 'remove it');
  }
  const direct = servers.find(({ mode }) => mode === 'dr' || mode === 'tunnel');
  for (const [key, value, without] of [
    ['syn_proxy', service.synProxy, 'off'],
    ['proxy_protocol', service.proxyProtocol, 'none'],
  ] as const) {
    if (value === without) continue;
    const at = [...path, key];
    if (protocol !== undefined && protocol !== 'tcp') {
      reader.conflict(at, 'is for TCP services', value, 'remove it');
    }
    if (direct !== undefined) {
      const remedy = 'use mode nat or fullnat for every server: replies have to come back through the director';
      reader.conflict(at, `is not possible with mode ${direct.mode}`, value, remedy);
    }
  }
  if (service.clientAddress !== 'none' && protocol !== undefined && protocol !== 'tcp') {
    reader.conflict([...path, 'client_address'], 'is for TCP services', service.clientAddress, 'remove it');
  }
}

function checkPool(reader: DocumentReader, pools: PoolsInDocument, service: Service, path: Path): void {
  const needing = service.servers.filter(({ mode }) => mode === 'fullnat');
  if (service.pool === null) {
    if (needing.length > 0) {
      reader.report(path, 'needs a pool of local addresses for mode fullnat', 'no pool', 'add pool: NAME');
    }
    return;
  }
  const at = [...path, 'pool'];
  if (!pools.knows(service.pool, at)) return;
  const networks = pools.networksOf(service.pool);
  if (networks === undefined || needing.length === 0) return;
  const family = serviceFamily(service.identity);
  if (!networks.some(network => network.family === family)) {
    reader.conflict(
      at,
      `has no IPv${family} address for this service`,
      service.pool,
      `add one to ${reader.fullPath(['pools', service.pool])}`,
    );
  }
}
