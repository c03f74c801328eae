// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(import.meta.url);

/** Whether this code is run as it is written, from src/, and not as it is shipped, from dist/. */
export const runsFromSource = here.endsWith('.ts');

/** The folder of this package. Built files stand at several depths below it, so it is the first that has a manifest. */
export const packageRoot = ((): string => {
  let folder = dirname(here);
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
})();
