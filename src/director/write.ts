// SPDX-License-Identifier: Apache-2.0
// Writes the model as a document: defaults are left out, and the short form of a setting is used when it is enough.

import { deepFreeze } from '../core/config/canonical.ts';
import { mapByDifference } from '../core/config/map-by-difference.ts';
import { oncePerValue } from '../core/config/once.ts';
import { formatEndpoint } from '../core/endpoint.ts';
import { givenAny } from '../core/given.ts';
import { writeMark } from './firewall-marks.ts';
import {
  type DirectorModel,
  defaultLimits,
  defaultPersistence,
  defaultServiceHealth,
  defaultSwitches,
  defaultTimeouts,
  defaultWeight,
  defaultWorkers,
  hostMask,
  type Persistence,
  type Port,
  prefixOfMask,
  type RealServer,
  type ServerHealth,
  type Service,
  type ServiceHealth,
  serverKey,
  serviceFamily,
  type Tunnel,
} from './model.ts';
import { defaultScheduler } from './schedulers.ts';
import type { DirectorDocument, ServerDocument, ServiceDocument } from './schema.ts';

/** The section of the document; undefined for a model that says nothing. */
export function writeDirectorModel(model: DirectorModel): DirectorDocument | undefined {
  const timeouts = Object.fromEntries(
    Object.entries(model.timeouts)
      .map(([protocol, states]) => [
        protocol,
        without(states, defaultTimeouts[protocol as keyof typeof defaultTimeouts]),
      ])
      .filter(([, states]) => states !== undefined),
  );
  const document = {
    workers: model.workers === defaultWorkers ? undefined : model.workers,
    stealing: model.stealing,
    ports: namedParts(model.ports, writePort),
    services: model.services.length === 0 ? undefined : writeServices(model.services),
    pools: namedParts(model.pools, ({ addresses, firstPort, lastPort }) =>
      firstPort === 1024 && lastPort === 65535
        ? [...addresses]
        : { addresses: [...addresses], ports: `${firstPort}-${lastPort}` },
    ),
    egress: namedParts(model.egress, ({ sources, pool }) => ({ sources: [...sources], pool })),
    marks: model.marks.length === 0 ? undefined : model.marks.map(writeMark),
    timeouts: Object.keys(timeouts).length === 0 ? undefined : timeouts,
    switches: without(model.switches, defaultSwitches),
    limits: without(model.limits, defaultLimits),
  };
  return givenAny(document) as DirectorDocument | undefined;
}

function namedParts<T extends { readonly name: string }>(parts: readonly T[], write: (part: T) => unknown): unknown {
  return parts.length === 0 ? undefined : Object.fromEntries(parts.map(part => [part.name, write(part)]));
}

// The fields that differ from their defaults; undefined when none does.
function without(value: object, defaults: object): Record<string, unknown> | undefined {
  const standard = new Map(Object.entries(defaults));
  const rest = Object.entries(value).filter(([name, part]) => part !== standard.get(name));
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
}

// A change of one service among thousands leaves all others as they are, and so their documents.
const writeService = oncePerValue((service: Service): ServiceDocument => {
  const { identity, persistence, sourceLimit } = service;
  const family = serviceFamily(identity);
  const name =
    'mark' in identity
      ? { mark: identity.mark, family: family === 6 ? 'ipv6' : undefined }
      : { [identity.protocol]: formatEndpoint(identity.address, identity.port) };
  const document = givenAny({
    ...name,
    scheduler: service.scheduler === defaultScheduler ? undefined : service.scheduler,
    flags: service.flags.length === 0 ? undefined : [...service.flags],
    persistence: persistence === null ? undefined : writePersistence(persistence, hostMask(family)),
    persistence_engine: service.persistenceEngine,
    one_packet: service.onePacket || undefined,
    pool: service.pool ?? undefined,
    client_address: service.clientAddress === 'none' ? undefined : service.clientAddress,
    proxy_protocol: service.proxyProtocol === 'none' ? undefined : service.proxyProtocol,
    syn_proxy: service.synProxy === 'off' ? undefined : service.synProxy,
    source_limit: sourceLimit ?? undefined,
    health: service.health === undefined ? undefined : writeServiceHealth(service.health),
    servers: service.servers.length === 0 ? undefined : service.servers.map(writeServer),
  }) as ServiceDocument;
  return deepFreeze(document);
});

const writeServices = mapByDifference(writeService);

function writePersistence({ timeout, netmask }: Persistence, hosts: string): ServiceDocument['persistence'] {
  if (netmask === hosts) return timeout;
  const prefix = prefixOfMask(netmask);
  const mask = prefix === undefined ? { netmask } : { prefix };
  return timeout === defaultPersistence ? mask : { timeout, ...mask };
}

function writeServer(server: RealServer): ServerDocument {
  const name = serverKey(server);
  const rest = givenAny({
    mode: server.mode === 'nat' ? undefined : server.mode,
    tunnel: server.tunnel === null ? undefined : writeTunnel(server.tunnel),
    weight: server.weight === defaultWeight ? undefined : server.weight,
    upper_threshold: server.upperThreshold || undefined,
    lower_threshold: server.lowerThreshold || undefined,
    maintenance: server.maintenance,
    health: server.health === undefined ? undefined : writeServerHealth(server.health),
  });
  return rest === undefined ? name : { server: name, ...rest };
}

function writeServerHealth({ checks, need }: ServerHealth) {
  const written = checks.map(({ check, weight }) => (weight === 1 ? check : { check, weight }));
  return { checks: written, ...(need === defaultServiceHealth.need ? {} : { need }) };
}

function writeServiceHealth(health: ServiceHealth): ServiceDocument['health'] {
  const settings = {
    on_failure: health.onFailure,
    quorum: health.quorum,
    hysteresis: health.hysteresis,
    sorry_when: health.sorryWhen,
    none_up: health.noneUp,
    panic: health.panic,
    slow_start: health.slowStart,
    start: health.start,
  };
  const { onFailure, sorryWhen, noneUp, slowStart, ...same } = defaultServiceHealth;
  const usual = { ...same, on_failure: onFailure, sorry_when: sorryWhen, none_up: noneUp, slow_start: slowStart };
  const rest = {
    ...without(settings, usual),
    ...(health.sorry === null ? {} : { sorry: writeServer(health.sorry) }),
  };
  const { checks, need } = writeServerHealth(health);
  const [only, ...others] = checks;
  const isName =
    typeof only === 'string' && others.length === 0 && need === undefined && Object.keys(rest).length === 0;
  return isName ? only : { checks, ...(need === undefined ? {} : { need }), ...rest };
}

function writePort({ device, type, vlan }: Port) {
  if (type === 'packet' && vlan === undefined) return device;
  return { device, ...(type === 'packet' ? {} : { type }), ...(vlan === undefined ? {} : { vlan }) };
}

function writeTunnel({ type, port, checksum }: Tunnel) {
  if (port === 0 && checksum === 'none') return type === 'ipip' ? undefined : type;
  return { type, ...(port === 0 ? {} : { port }), ...(checksum === 'none' ? {} : { checksum }) };
}
