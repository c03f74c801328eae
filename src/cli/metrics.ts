// SPDX-License-Identifier: Apache-2.0
// `sluice metrics`: prints what a scraper gets.
import { metricsRoute } from '../control/api.ts';
import { UsageError } from '../core/errors.ts';
import { type MetricsFormat, metricsMediaTypes } from '../core/metrics/text.ts';
import { type Command, parseOptions, print } from './command.ts';
import { clientOf, socketUsage } from './question.ts';

const formats = Object.keys(metricsMediaTypes) as MetricsFormat[];

const usage = `Usage: sluice metrics [OPTION…]

Prints the metrics of a running Sluice, as \`GET /metrics\` on the admin socket gives them to a scraper. docs/metrics.md
describes them.

  --format FORMAT  openmetrics (unless given), or prometheus: the older text format
${socketUsage}
`;

async function run(args: readonly string[]): Promise<0> {
  const parsed = parseOptions(args, { socket: { type: 'string' }, format: { type: 'string' } });
  const word = parsed.values.get('format')?.[0] ?? 'openmetrics';
  const format = formats.find(each => each === word);
  if (format === undefined) {
    throw new UsageError('there is no such format', { value: word, remedy: 'use openmetrics or prometheus' });
  }
  print(await clientOf(parsed).text(metricsRoute, {}, { accept: metricsMediaTypes[format] }));
  return 0;
}

export const metricsCommand: Command = { usage, run };
