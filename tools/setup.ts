// SPDX-License-Identifier: Apache-2.0
// Finds the Debian packages that are missing for a piece of work, says what each is for and installs them. Every other
// script calls it for its own group first, so that a fresh machine needs no step of its own.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Failure, heading, isRoot, type RunOptions, run, startScript } from './command.ts';
import { type Group, packagesOf, type SystemPackage, systemPackages } from './packages.ts';

const usage = `
Usage: npm run setup [-- GROUP… | --list]

Installs the Debian packages that the project's work needs, after saying what each is for. Does nothing when none is
missing. Starts none of the services that packages bring. Without root it prints the line to run and stops.

  GROUP    ${Object.keys(systemPackages).join(', ')}; all of them when none is named
  --list   print every package with its purpose and whether it is installed; install nothing
`;

const installArguments = ['install', '--yes', '--no-install-recommends', '-qq', '-o', 'Dpkg::Use-Pty=0'];

/**
 * Runs its arguments while /usr/sbin/policy-rc.d forbids packages to start services, as Debian's policy has it. A policy
 * that the machine has already is left as it is. What was written is removed however the shell ends, by Ctrl-C too.
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

/** Makes sure that the packages of `groups` are installed; ends the script when they cannot be. */
export function setup(groups: readonly Group[]): void {
  const missing = missingPackages(packagesOf(groups));
  if (missing.length === 0) return;
  heading('packages that are missing');
  console.log(missing.map(line).join('\n'));
  if (!isDebian()) {
    throw new Failure('This system has no dpkg: install the tools above in its own way, then run this again.');
  }
  const names = missing.map(row => row.name);
  if (!isRoot) {
    throw new Failure(
      'Installing them needs root. Run this line, then the same command again:\n\n' +
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
  // tshark asks at installation who may capture; noninteractive answers with the default, which is root only.
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  console.log(`Installing ${names.join(' ')}; no service is started.`);
  if (aptGet([...installArguments, ...names], { env, quiet: true })) return;
  console.log('The package lists may be missing or old: fetching them and trying once more.');
  if (aptGet(['update', '-qq'], { env }) && aptGet([...installArguments, ...names], { env })) return;
  throw new Failure(`apt-get could not install ${names.join(' ')}: its own words are above.`);
}

function missingPackages(rows: readonly SystemPackage[]): SystemPackage[] {
  if (!isDebian()) return rows.filter(row => row.command !== undefined && !onPath(row.command));
  const installed = installedPackages(rows.map(row => row.name));
  return rows.filter(row => !installed.has(row.name));
}

function installedPackages(names: readonly string[]): Set<string> {
  // dpkg-query exits with 1 when one of the names is unknown, and still prints the others.
  const format = '$' + '{Package} $' + '{db:Status-Status}\\n';
  const { stdout } = spawnSync('dpkg-query', ['--show', `--showformat=${format}`, ...names], { encoding: 'utf8' });
  const rows = stdout.split('\n').map(row => row.split(' '));
  return new Set(rows.flatMap(([name, status]) => (name !== undefined && status === 'installed' ? [name] : [])));
}

function isDebian(): boolean {
  return onPath('dpkg-query') && onPath('apt-get');
}

/** Package managers and network tools live in sbin, which an ordinary user's PATH may lack. */
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
