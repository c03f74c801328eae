// SPDX-License-Identifier: Apache-2.0
// The words that start `sluice` as a process of its own: the JavaScript that ships, which `npm test` has built. It starts
// in a third of the time that the sources take through tsx. Coverage counts lines of the sources, and so takes those.
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
