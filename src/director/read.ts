// SPDX-License-Identifier: Apache-2.0
// Reads the director's section of a document into the model. The schema of the section has been checked before. This
// file and read-service.ts, read-pools.ts and read-networks.ts check what a schema cannot express: whether a text is an
// address, and whether two settings contradict each other. They skip parts that the schema does not allow, so that one
// mistake is reported once.
import { byText } from '../core/config/canonical.ts';
import type { Path } from '../core/config/node.ts';
import type { DocumentReader } from '../core/config/reader.ts';
import { readMarks } from './firewall-marks.ts';
import {
  type DirectorModel,
  defaultLimits,
  defaultSwitches,
  defaultTimeouts,
  defaultWorkers,
  type Egress,
  type Port,
  type Service,
  type StealWay,
  type Switches,
  serviceKey,
  type Timeouts,
  type Workers,
} from './model.ts';
import { readNetworks, sortedTexts } from './read-networks.ts';
import { PoolsInDocument } from './read-pools.ts';
import { readService } from './read-service.ts';
import type { DirectorDocument, ServiceDocument } from './schema.ts';

/** Reads the model of the section. Mistakes are reported to the reader. */
export function readDirectorModel(reader: DocumentReader): DirectorModel {
  const pools = new PoolsInDocument(reader);
  const services = readServices(reader, pools);
  pools.checkAgainst(services);
  const limits = reader.sound(['limits']) ? reader.value<DirectorDocument['limits']>(['limits']) : undefined;
  return {
    ...readThreads(reader),
    ports: reader.named('ports', (name, path) => readPort(reader, name, path)),
    services: services.toSorted((a, b) => byText(serviceKey(a.identity), serviceKey(b.identity))),
    pools: pools.list,
    egress: reader.named('egress', (name, path) => readEgress(reader, pools, name, path)),
    marks: readMarks(reader),
    timeouts: readTimeouts(reader),
    switches: readSwitches(reader),
    limits: { ...defaultLimits, ...limits },
  };
}

function readThreads(reader: DocumentReader): Pick<DirectorModel, 'workers' | 'stealing'> {
  const workers = reader.sound(['workers']) ? reader.value<Workers>(['workers']) : defaultWorkers;
  if (!reader.sound(['stealing'])) return { workers, stealing: undefined };
  const stealing = reader.value<StealWay>(['stealing']);
  if (stealing === 'nftables' && workers !== 1) {
    const remedy = 'use workers: 1, or another way: a rule of nftables cannot choose a worker';
    reader.conflict(['stealing'], `goes with one worker only, and there are ${workers}`, stealing, remedy);
  }
  return { workers, stealing };
}

function readServices(reader: DocumentReader, pools: PoolsInDocument): Service[] {
  const services: Service[] = [];
  const seen = new Map<string, Path>();
  for (const index of reader.steps(['services'])) {
    const path = ['services', index];
    if (!reader.sound(path)) continue;
    const service = readService({ reader, pools }, reader.value<ServiceDocument>(path), path);
    if (service === undefined) continue;
    const key = serviceKey(service.identity);
    const first = seen.get(key);
    if (first !== undefined) {
      reader.conflict(path, 'is defined twice', key, `remove it, or merge it with the one at ${reader.mention(first)}`);
      continue;
    }
    seen.set(key, path);
    services.push(service);
  }
  return services;
}

function readPort(reader: DocumentReader, name: string, path: Path): Port {
  const value = reader.value<NonNullable<DirectorDocument['ports']>[string]>(path);
  if (typeof value === 'string') return { name, device: value, type: 'packet' };
  const { device = name, type = 'packet', vlan } = value;
  return { name, device, type, ...(vlan !== undefined && { vlan }) };
}

function readEgress(reader: DocumentReader, pools: PoolsInDocument, name: string, path: Path): Egress | undefined {
  const value = reader.value<NonNullable<DirectorDocument['egress']>[string]>(path);
  const sources = readNetworks(reader, value.sources, [...path, 'sources']);
  if (!pools.knows(value.pool, [...path, 'pool'])) return undefined;
  const pool = pools.networksOf(value.pool) ?? [];
  for (const [index, source] of sources.entries()) {
    if (source === undefined || pool.length === 0) continue;
    if (!pool.some(({ family }) => family === source.family)) {
      const remedy = `add IPv${source.family} addresses to the pool ${value.pool}`;
      reader.conflict([...path, 'sources', index], 'has no address of its family in the pool', source.text, remedy);
    }
  }
  return { name, sources: sortedTexts(sources), pool: value.pool };
}

function readTimeouts(reader: DocumentReader): Timeouts {
  const part = <Key extends keyof Timeouts>(key: Key): Timeouts[Key] => ({
    ...defaultTimeouts[key],
    ...(reader.sound(['timeouts', key]) ? reader.value<Partial<Timeouts[Key]>>(['timeouts', key]) : {}),
  });
  return { tcp: part('tcp'), udp: part('udp'), sctp: part('sctp'), icmp: part('icmp') };
}

// The sysctls of IPVS are numbers. A sysctl that can only be 0 or 1 may also be written as false or true.
function readSwitches(reader: DocumentReader): Switches {
  if (!reader.sound(['switches'])) return defaultSwitches;
  const written = reader.value<Record<string, number | boolean>>(['switches']);
  const entries = Object.entries(defaultSwitches).map(([name, standard]) => {
    const value = written[name] ?? standard;
    return [name, typeof standard === 'boolean' ? Boolean(value) : value];
  });
  return Object.fromEntries(entries) as Switches;
}
