// SPDX-License-Identifier: Apache-2.0
// Which process owns a namespace. Every topology has an id that is unique on the machine, and its namespaces are called
// sl<id>-<name>. The id holds the number and the start time of the process that made the topology. So a later run can tell
// whether that process still runs, even after kill -9 and when the number is used by another process:
//
//   sl4711.9k3f2.1-client        process 4711, started 9k3f2 (clock ticks since boot, base 36), its first topology
//
// A topology that was kept on purpose has a file `kept` in its folder below /run/sluice-lab; `npm run lab -- down` removes
// it. All other topologies are removed by their process, or by the next run.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './lab-error.ts';

const namespaceFolder = '/run/netns';
/** Below /run, as only root can write there, and a reboot removes it together with the namespaces. */
const runFolder = '/run/sluice-lab';
const namespaceName = /^sl((?<pid>\d+)\.(?<start>[0-9a-z]+)\.\d+)-/;

let topologies = 0;

/** An id for a new topology of this process. */
export function newId(): string {
  topologies += 1;
  return `${process.pid}.${startOf(process.pid)}.${topologies}`;
}

export function namespaceOf(id: string, name: string): string {
  return `sl${id}-${name}`;
}

export function namespacePath(namespace: string): string {
  return join(namespaceFolder, namespace);
}

/** The folder of a topology's files: logs, captures, files that its programs read. */
export function folderOf(id: string): string {
  return join(runFolder, id);
}

export function makeFolder(id: string): string {
  mkdirSync(folderOf(id), { recursive: true, mode: 0o700 });
  return folderOf(id);
}

/** When a process started, in clock ticks since boot, base 36 (proc(5), field 22). Undefined if it does not exist or is a zombie. */
function startOf(pid: number): string | undefined {
  try {
    const fromState = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fromState[0] === 'Z' ? undefined : Number(fromState[19]).toString(36);
  } catch {
    return undefined;
  }
}

function namespaces(): string[] {
  if (!existsSync(namespaceFolder)) return [];
  return readdirSync(namespaceFolder).filter(name => namespaceName.test(name));
}

export function namespacesOf(id: string): string[] {
  return namespaces().filter(name => name.startsWith(namespaceOf(id, '')));
}

/** The ids of all topologies on this machine that have a namespace or a folder. */
function ids(): string[] {
  const fromNames = namespaces().flatMap(name => namespaceName.exec(name)?.[1] ?? []);
  const fromFolders = existsSync(runFolder) ? readdirSync(runFolder) : [];
  return [...new Set([...fromNames, ...fromFolders.filter(id => namespaceName.test(namespaceOf(id, '')))])];
}

function isOwned(id: string): boolean {
  const { pid, start } = namespaceName.exec(namespaceOf(id, ''))?.groups ?? {};
  return start !== undefined && startOf(Number(pid)) === start;
}

/** The ids of this process's topologies, without those that were kept on purpose. */
export function ownIds(): string[] {
  const own = `${process.pid}.${startOf(process.pid)}.`;
  return ids().filter(id => id.startsWith(own) && !existsSync(keptFile(id)));
}

export interface KeptTopology {
  readonly id: string;
  /** The scenario that it was made for. */
  readonly scenario: string;
  readonly hosts: readonly string[];
}

const keptFile = (id: string) => join(folderOf(id), 'kept');

export function keep(topology: KeptTopology): void {
  writeFileSync(keptFile(topology.id), JSON.stringify(topology));
}

export function keptTopologies(): KeptTopology[] {
  return ids()
    .filter(id => existsSync(keptFile(id)))
    .map(id => JSON.parse(readFileSync(keptFile(id), 'utf8')));
}

/** Removes the topologies of processes that ended without removing them. Returns how many there were. */
export function removeAbandoned(): number {
  const abandoned = ids().filter(id => !isOwned(id) && !existsSync(keptFile(id)));
  for (const id of abandoned) remove(id);
  return abandoned.length;
}

/** Kills the programs in the topology's namespaces, and removes the namespaces and the folder. Synchronous, for signal handlers. */
export function remove(id: string): void {
  const names = namespacesOf(id);
  for (const name of names) killProgramsIn(name);
  for (const name of names) spawnSync('ip', ['netns', 'del', name]);
  const left = namespacesOf(id);
  if (left.length > 0) throw new LabError(`these namespaces could not be removed: ${left.join(' ')}`);
  rmSync(folderOf(id), { recursive: true, force: true });
}

function killProgramsIn(namespace: string): void {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  for (const pid of (stdout ?? '').split('\n').filter(line => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // The process has ended meanwhile.
    }
  }
}
