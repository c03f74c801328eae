// SPDX-License-Identifier: Apache-2.0
// `sluice run`, from what the command line says to the end of the last process.
import { readdirSync, rmSync } from 'node:fs';
import { makeRoom } from '../core/api/unix-socket.ts';
import { systemClock } from '../core/clock.ts';
import type { Sections } from '../core/config/snapshot.ts';
import type { Logger } from '../core/logger.ts';
import { addonPath, loadAddon } from '../native/addon.ts';
import { buildIdentity } from './build-identity.ts';
import type { Composition } from './composition.ts';
import { LocalFiles } from './document-files.ts';
import type { Before } from './handover/before.ts';
import type { Hangups } from './hangups.ts';
import { controlPolicy } from './process-policy.ts';
import type { RunOptions } from './run-options.ts';
import { openStateFolders } from './state-folder.ts';
import { Supervisor, type SupervisorEnding } from './supervisor.ts';
import { SupervisorAnswers } from './supervisor-answers.ts';
import { SystemdNotices } from './systemd-notices.ts';
import { canRead, findUser, type User } from './user.ts';

export interface RunRequest<S extends Sections> {
  readonly options: Omit<RunOptions, 'warnings'>;
  readonly adminSocket: string;
  /** The name of the user that all processes but the supervisor run as. */
  readonly user: string;
  /** The only folder whose files can be secrets. */
  readonly secretsFolder: string;
  readonly logger: Logger;
  /** The descriptor that the logger writes to. */
  readonly log: number;
  readonly hangups: Hangups;
  /** What this run takes over; undefined: it begins by itself. */
  readonly before: Before | undefined;
  readonly composition: Composition<S>;
  /** The program of each process. */
  readonly program: string;
}

/** Nobody but who starts a process may open a debugger in it (no-debugger.ts). Node 20 does not know the option. */
const noDebugger = ['--disable-sigusr1'].filter(option => process.allowedNodeEnvironmentFlags.has(option));

/** Where the folders with the sockets of planes are made, one a supervisor. */
const runtimeParent = '/run';
const runtimePrefix = 'sluice-';

export async function run<S extends Sections>(request: RunRequest<S>): Promise<SupervisorEnding> {
  const { options, adminSocket, user, secretsFolder, logger, log, hangups, before, composition, program } = request;
  // A root shell may have files open that no other user may read.
  loadAddon().keepFilesFromPrograms();
  // Whatever the umask of the person is: processes of another user pass through what is made here.
  process.umask(0o022);
  // Of two processes the second finds out before it touches the network.
  if (before === undefined) await makeRoom(adminSocket);
  removeLeftovers();
  const { whom, warnings } = unprivileged(user, program);
  for (const warning of warnings) logger.error(warning);
  const state = openStateFolders(options.stateFolder, whom, {
    history: undefined,
    crashes: undefined,
    ...before?.handover.folders,
  });
  for (const warning of state.warnings) logger.warn(warning);
  const told: RunOptions = { ...options, warnings: [...warnings, ...state.warnings] };
  process.title = 'sluice: supervisor';
  const supervisor = new Supervisor({
    control: controlPolicy,
    planes: composition.planes.map(({ policy }) => policy),
    command: name => [process.execPath, ...process.execArgv, ...noDebugger, program, name, JSON.stringify(told)],
    user: whom,
    adminSocket,
    runtimeFolder: `${runtimeParent}/${runtimePrefix}${process.pid}`,
    folders: state.folders,
    stateFolder: options.stateFolder,
    before,
    build: buildIdentity(),
    log,
    answers: new SupervisorAnswers({ files: new LocalFiles({ source: options.source, secretsFolder }), secretsFolder }),
    clock: systemClock,
    hangups,
    systemd: new SystemdNotices({
      ...{ environment: process.env, pid: process.pid, clock: systemClock },
      tell: (socket, state) => loadAddon().tellServiceManager(socket, state),
    }),
    logger: logger.child({ area: 'supervisor' }),
  });
  return await supervisor.run();
}

/** Whom the processes run as; undefined: as this one. Where they stay with root, a warning says why and what to do. */
function unprivileged(name: string, program: string): { whom: User | undefined; warnings: readonly string[] } {
  // An ordinary user has nothing to give up, and cannot become another user.
  if (process.getuid?.() !== 0) return { whom: undefined, warnings: [] };
  const whom = findUser(name);
  const file = [process.execPath, program, addonPath()].find(each => !canRead(whom, each));
  if (whom.uid === 0) {
    return { whom, warnings: ['all processes run as root, as --user or process.user says: name an ordinary user'] };
  }
  if (file === undefined) return { whom, warnings: [] };
  const warning =
    `all processes run as root: ${whom.name} cannot read ${file}. Root's capabilities are given up, but a process that is ` +
    `taken can write to files of root. Install sluice and node where ${whom.name} can read them, or let ${whom.name} pass ` +
    'the folders above (chmod o+x), and restart sluice';
  return { whom: undefined, warnings: [warning] };
}

/** Folders of supervisors that were killed. */
function removeLeftovers(): void {
  for (const name of readdirSync(runtimeParent)) {
    const pid = new RegExp(`^${runtimePrefix}(\\d+)$`).exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid)))
      rmSync(`${runtimeParent}/${name}`, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
