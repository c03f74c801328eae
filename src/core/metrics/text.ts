// SPDX-License-Identifier: Apache-2.0
// Metrics as text, in two formats of which a scraper chooses one: OpenMetrics 1.0.0, and Prometheus' older format 0.0.4.
// They differ in the names of families (OpenMetrics has `_total` and `_info` only in the names of samples), in the types
// (the older one has no info), in UNIT and EOF, and in the escaping of HELP.
import type { Family, Metric } from './family.ts';

export type MetricsFormat = 'openmetrics' | 'prometheus';

export const metricsMediaTypes: Readonly<Record<MetricsFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

export function metricsText(metrics: readonly Metric[], format: MetricsFormat): string {
  const parts = metrics.flatMap(({ family, samples }) => [
    ...(format === 'openmetrics' ? openMetricsHead(family) : prometheusHead(family)),
    ...samples.flatMap(sample => sampleLines(family, sample)),
  ]);
  const end = format === 'openmetrics' ? ['# EOF'] : [];
  return `${[...parts, ...end].join('\n')}\n`;
}

function openMetricsHead({ name, type, unit, help }: Family): string[] {
  return [
    `# TYPE ${name} ${type}`,
    ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
    `# HELP ${name} ${escaped(help)}`,
  ];
}

function prometheusHead(family: Family): string[] {
  const name = sampleName(family);
  const help = family.help.replace(/[\\\n]/g, escapedCharacter);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${family.type === 'info' ? 'gauge' : family.type}`];
}

/** The name of a sample; of a summary, without the word for one of its two samples. */
export function sampleName({ name, type }: Family): string {
  if (type === 'counter') return `${name}_total`;
  return type === 'info' ? `${name}_info` : name;
}

function sampleLines(family: Family, { labels: values, value }: Metric['samples'][number]): string[] {
  const name = sampleName(family);
  const pairs = family.labels.map((label, index) => `${label}="${escaped(values[index] ?? '')}"`);
  const labels = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  if (typeof value === 'number') return [`${name}${labels} ${value}`];
  return [`${name}_count${labels} ${value.count}`, `${name}_sum${labels} ${value.sum}`];
}

function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, escapedCharacter);
}

function escapedCharacter(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}
