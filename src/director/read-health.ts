// SPDX-License-Identifier: Apache-2.0
// Reads what a service, or one real server of it, says about health.

import { byText } from '../core/config/canonical.ts';
import type { DefinedNames } from '../core/config/defined-names.ts';
import type { Path } from '../core/config/node.ts';
import type { DocumentReader } from '../core/config/reader.ts';
import type { AppliedCheck } from '../core/observed.ts';
import { defaultServiceHealth, type RealServer, type ServerHealth, type ServiceHealth } from './model.ts';
import type { ServerDocument, ServiceDocument } from './schema.ts';

type ServiceHealthDocument = NonNullable<ServiceDocument['health']>;
type ServerHealthDocument = NonNullable<Exclude<ServerDocument, string>['health']>;

/** Reads the sorry server of a service; undefined when it cannot be read, which is reported. */
export type ReadSorry = (value: ServerDocument, path: Path) => RealServer | undefined;

export function readServiceHealth(
  reader: DocumentReader,
  value: ServiceHealthDocument,
  path: Path,
  readSorry: ReadSorry,
): ServiceHealth {
  const map = typeof value === 'string' ? { checks: [value] } : value;
  const sorry = map.sorry === undefined ? null : (readSorry(map.sorry, [...path, 'sorry']) ?? null);
  const health: ServiceHealth = {
    ...readServerHealth(reader, map, path),
    onFailure: map.on_failure ?? defaultServiceHealth.onFailure,
    quorum: map.quorum ?? defaultServiceHealth.quorum,
    hysteresis: map.hysteresis ?? defaultServiceHealth.hysteresis,
    sorry,
    sorryWhen: map.sorry_when ?? defaultServiceHealth.sorryWhen,
    noneUp: map.none_up ?? defaultServiceHealth.noneUp,
    panic: map.panic ?? defaultServiceHealth.panic,
    slowStart: map.slow_start ?? defaultServiceHealth.slowStart,
    start: map.start ?? defaultServiceHealth.start,
  };
  if (health.hysteresis >= health.quorum) {
    const remedy = `use at most ${health.quorum - 1}`;
    reader.conflict([...path, 'hysteresis'], 'has to be less than quorum', health.hysteresis, remedy);
  }
  for (const key of ['sorry_when', 'none_up'] as const) {
    if (map[key] === undefined || (key === 'sorry_when') === (map.sorry !== undefined)) continue;
    const problem = key === 'sorry_when' ? 'goes with a sorry server' : 'goes without a sorry server';
    reader.conflict([...path, key], problem, map[key], 'remove it');
  }
  return health;
}

export function readServerHealth(reader: DocumentReader, value: ServerHealthDocument, path: Path): ServerHealth {
  const { need = defaultServiceHealth.need } = value;
  const checks: AppliedCheck[] = [];
  for (const [index, each] of value.checks.entries()) {
    const { check, weight = 1 } = typeof each === 'string' ? { check: each } : each;
    if (checks.some(other => other.check === check)) {
      reader.conflict([...path, 'checks', index], 'is named twice', check, 'remove it');
    }
    checks.push({ check, weight });
  }
  const sum = checks.reduce((total, { weight }) => total + weight, 0);
  if (typeof need === 'number' && need > sum) {
    reader.conflict([...path, 'need'], `is more than all checks together: ${sum}`, need, `use at most ${sum}`);
  }
  return { checks: checks.toSorted((a, b) => byText(a.check, b.check)), need };
}

/** Whether the checks that services and servers name are defined. */
export function checkHealthReferences(reader: DocumentReader, defined: DefinedNames): void {
  for (const service of reader.steps(['services'])) {
    const path = ['services', service];
    referAll(reader, [...path, 'health'], defined);
    for (const server of reader.steps([...path, 'servers'])) {
      referAll(reader, [...path, 'servers', server, 'health'], defined);
    }
  }
}

function referAll(reader: DocumentReader, path: Path, defined: DefinedNames): void {
  if (!reader.sound(path)) return;
  if (typeof reader.value(path) === 'string') {
    reader.refer(path, 'check', defined);
    return;
  }
  for (const index of reader.steps([...path, 'checks'])) {
    const at = [...path, 'checks', index];
    reader.refer(reader.steps(at).length === 0 ? at : [...at, 'check'], 'check', defined);
  }
}
