// SPDX-License-Identifier: Apache-2.0
// The expressions of dashboards and of documents are PromQL, and use only metrics and labels that Sluice exports.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sampleName } from '../../../src/core/metrics/text.ts';
import { familyLists } from '../../../src/daemon/metrics.ts';
import { promtool } from '../core/metrics/outside-readers.ts';
import { usesOf } from './promql.ts';

const root = new URL('../../../', import.meta.url).pathname;
const folder = join(root, 'dashboards');

/** By the name of a sample: its labels, and those that Prometheus adds to every target. */
const exported = new Map<string, readonly string[]>(
  familyLists
    .flatMap(({ families }) => families)
    .flatMap(family => {
      const labels = [...family.labels, 'instance', 'job'];
      const name = sampleName(family);
      const names = family.type === 'summary' ? [`${name}_count`, `${name}_sum`] : [name];
      return names.map(each => [each, labels] as const);
    }),
);

/** What is not exported of what the expression uses. */
function unknownIn(expression: string): string[] {
  const { selectors, labels } = usesOf(expression);
  if (selectors.length === 0) return [`${expression} asks for no metric`];
  const known = new Set(selectors.flatMap(({ metric }) => exported.get(metric) ?? []));
  return [
    ...selectors.filter(({ metric }) => !exported.has(metric)).map(({ metric }) => metric),
    ...selectors.flatMap(({ metric, labels: matched }) =>
      matched.filter(label => !exported.get(metric)?.includes(label)).map(label => `${metric}{${label}}`),
    ),
    ...labels.filter(label => !known.has(label)).map(label => `${expression} by ${label}`),
  ];
}

interface Target {
  readonly expr: string;
  readonly legendFormat?: string;
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly targets?: readonly Target[];
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  }[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { query: string } }[];
  };
}

const dashboards = readdirSync(folder).map(
  file => [file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Dashboard] as const,
);

/** What Grafana puts in the place of its variables. */
function filled(expression: string): string {
  return expression.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*');
}

/** What promtool says of expressions, as rules that record them. */
function judged(expressions: readonly string[]): ReturnType<typeof promtool> {
  const place = mkdtempSync(join(tmpdir(), 'sluice-promql-'));
  const rules = expressions.map((expr, index) => ({ record: `expression:${index}`, expr: filled(expr) }));
  const file = join(place, 'rules.yaml');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'expressions', rules }] }));
  try {
    return promtool(['check', 'rules', file]);
  } finally {
    rmSync(place, { recursive: true });
  }
}

describe.each(dashboards)('dashboards/%s', (_, { panels, templating }) => {
  const targets = panels.flatMap(panel => panel.targets ?? []);
  const queries = templating.list.map(({ query }) => (typeof query === 'string' ? query : query.query));
  const selectors = queries.flatMap(query => /^label_values\((.+), (\w+)\)$/.exec(query)?.slice(1) ?? []);

  it('asks in PromQL', () => {
    expect(targets.length).toBeGreaterThan(0);
    expect(judged(targets.map(({ expr }) => expr))).toMatchObject({ status: 0 });
  });

  it('asks only for metrics and labels that are exported', () => {
    expect(targets.flatMap(({ expr }) => unknownIn(expr))).toEqual([]);
    // The label that a variable lists stands after its selector.
    for (let at = 0; at < selectors.length; at += 2) {
      const [selector = '', label = ''] = selectors.slice(at, at + 2);
      expect(unknownIn(`count by (${label}) (${selector})`)).toEqual([]);
    }
  });

  it('names series by labels that they have', () => {
    for (const { expr, legendFormat = '' } of targets) {
      const { selectors: asked, labels } = usesOf(expr);
      const isGrouped = /\bby \(/.test(expr);
      const has = isGrouped ? labels : asked.flatMap(({ metric }) => exported.get(metric) ?? []);
      const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      expect({ expr, missing: named.filter(label => !has.includes(label)) }).toEqual({ expr, missing: [] });
    }
  });

  it('uses only variables that it has', () => {
    const known = ['__rate_interval', ...templating.list.map(({ name }) => name)];
    const used = [...targets.map(({ expr }) => expr), ...queries].flatMap(text =>
      [...text.matchAll(/\$\{?(\w+)/g)].map(([, name = '']) => name),
    );
    expect(used.filter(name => !known.includes(name))).toEqual([]);
  });

  it('has panels that do not overlap, each with a number of its own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (__, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
  });
});

it('shows every metric that is not only a count of things', () => {
  const shown = new Set(
    dashboards
      .flatMap(([, { panels }]) => panels.flatMap(panel => panel.targets ?? []))
      .flatMap(({ expr }) => usesOf(expr).selectors.map(({ metric }) => metric)),
  );
  const counters = [...exported.keys()].filter(name => /_(total|count|sum)$/.test(name));
  // Packets of real servers are shown as bytes, lost frames as drops and as failures of ports, transitions of checks by their targets.
  const left = [
    'sluice_director_server_packets_total',
    'sluice_director_worker_bytes_total',
    'sluice_director_worker_lost_frames_total',
    'sluice_director_port_frames_total',
    'sluice_health_check_transitions_total',
  ];
  expect(counters.filter(name => !shown.has(name))).toEqual(left);
});

describe('docs/metrics.md', () => {
  const text = readFileSync(join(root, 'docs/metrics.md'), 'utf8');
  const blocks = [...text.matchAll(/```promql\n([\s\S]*?)```/g)].map(([, block = '']) => block.trim());
  const expressions = blocks.flatMap(block => block.split('\n')).map(line => line.replace(/\s*#.*$/, ''));

  it('asks in PromQL, and only for what is exported', () => {
    expect(expressions.length).toBeGreaterThan(0);
    expect(judged(expressions)).toMatchObject({ status: 0 });
    expect(expressions.flatMap(unknownIn)).toEqual([]);
  });

  it('names only metrics that are exported', () => {
    const named = [...text.matchAll(/`(sluice_\w+)`/g)].map(([, name = '']) => name);
    expect(named.filter(name => !exported.has(name))).toEqual([]);
  });
});

describe('the reader of expressions', () => {
  it.each([
    ['up', [{ metric: 'up', labels: [] }], []],
    ['sum by (a, b) (rate(x{c="by (z)",d!~`e`}[5m] offset 1h))', [{ metric: 'x', labels: ['c', 'd'] }], ['a', 'b']],
    [
      'x / on (a) group_left y{} > 0.5e3',
      [
        { metric: 'x', labels: [] },
        { metric: 'y', labels: [] },
      ],
      ['a'],
    ],
    ['count without(a) (x) and y unless z', ['x', 'y', 'z'].map(metric => ({ metric, labels: [] })), ['a']],
  ])('%s', (expression, selectors, labels) => {
    expect(usesOf(expression)).toEqual({ selectors, labels });
  });

  it('finds what is not exported', () => {
    expect(unknownIn('sum by (vip) (sluice_nothing{a="b"})')).toEqual([
      'sluice_nothing',
      'sluice_nothing{a}',
      'sum by (vip) (sluice_nothing{a="b"}) by vip',
    ]);
    expect(judged(['sum by (']).status).not.toBe(0);
  });
});
