// SPDX-License-Identifier: Apache-2.0
// Reads what a check tries.
import type { Path } from '../core/config/node.ts';
import type { DocumentReader } from '../core/config/reader.ts';
import { defaultTls, type Probe, type ProbeOf, type Range, type Tls } from './model.ts';
import type { CheckDocument, ProbeKey } from './schema.ts';

type CheckMap = Exclude<CheckDocument, string>;
/** The map that a probe is written as; a word or a path stands for a map. */
type MapOf<Key extends ProbeKey> = Exclude<NonNullable<CheckMap[Key]>, string>;

/** `path` is that of the probe's own part. */
export function readProbe(reader: DocumentReader, key: ProbeKey, value: CheckMap, path: Path): Probe {
  switch (key) {
    case 'tcp':
      return { type: 'tcp', ...(value.tcp?.like_traffic === true && { likeTraffic: true }) };
    case 'ping':
    case 'redis':
    case 'mysql':
    case 'postgresql':
      return { type: key };
    case 'http':
      return readHttp(reader, asMap(value.http), null, path);
    case 'https': {
      const map: MapOf<'https'> = asMap(value.https);
      return readHttp(reader, map, readTls(reader, map.tls, [...path, 'tls']), path);
    }
    case 'udp': {
      const { send = '', expect = null } = value.udp ?? {};
      return { type: 'udp', send: send.toLowerCase(), expect: expect?.toLowerCase() ?? null };
    }
    case 'dns':
      return readDns(reader, value.dns ?? {}, path);
    case 'smtp': {
      const { hello = 'localhost', tls } = value.smtp ?? {};
      const spoken = tls === undefined ? null : readTls(reader, tls, [...path, 'tls']);
      return { type: 'smtp', hello, tls: spoken, startTls: tls !== undefined && (tls.start ?? true) };
    }
    case 'grpc': {
      const { service = '', tls } = value.grpc ?? {};
      return { type: 'grpc', service, tls: tls === undefined ? null : readTls(reader, tls, [...path, 'tls']) };
    }
    case 'script':
      return readScript(reader, value.script, path);
    case 'file':
      return { type: 'file', path: value.file?.path ?? '', setsWeight: value.file?.sets_weight ?? false };
  }
}

function asMap<Value extends object>(value: Value | string | undefined): Value {
  return (typeof value === 'string' ? { path: value } : (value ?? {})) as Value;
}

function readHttp(reader: DocumentReader, map: MapOf<'http'>, tls: Tls | null, path: Path): Probe {
  const headers = Object.entries(map.headers ?? {});
  const own = headers.find(([name]) =>
    ['host', 'connection', 'content-length', 'transfer-encoding'].includes(name.toLowerCase()),
  );
  if (own !== undefined) {
    const remedy = own[0].toLowerCase() === 'host' ? 'write host' : 'remove it';
    reader.conflict([...path, 'headers', own[0]], 'is a header that the check writes itself', own[0], remedy);
  }
  const matches = map.matches ?? null;
  if (matches !== null) checkExpression(reader, matches, [...path, 'matches']);
  const reads = (['contains', 'matches', 'digest'] as const).find(key => map[key] !== undefined);
  if (map.method === 'HEAD' && reads !== undefined) {
    reader.conflict([...path, reads], 'needs a body, and HEAD gets none', reads, 'use method: GET');
  }
  return {
    type: 'http',
    method: map.method ?? 'GET',
    path: map.path ?? '/',
    host: map.host ?? null,
    headers: headers.map(([name, value]) => [name, value] as const),
    status: readStatuses(reader, map.status ?? '200-299', [...path, 'status']),
    contains: map.contains ?? null,
    matches,
    digest: map.digest ?? null,
    tls,
  };
}

function checkExpression(reader: DocumentReader, text: string, path: Path): void {
  try {
    new RegExp(text, 'u');
  } catch (error) {
    const problem = `is not a regular expression: ${error instanceof Error ? error.message : String(error)}`;
    reader.report(path, problem, text, 'correct it; \\ before a character takes it literally');
  }
}

function readStatuses(reader: DocumentReader, status: string | number, path: Path): Range[] {
  return String(status)
    .split(',')
    .map(part => {
      const [first = 0, last = first] = part.split('-').map(Number);
      if (first > last)
        reader.report(path, 'has a range whose end is before its beginning', part.trim(), `write ${last}-${first}`);
      return [first, last] as const;
    })
    .toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
}

function readTls(reader: DocumentReader, written: Partial<MapOf<'https'>['tls']>, path: Path): Tls {
  const { verify = true, name = null, authorities = null, certificate = null, key = null } = written ?? {};
  if ((certificate === null) !== (key === null)) {
    const missing = key === null ? 'key' : 'certificate';
    reader.report(path, `needs ${missing} too`, key?.file ?? certificate, `add ${missing}, or remove the other`);
  }
  return { ...defaultTls, verify, name, authorities, certificate, key };
}

// The schema bounds the whole name; a label has at most 63 bytes (RFC 1035, 2.3.4).
function readDns(reader: DocumentReader, map: MapOf<'dns'>, path: Path): ProbeOf<'dns'> {
  const { name = '.', query = 'SOA', transport = 'udp', codes = ['NOERROR'], expect = null } = map;
  const labels = name === '.' ? [] : name.replace(/\.$/, '').split('.');
  if (labels.some(label => label === '' || label.length > 63)) {
    reader.report(
      [...path, 'name'],
      'is not a domain name',
      name,
      'write labels of 1 to 63 characters, such as www.example.org',
    );
  }
  if (expect !== null && (codes.length !== 1 || codes[0] !== 'NOERROR')) {
    reader.conflict([...path, 'expect'], 'needs an answer with the code NOERROR', expect, 'remove codes, or expect');
  }
  return {
    type: 'dns',
    name: name === '.' ? '.' : labels.join('.'),
    query,
    transport,
    codes: [...new Set(codes)].toSorted(),
    expect,
  };
}

function readScript(reader: DocumentReader, map: MapOf<'script'> | undefined, path: Path): Probe {
  const command = map?.command ?? [];
  const [program = ''] = command;
  if (!program.startsWith('/')) {
    reader.report([...path, 'command', 0], 'is not an absolute path', program, 'write the whole path of the program');
  }
  const environment = Object.entries(map?.environment ?? {});
  return { type: 'script', command: [...command], environment, setsWeight: map?.sets_weight ?? false };
}
