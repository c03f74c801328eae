// SPDX-License-Identifier: Apache-2.0
// Metrics: a family has a name, a type and labels, and a sample for each combination of label values that there is. A plane
// lists its families without the code that counts, so that documents and tests can read the lists.
//
// Names follow OpenMetrics: base units, the unit as the last word, and no `_total` or `_info`, which the text of samples
// gets (text.ts). The families of a plane begin with `sluice_` and the plane's name.
import Type, { type Static } from 'typebox';
import type { Immutable } from '../immutable.ts';

/** summary: how often something was measured, and the sum of what was measured. */
const types = ['counter', 'gauge', 'info', 'summary'] as const;
const units = ['seconds', 'bytes', 'ratio'] as const;

const familySchema = Type.Object({
  name: Type.String(),
  type: Type.Enum([...types]),
  unit: Type.Optional(Type.Enum([...units])),
  help: Type.String({ description: 'A sentence for people' }),
  labels: Type.Array(Type.String()),
});

const measured = Type.Object({ count: Type.Number(), sum: Type.Number() });

/** A family with its samples. */
export const metricSchema = Type.Object({
  family: familySchema,
  samples: Type.Array(
    Type.Object({
      labels: Type.Array(Type.String(), { description: 'Their values, in the order of the family' }),
      value: Type.Union([Type.Number(), measured], { description: 'Of a summary: both numbers' }),
    }),
  ),
});

export type Family = Immutable<Static<typeof familySchema>>;
export type Metric = Immutable<Static<typeof metricSchema>>;
export type Measured = Immutable<Static<typeof measured>>;

/** A value for each label of a family, and what was counted. */
export interface Sample<Value = number> {
  readonly labels: readonly string[];
  readonly value: Value;
}

const suffixes = ['_total', '_info', '_count', '_sum', '_bucket', '_created'];

/** Returns the definition with its exact type. Throws a TypeError for names that OpenMetrics does not allow. */
export function family<const F extends Family>(definition: F): F {
  const { name, type, unit, labels } = definition;
  const isName = /^sluice(_[a-z0-9]+)+$/.test(name) && !suffixes.some(suffix => name.endsWith(suffix));
  if (!isName) throw new TypeError(`${name} is not the name of a family of metrics`);
  if (unit !== undefined && !name.endsWith(`_${unit}`)) throw new TypeError(`${name} does not end with its unit`);
  if (type === 'info' && unit !== undefined) throw new TypeError(`${name}: an info has no unit`);
  const wrong = labels.find(label => !/^[a-z][a-z0-9_]*$/.test(label));
  if (wrong !== undefined) throw new TypeError(`${name}: ${wrong} is not the name of a label`);
  return definition;
}

/** The family with its samples. Throws a TypeError where a sample has not as many values as the family has labels. */
export function metric<F extends Family>(
  definition: F,
  samples: readonly Sample<F['type'] extends 'summary' ? Measured : number>[],
): Metric {
  const { name, labels } = definition;
  if (samples.some(sample => sample.labels.length !== labels.length)) {
    throw new TypeError(`a sample of ${name} has other labels than ${labels.join(', ')}`);
  }
  return { family: definition, samples };
}
