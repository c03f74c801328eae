// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from 'node:url';

const loader = import.meta.resolve('tsx');

/** The command that runs lab/programs/NAME.ts in Node. */
export function nodeProgram(name: string, ...words: readonly string[]): [string, ...string[]] {
  return [
    process.execPath,
    `--import=${loader}`,
    fileURLToPath(new URL(`../programs/${name}.ts`, import.meta.url)),
    ...words,
  ];
}
