// SPDX-License-Identifier: Apache-2.0
// Programs of a test, bundled as Sluice itself is: from their sources, they take three times as long to start. Coverage
// counts lines of the sources, so it runs those.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll } from 'vitest';
import { bundling } from '../../tools/bundling.ts';
import { projectRoot } from '../../tools/command.ts';

/** The words of the command that runs `run.ts` of this folder, which starts `process.ts` beside it. For the head of a test file. */
export function bundledCommand(folder: URL): [string, ...string[]] {
  const source = fileURLToPath(folder);
  if (process.env.NODE_V8_COVERAGE !== undefined) {
    return [process.execPath, `--import=${import.meta.resolve('tsx')}`, join(source, 'run.ts')];
  }
  const outdir = mkdtempSync(join(projectRoot, 'out', 'test-'));
  // The processes run as other users.
  chmodSync(outdir, 0o755);
  afterAll(() => rmSync(outdir, { recursive: true, force: true }));
  buildSync({ ...bundling, entryPoints: [join(source, 'run.ts'), join(source, 'process.ts')], outdir });
  return [process.execPath, join(outdir, 'run.js')];
}
