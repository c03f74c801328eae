// SPDX-License-Identifier: Apache-2.0
// Runs skipping.ts with vitest and leaves the list of what was not run in the file of the first argument.
import { fileURLToPath } from 'node:url';
import { startVitest } from 'vitest/node';
import { NotRunReporter } from '../../not-run-reporter.ts';

const [list] = process.argv.slice(2);
if (list === undefined) throw new Error('usage: run-skipping FILE');
const vitest = await startVitest('test', [], {
  config: false,
  watch: false,
  include: [fileURLToPath(new URL('./skipping.ts', import.meta.url))],
  pool: 'forks',
  execArgv: ['--import=tsx'],
  experimental: { viteModuleRunner: false, nodeLoader: false },
  reporters: ['dot', new NotRunReporter(list)],
});
await vitest.close();
