// SPDX-License-Identifier: Apache-2.0
// The command that starts `sluice` as a process: the JavaScript that ships, which `npm test` builds. The sources, run by tsx,
// take three times as long to start. Coverage counts lines of the sources, so it runs those.
import { fileURLToPath } from 'node:url';

const fromSources = [
  `--import=${import.meta.resolve('tsx')}`,
  fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url)),
] as const;
const asShipped = [fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))] as const;

export const sluiceCommand: readonly [string, ...string[]] = [
  process.execPath,
  ...(process.env.NODE_V8_COVERAGE === undefined ? asShipped : fromSources),
];
