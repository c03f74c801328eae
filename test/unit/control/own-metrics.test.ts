// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { areMetricsOf } from '../../../src/control/own-metrics.ts';
import type { Metric } from '../../../src/core/metrics/family.ts';

const flows: Metric = {
  family: { name: 'sluice_director_flows', type: 'gauge', help: 'Flows', labels: ['family'] },
  samples: [{ labels: ['ipv4'], value: 7 }],
};
const named = (name: string): Metric => ({ ...flows, family: { ...flows.family, name } });

it('metrics of a plane are those with its name', () => {
  expect(areMetricsOf('director', [flows, named('sluice_director_others')])).toBe(true);
  expect(areMetricsOf('director', [])).toBe(true);
});

it.each<[string, unknown]>([
  ['of another plane', [named('sluice_health_flows')]],
  ['of control', [named('sluice_process_state')]],
  ['with a line in its name', [named('sluice_director_x 1\nsluice_process_state')]],
  ['with a line in a label', [{ ...flows, family: { ...flows.family, labels: ['a}\nb'] } }]],
  ['given twice', [flows, flows]],
  ['with a value that is none', [{ ...flows, samples: [{ labels: ['ipv4'], value: null }] }]],
  ['without a family', [{ samples: [] }]],
  ['that are no list', { flows }],
])('metrics %s are not', (_, metrics) => {
  expect(areMetricsOf('director', metrics as readonly Metric[])).toBe(false);
});
