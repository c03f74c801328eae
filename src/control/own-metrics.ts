// SPDX-License-Identifier: Apache-2.0
// Whether metrics are those of a plane. A plane speaks for itself alone, whatever has become of its process.
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { type Metric, metricSchema } from '../core/metrics/family.ts';

const areMetrics = Compile(Type.Array(metricSchema));
const isPlain = (name: string): boolean => /^[a-z][a-z0-9_]*$/.test(name);

/** Each family is given once, and its name begins with the plane's. */
export function areMetricsOf(plane: string, metrics: readonly Metric[]): boolean {
  if (!areMetrics.Check(metrics)) return false;
  const names = new Set(metrics.map(({ family }) => family.name));
  return names.size === metrics.length && metrics.every(({ family }) => isOf(plane, family));
}

function isOf(plane: string, { name, labels }: Metric['family']): boolean {
  return name.startsWith(`sluice_${plane}_`) && isPlain(name) && labels.every(isPlain);
}
