// SPDX-License-Identifier: Apache-2.0
// Metrics as programs read them that we did not write: the reference parser of OpenMetrics (prometheus_client), and
// promtool of Prometheus.
import { spawnSync } from 'node:child_process';
import { outsideEnvironment } from '../../../outside-environment.ts';

export interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly help: string;
  readonly samples: readonly (readonly [name: string, labels: Readonly<Record<string, string>>, value: number])[];
}

const program = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = text_string_to_metric_families(sys.stdin.buffer.read().decode())
json.dump([{"name": f.name, "type": f.type, "unit": f.unit, "help": f.documentation,
            "samples": [[s.name, s.labels, s.value] for s in f.samples]} for f in families], sys.stdout)
`;

/** Debian's, which finds the packages of Debian. */
const python = '/usr/bin/python3';

/** Throws what the parser says where the text is not OpenMetrics. */
export function readOpenMetrics(text: string): ReadFamily[] {
  const { status, stdout, stderr } = spawnSync(python, ['-c', program], {
    input: text,
    encoding: 'utf8',
    env: outsideEnvironment,
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`not OpenMetrics: ${stderr}`);
  return JSON.parse(stdout);
}

/** What `promtool check metrics` says of the older text format. */
export function lint(text: string): { readonly status: number | null; readonly output: string } {
  return promtool(['check', 'metrics'], text);
}

export function promtool(args: readonly string[], input = ''): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', [...args], {
    input,
    encoding: 'utf8',
    env: outsideEnvironment,
  });
  return { status, output: `${stdout}${stderr}` };
}
