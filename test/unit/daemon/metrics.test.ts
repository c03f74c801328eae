// SPDX-License-Identifier: Apache-2.0
// The families of all planes, and the page about them. `vitest run --update` writes the page again.
import { expect, it } from 'vitest';
import { metric } from '../../../src/core/metrics/family.ts';
import { metricsReference } from '../../../src/core/metrics/reference.ts';
import { metricsText } from '../../../src/core/metrics/text.ts';
import { familyLists } from '../../../src/daemon/metrics.ts';
import { planeTable } from '../../../src/daemon/table.ts';
import { lint, readOpenMetrics } from '../core/metrics/outside-readers.ts';

const families = familyLists.flatMap(list => list.families);

it('the reference page matches the families', async () => {
  const page = new URL('../../../docs/reference/metrics.md', import.meta.url).pathname;
  await expect(metricsReference(familyLists)).toMatchFileSnapshot(page);
});

it('no two families have a name, and those of a plane begin with its name', () => {
  expect(new Set(families.map(({ name }) => name)).size).toBe(families.length);
  expect(familyLists.map(({ title }) => title)).toEqual(['control', ...planeTable.map(({ policy }) => policy.name)]);
  for (const { title, families: own } of familyLists) {
    const prefixes = planeTable.map(({ policy }) => `sluice_${policy.name}_`);
    const expected = title === 'control' ? undefined : `sluice_${title}_`;
    expect(own.filter(({ name }) => prefixes.find(prefix => name.startsWith(prefix)) !== expected)).toEqual([]);
  }
});

it('others accept their names, types and units', () => {
  const metrics = families.map(family =>
    metric(family, [
      {
        labels: family.labels.map(() => 'x'),
        value: (family.type === 'summary' ? { count: 1, sum: 1 } : 1) as number,
      },
    ]),
  );
  expect(lint(metricsText(metrics, 'prometheus'))).toEqual({ status: 0, output: '' });
  const read = readOpenMetrics(metricsText(metrics, 'openmetrics'));
  expect(read.map(({ name, type, unit, help }) => ({ name, type, unit, help }))).toEqual(
    families.map(({ name, type, unit = '', help }) => ({ name, type, unit, help })),
  );
});
