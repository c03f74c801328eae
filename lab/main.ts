// SPDX-License-Identifier: Apache-2.0
// `npm run lab -- NAME …`: the lab's tools.

import { oracle } from './ipvs-oracle/main.ts';

const tools: Record<string, (args: readonly string[]) => Promise<number>> = { oracle };

const [name = '', ...args] = process.argv.slice(2);
const tool = tools[name];
if (tool) {
  process.exitCode = await tool(args);
} else {
  const asked = name === '--help';
  (asked ? process.stdout : process.stderr).write(
    `Usage: npm run lab -- TOOL [ARGUMENT…]\nTools: ${Object.keys(tools).join(', ')}\n`,
  );
  process.exitCode = asked ? 0 : 2;
}
