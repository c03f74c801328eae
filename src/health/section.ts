// SPDX-License-Identifier: Apache-2.0
// The health section of the document.
import { canonicalJson, digestOf, sha256 } from '../core/config/canonical.ts';
import { oncePerValue } from '../core/config/once.ts';
import type { Section } from '../core/config/section.ts';
import { emptyHealthModel, type HealthModel } from './model.ts';
import { checkDependencies, readHealthModel } from './read.ts';
import { healthSchema } from './schema.ts';
import { differences, withoutSecrets } from './shown-check.ts';
import { writeCheck, writeHealthModel } from './write.ts';

/** `before` or `after` is undefined for a check that was added or removed: how the document writes it. */
export interface HealthChange {
  readonly check: string;
  readonly before: unknown;
  readonly after: unknown;
}

export const healthSection: Section<'health', HealthModel, HealthChange> = {
  key: 'health',
  schema: healthSchema,
  empty: emptyHealthModel,
  read: readHealthModel,
  check: checkDependencies,
  names: ({ checks }) => ({ check: checks.map(({ name }) => name) }),
  write: writeHealthModel,
  digest: oncePerValue(({ checks, groups }) => sha256(canonicalJson({ checks, groups: groups.map(digestOf) }))),
  compare(before, after) {
    const old = new Map(before.checks.map(check => [check.name, check]));
    const fresh = new Map(after.checks.map(check => [check.name, check]));
    const names = [...new Set([...old.keys(), ...fresh.keys()])];
    return names
      .filter(name => canonicalJson(old.get(name) ?? null) !== canonicalJson(fresh.get(name) ?? null))
      .map(check => ({ check, before: written(old.get(check)), after: written(fresh.get(check)) }));
  },
  describe({ check, before, after }) {
    if (before === undefined) return `+ check ${check} ${withoutSecrets(after)}`;
    if (after === undefined) return `- check ${check} ${withoutSecrets(before)}`;
    return `~ check ${check}: ${differences(before, after).join(', ')}`;
  },
  effective: (model, { checked }) => (checked.length === 0 ? model : { ...model, groups: checked }),
};

function written(check: HealthModel['checks'][number] | undefined): unknown {
  return check === undefined ? undefined : writeCheck(check);
}
