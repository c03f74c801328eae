// SPDX-License-Identifier: Apache-2.0
import type { Metric } from '../../../../src/core/metrics/family.ts';
import { sampleName } from '../../../../src/core/metrics/text.ts';

type Value = Metric['samples'][number]['value'];

/** The values of all samples, by name and label values: `sluice_x_total{a,b}`. */
export function samplesOf(metrics: readonly Metric[]): Record<string, Value> {
  return Object.fromEntries(
    metrics.flatMap(({ family, samples }) =>
      samples.map(({ labels, value }) => [`${sampleName(family)}{${labels.join(',')}}`, value] as const),
    ),
  );
}
