// SPDX-License-Identifier: Apache-2.0
// Reads the health section of a document into the model. The schema has been checked before; this file checks what a
// schema cannot express.
import { parseAddress } from '../core/address.ts';
import type { DefinedNames } from '../core/config/defined-names.ts';
import type { Path } from '../core/config/node.ts';
import type { DocumentReader } from '../core/config/reader.ts';
import { alternatives } from '../core/config/suggest.ts';
import { type Check, defaultTiming, type HealthModel, type Probe } from './model.ts';
import { readProbe } from './read-probe.ts';
import { type CheckDocument, type ProbeKey, probeKeys } from './schema.ts';

type CheckMap = Exclude<CheckDocument, string>;

export function readHealthModel(reader: DocumentReader): HealthModel {
  return { checks: reader.named('checks', (name, path) => readCheck(reader, name, path)), groups: [] };
}

/** A check may depend on checks that have an address of their own, and so one state for all targets. */
export function checkDependencies(reader: DocumentReader, defined: DefinedNames): void {
  for (const name of reader.steps(['checks'])) {
    for (const index of reader.steps(['checks', name, 'depends_on'])) {
      const path = ['checks', name, 'depends_on', index];
      if (!reader.refer(path, 'check', defined)) continue;
      const other = reader.value<string>(path);
      if (!reader.steps(['checks', other]).includes('address')) {
        const remedy = `give ${reader.fullPath(['checks', other])} an address, such as that of a gateway`;
        reader.conflict(path, 'names a check without an address of its own', other, remedy);
      } else if (needsPort(reader, other)) {
        const remedy = `add a port to ${reader.fullPath(['checks', other])}: it is tried beside all targets`;
        reader.conflict(path, 'names a check without a port of its own', other, remedy);
      } else if (reader.steps(['checks', other]).includes('depends_on')) {
        reader.conflict(path, 'names a check that depends on others itself', other, 'name those others here');
      }
    }
  }
}

function readCheck(reader: DocumentReader, name: string, path: Path): Check | undefined {
  const document = reader.value<CheckDocument>(path);
  const value: CheckMap = typeof document === 'string' ? { [document]: {} } : document;
  const given = probeKeys.filter(key => value[key] !== undefined);
  const [key] = given;
  if (key === undefined || given.length > 1) {
    const problem = key === undefined ? 'does not say what is tried' : 'tries more than one thing';
    const remedy = key === undefined ? `write one of ${alternatives(probeKeys)}` : 'make a check of each';
    return reader.report(path, problem, given.join(', ') || 'nothing', remedy);
  }
  const probe = readProbe(reader, key, value, [...path, ...(typeof document === 'string' ? [] : [key])]);
  const check = {
    name,
    probe,
    address: readAddress(reader, value, path),
    port: value.port ?? null,
    ...readTiming(reader, value, path),
    dependsOn: [...(value.depends_on ?? [])].toSorted(),
  };
  checkTogether(reader, key, check, path);
  return check;
}

function readAddress(reader: DocumentReader, { address }: CheckMap, path: Path): string | null {
  if (address === undefined) return null;
  const parsed = parseAddress(address);
  if (parsed !== undefined) return parsed.text;
  reader.report(
    [...path, 'address'],
    'is not an IP address',
    address,
    'write an address, such as 10.0.2.1 or 2001:db8::1',
  );
  return null;
}

type Timing = Pick<Check, 'interval' | 'timeout' | 'retryInterval' | 'downInterval' | 'jitter' | 'rise' | 'fall'>;

function readTiming(reader: DocumentReader, value: CheckMap, path: Path): Timing {
  const { interval = defaultTiming.interval, jitter = defaultTiming.jitter } = value;
  const { retry_interval: retryInterval = interval, down_interval: downInterval = interval } = value;
  const timeout = value.timeout ?? Math.min(defaultTiming.timeout, interval, retryInterval);
  if (downInterval < interval) {
    reader.conflict([...path, 'down_interval'], 'is shorter than interval', downInterval, `use at least ${interval}`);
  }
  const { rise = defaultTiming.rise, fall = defaultTiming.fall } = value;
  return { interval, timeout, retryInterval, downInterval, jitter, rise, fall };
}

/** Whether the check cannot be tried without a target, which has a port. */
function needsPort(reader: DocumentReader, check: string): boolean {
  const keys = reader.steps(['checks', check]);
  return !keys.includes('port') && !withoutPort.some(type => keys.includes(type));
}

const withoutPort: readonly Probe['type'][] = ['ping', 'script', 'file'];

function checkTogether(reader: DocumentReader, key: ProbeKey, check: Check, path: Path): void {
  if (check.port !== null && withoutPort.includes(check.probe.type)) {
    reader.conflict([...path, 'port'], `has no meaning for ${key}`, check.port, 'remove it');
  }
  if (check.address !== null && check.probe.type === 'tcp' && check.probe.likeTraffic === true) {
    const remedy = "remove it: traffic goes to the service's address";
    reader.conflict([...path, 'address'], 'does not go with like_traffic', check.address, remedy);
  }
  if (check.address !== null && check.dependsOn.length > 0) {
    reader.conflict(
      [...path, 'depends_on'],
      'goes with checks of targets only',
      check.name,
      'remove it, or the address',
    );
  }
}
