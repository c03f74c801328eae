// SPDX-License-Identifier: Apache-2.0
// Finds the Debian packages that are missing for a group of work, prints what each is for and installs them. Every script
// calls this first with its groups, so that a new machine needs no separate setup.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Failure, heading, isRoot, type RunOptions, run, startScript } from './command.ts';
import { type Group, packagesOf, type SystemPackage, systemPackages } from './packages.ts';

const usage = `
Usage: npm run setup [-- GROUP… | --list]

Installs the Debian packages that the project needs, after printing what each is for. Does nothing when none is missing.
Starts no service of a package. Without root it prints the command to run and stops.

  GROUP    ${Object.keys(systemPackages).join(', ')}; all of them unless given
  --list   print every package with its purpose and whether it is installed; install nothing
`;

const installArguments = ['install', '--yes', '--no-install-recommends', '-qq', '-o', 'Dpkg::Use-Pty=0'];

/**
 * Runs its arguments while /usr/sbin/policy-rc.d forbids packages to start services (Debian's mechanism for this). An
 * existing file is left unchanged. A file that was written is removed when the shell ends, also by Ctrl-C.
 */
const withoutServices = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
"$@"
`;

/** Makes sure that the packages of `groups` are installed. Ends the script if they cannot be installed. */
export function setup(groups: readonly Group[]): void {
  const missing = missingPackages(packagesOf(groups));
  if (missing.length === 0) return;
  heading('missing packages');
  console.log(missing.map(line).join('\n'));
  if (!isDebian()) {
    throw new Failure(
      "This system has no dpkg: install the tools above with the system's package manager and try again.",
    );
  }
  const names = missing.map(row => row.name);
  if (!isRoot) {
    throw new Failure(
      'Installing them needs root. Run this command, then try again:\n\n' +
        `  sudo sh -c 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${names.join(' ')}'`,
    );
  }
  install(names);
}

function aptGet(words: readonly string[], options: RunOptions): boolean {
  const command = ['apt-get', ...words];
  return run('sh', ['-c', withoutServices, 'sh', ...command], { ...options, shownAs: command }) === 0;
}

function install(names: readonly string[]): void {
  // tshark's installation asks who may capture. noninteractive chooses the default: root only.
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  console.log(`Installing ${names.join(' ')}; no service is started.`);
  if (aptGet([...installArguments, ...names], { env, quiet: true })) return;
  console.log('The package lists may be missing or old: fetching them and trying once more.');
  if (aptGet(['update', '-qq'], { env }) && aptGet([...installArguments, ...names], { env })) return;
  throw new Failure(`apt-get could not install ${names.join(' ')}: see its output above.`);
}

function missingPackages(rows: readonly SystemPackage[]): SystemPackage[] {
  if (!isDebian()) return rows.filter(row => row.command !== undefined && !onPath(row.command));
  const installed = installedPackages(rows.map(row => row.name));
  return rows.filter(row => !installed.has(row.name));
}

function installedPackages(names: readonly string[]): Set<string> {
  // dpkg-query exits with 1 if one of the names is unknown, but prints the others.
  const format = '$' + '{Package} $' + '{db:Status-Status}\\n';
  const { stdout } = spawnSync('dpkg-query', ['--show', `--showformat=${format}`, ...names], { encoding: 'utf8' });
  const rows = stdout.split('\n').map(row => row.split(' '));
  return new Set(rows.flatMap(([name, status]) => (name !== undefined && status === 'installed' ? [name] : [])));
}

function isDebian(): boolean {
  return onPath('dpkg-query') && onPath('apt-get');
}

/** Also looks in sbin, which an ordinary user's PATH may lack: network tools are there. */
function onPath(command: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some(folder => isExecutable(join(folder, command)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function line(row: SystemPackage): string {
  return `  ${row.name.padEnd(20)} ${row.purpose}`;
}

function isGroup(word: string): word is Group {
  return Object.hasOwn(systemPackages, word);
}

function list(groups: readonly Group[]): void {
  for (const group of groups) {
    const missing = missingPackages(systemPackages[group]);
    if (systemPackages[group].length > 0) heading(group);
    for (const row of systemPackages[group])
      console.log(`${missing.includes(row) ? 'missing ' : 'present '}${line(row)}`);
  }
}

function main(args: string[]): void {
  const words = args.filter(word => word !== '--list');
  const unknown = words.filter(word => !isGroup(word));
  if (unknown.length > 0) throw new Failure(`no such group: ${unknown.join(', ')}\n${usage.trim()}`, 2);
  const groups = words.length > 0 ? words.filter(isGroup) : Object.keys(systemPackages).filter(isGroup);
  if (args.includes('--list')) {
    list(groups);
    return;
  }
  setup(groups);
  console.log(`up to date: ${packagesOf(groups).length} packages are installed`);
}

await startScript(import.meta.url, usage, main);
