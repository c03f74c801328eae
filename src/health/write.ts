// SPDX-License-Identifier: Apache-2.0
// Writes the model as a document: defaults are left out, and the short form of a setting is used when it is enough.
import { givenAny } from '../core/given.ts';
import { type Check, defaultTiming, defaultTls, type HealthModel, type Probe, type Range, type Tls } from './model.ts';
import { type HealthDocument, plainProbes } from './schema.ts';

/** The section of the document; undefined for a model that says nothing. */
export function writeHealthModel({ checks }: HealthModel): HealthDocument | undefined {
  if (checks.length === 0) return undefined;
  return { checks: Object.fromEntries(checks.map(check => [check.name, writeCheck(check)])) } as HealthDocument;
}

export function writeCheck(check: Check): unknown {
  const { probe, interval, timeout } = check;
  const key = probe.type === 'http' && probe.tls !== null ? 'https' : probe.type;
  const map = givenAny(writeProbe(probe)) ?? {};
  const shortest = Math.min(interval, check.retryInterval);
  const rest = givenAny({
    address: check.address ?? undefined,
    port: check.port ?? undefined,
    interval: unless(interval, defaultTiming.interval),
    timeout: unless(timeout, Math.min(defaultTiming.timeout, shortest)),
    retry_interval: unless(check.retryInterval, interval),
    down_interval: unless(check.downInterval, interval),
    jitter: unless(check.jitter, defaultTiming.jitter),
    rise: unless(check.rise, defaultTiming.rise),
    fall: unless(check.fall, defaultTiming.fall),
    depends_on: check.dependsOn.length === 0 ? undefined : [...check.dependsOn],
  });
  const [only, ...others] = Object.keys(map);
  if (rest === undefined && only === undefined && (plainProbes as readonly string[]).includes(key)) return key;
  const isPath = (key === 'http' || key === 'https') && only === 'path' && others.length === 0;
  return { [key]: isPath ? (map as { path?: unknown }).path : map, ...rest };
}

function writeProbe(probe: Probe): object {
  switch (probe.type) {
    case 'tcp':
      return { like_traffic: probe.likeTraffic };
    case 'ping':
    case 'redis':
    case 'mysql':
    case 'postgresql':
      return {};
    case 'http':
      return {
        path: unless(probe.path, '/'),
        method: unless(probe.method, 'GET'),
        host: probe.host ?? undefined,
        headers: probe.headers.length === 0 ? undefined : Object.fromEntries(probe.headers),
        status: unless(writeRanges(probe.status), '200-299'),
        contains: probe.contains ?? undefined,
        matches: probe.matches ?? undefined,
        digest: probe.digest ?? undefined,
        tls: probe.tls === null ? undefined : givenAny(writeTls(probe.tls)),
      };
    case 'udp':
      return { send: unless(probe.send, ''), expect: probe.expect ?? undefined };
    case 'dns':
      return {
        name: unless(probe.name, '.'),
        query: unless(probe.query, 'SOA'),
        transport: unless(probe.transport, 'udp'),
        codes: probe.codes.join() === 'NOERROR' ? undefined : [...probe.codes],
        expect: probe.expect ?? undefined,
      };
    case 'smtp':
      return {
        hello: unless(probe.hello, 'localhost'),
        tls:
          probe.tls === null
            ? undefined
            : { ...givenAny(writeTls(probe.tls)), ...(probe.startTls ? {} : { start: false }) },
      };
    case 'grpc':
      return {
        service: unless(probe.service, ''),
        tls: probe.tls === null ? undefined : (givenAny(writeTls(probe.tls)) ?? {}),
      };
    case 'script':
      return {
        command: [...probe.command],
        environment: probe.environment.length === 0 ? undefined : Object.fromEntries(probe.environment),
        sets_weight: probe.setsWeight || undefined,
      };
    case 'file':
      return { path: probe.path, sets_weight: probe.setsWeight || undefined };
  }
}

function writeRanges(ranges: readonly Range[]): string | number {
  const [first, ...others] = ranges;
  if (first !== undefined && others.length === 0 && first[0] === first[1]) return first[0];
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
}

function writeTls(tls: Tls): object {
  return {
    verify: unless(tls.verify, defaultTls.verify),
    name: tls.name ?? undefined,
    authorities: tls.authorities ?? undefined,
    certificate: tls.certificate ?? undefined,
    key: tls.key === null ? undefined : { file: tls.key.file },
  };
}

function unless<Value>(value: Value, usual: Value): Value | undefined {
  return value === usual ? undefined : value;
}
