// SPDX-License-Identifier: Apache-2.0
// Debian's package of keepalived, taken apart in out/: its example configurations, and the program itself with the
// libraries that it needs. Nothing is installed, and no service starts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../src/core/package-root.ts';

const folder = join(packageRoot, 'out/keepalived-package');
const root = join(folder, 'root');
const packages = ['keepalived', 'libsnmp40', 'libpci3', 'libwrap0', 'libsensors5'];
const deadlineMilliseconds = 50_000;

function fetch(): boolean {
  if (existsSync(join(root, 'usr/sbin/keepalived'))) return true;
  mkdirSync(root, { recursive: true });
  const options = { cwd: folder, timeout: deadlineMilliseconds } as const;
  if (spawnSync('apt-get', ['download', ...packages], options).status !== 0) return false;
  const files = readdirSync(folder).filter(name => name.endsWith('.deb'));
  return files.every(name => spawnSync('dpkg-deb', ['-x', name, root], options).status === 0);
}

export const hasKeepalived = fetch();

const samplesFolder = join(root, 'usr/share/doc/keepalived/samples');

/** The example configurations of the package. */
export function sampleFiles(): string[] {
  const samples = readdirSync(samplesFolder).filter(name => name.startsWith('keepalived.conf.'));
  return [...samples.map(name => join(samplesFolder, name)), join(root, 'etc/keepalived/keepalived.conf.sample')];
}

/** What `keepalived -t` says about a file, with -i ID; it starts nothing and needs no privileges. */
export function keepalivedLog(file: string, id = 'none'): string[] {
  const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map(path => join(root, path)).join(':');
  const { stderr } = spawnSync(join(root, 'usr/sbin/keepalived'), ['-t', '-C', '-i', id, '-f', file], {
    encoding: 'utf8',
    env: { ...process.env, LD_LIBRARY_PATH: libraries },
    timeout: deadlineMilliseconds,
  });
  return stderr.split('\n');
}

/** The lines in which keepalived meets what it does not know, or does not expect. */
export function unknownLines(log: readonly string[]): number[] {
  const lines = log.flatMap(line => /Line (\d+)\) (?:Unknown keyword|Unexpected)/.exec(line)?.[1] ?? []);
  return [...new Set(lines.map(Number))].sort((a, b) => a - b);
}
