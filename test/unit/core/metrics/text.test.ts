// SPDX-License-Identifier: Apache-2.0
// The text of metrics, as another program reads it: prometheus_client's strict parser of OpenMetrics, and promtool.
import { describe, expect, it } from 'vitest';
import { family, type Metric, metric } from '../../../../src/core/metrics/family.ts';
import { metricsText } from '../../../../src/core/metrics/text.ts';
import { lint, readOpenMetrics } from './outside-readers.ts';

const bytes = family({
  name: 'sluice_test_sent_bytes',
  type: 'counter',
  unit: 'bytes',
  help: 'Bytes with "quotes", a \\ and\na second line',
  labels: ['service', 'direction'],
});
const flows = family({ name: 'sluice_test_flows', type: 'gauge', help: 'Flows now', labels: [] });
const build = family({ name: 'sluice_test_build', type: 'info', help: 'What runs', labels: ['version'] });
const duration = family({
  name: 'sluice_test_duration_seconds',
  type: 'summary',
  unit: 'seconds',
  help: 'How long it took',
  labels: ['check'],
});

const odd = 'tcp [2001:db8::1]:80 "x" \\ \n, äöü {}';
const metrics: Metric[] = [
  metric(bytes, [
    { labels: ['tcp 10.0.0.1:80', 'in'], value: 5 },
    { labels: [odd, 'out'], value: 2 ** 53 - 1 },
  ]),
  metric(flows, [{ labels: [], value: 0.25 }]),
  metric(build, [{ labels: ['1.2.3'], value: 1 }]),
  metric(duration, [{ labels: ['web'], value: { count: 3, sum: 0.0000001 } }]),
];

describe('OpenMetrics', () => {
  it('is read by the reference parser as it was meant, with every odd character', () => {
    expect(readOpenMetrics(metricsText(metrics, 'openmetrics'))).toEqual([
      {
        name: bytes.name,
        type: 'counter',
        unit: 'bytes',
        help: bytes.help,
        samples: [
          ['sluice_test_sent_bytes_total', { service: 'tcp 10.0.0.1:80', direction: 'in' }, 5],
          ['sluice_test_sent_bytes_total', { service: odd, direction: 'out' }, 2 ** 53 - 1],
        ],
      },
      { name: flows.name, type: 'gauge', unit: '', help: flows.help, samples: [['sluice_test_flows', {}, 0.25]] },
      {
        name: build.name,
        type: 'info',
        unit: '',
        help: build.help,
        samples: [['sluice_test_build_info', { version: '1.2.3' }, 1]],
      },
      {
        name: duration.name,
        type: 'summary',
        unit: 'seconds',
        help: duration.help,
        samples: [
          ['sluice_test_duration_seconds_count', { check: 'web' }, 3],
          ['sluice_test_duration_seconds_sum', { check: 'web' }, 1e-7],
        ],
      },
    ]);
  });

  it('ends with EOF when there is nothing', () => {
    expect(metricsText([], 'openmetrics')).toBe('# EOF\n');
    expect(readOpenMetrics(metricsText([metric(flows, [])], 'openmetrics'))).toMatchObject([{ samples: [] }]);
  });
});

describe("Prometheus' text", () => {
  it('is accepted by promtool', () => {
    expect(lint(metricsText(metrics, 'prometheus'))).toEqual({ status: 0, output: '' });
  });

  it('has the names of samples at its families, and no types that the format does not know', () => {
    expect(metricsText(metrics.slice(0, 1), 'prometheus').split('\n').slice(0, 3)).toEqual([
      '# HELP sluice_test_sent_bytes_total Bytes with "quotes", a \\\\ and\\na second line',
      '# TYPE sluice_test_sent_bytes_total counter',
      'sluice_test_sent_bytes_total{service="tcp 10.0.0.1:80",direction="in"} 5',
    ]);
    expect(metricsText(metrics.slice(2, 3), 'prometheus')).toContain('# TYPE sluice_test_build_info gauge\n');
  });
});

it.each([
  [{ name: 'sluice_x_total' }, 'not the name of a family'],
  [{ name: 'other_x' }, 'not the name of a family'],
  [{ name: 'sluice_X' }, 'not the name of a family'],
  [{ name: 'sluice_x', unit: 'bytes' }, 'does not end with its unit'],
  [{ name: 'sluice_x', labels: ['Le'] }, 'not the name of a label'],
  [{ name: 'sluice_x_seconds', type: 'info', unit: 'seconds' }, 'an info has no unit'],
] as const)('refuses the family %j', (fields, problem) => {
  expect(() => family({ type: 'gauge', help: 'x', labels: [], ...fields })).toThrow(problem);
});

it('refuses a sample that has other labels than its family', () => {
  expect(() => metric(bytes, [{ labels: ['x'], value: 1 }])).toThrow('has other labels than service, direction');
});
