// SPDX-License-Identifier: Apache-2.0
// Installs another release of Node from the npm registry, to run the same tests on it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { heading, mustRun, projectRoot } from '../tools/command.ts';

/** The path of a Node binary of this major version. The first call downloads it into out/ (190 MB). */
export function nodeRelease(major: string): string {
  const name = `node-linux-${process.arch}`;
  const folder = `out/node${major}`;
  const binary = join(projectRoot, folder, 'node_modules', name, 'bin/node');
  if (!existsSync(binary)) {
    heading(`Node ${major}, from npm's ${name}`);
    mustRun('npm', ['install', '--prefix', folder, '--no-save', '--no-package-lock', `${name}@${major}`], {
      quiet: true,
    });
  }
  return binary;
}
