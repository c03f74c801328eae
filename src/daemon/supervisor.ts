// SPDX-License-Identifier: Apache-2.0
// The parent of all processes of `sluice run`, and the only one that keeps root's powers. It starts the processes of the
// table and starts them again; it holds what outlives a crash: listening sockets and the sockets of the crash state
// (native/engine/crash_state.h). It parses no configuration and takes no input from the network. Of its children it
// obeys the messages of messages.ts: control may ask for planes of the table, and questions are answered by
// supervisor-answers.ts.
//
//   start   control first; control asks for planes, gives them their parts, and is then ready
//   end     SIGINT or SIGTERM: control first, so that nothing is configured any more, then the planes
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { SystemError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { version } from '../core/version.ts';
import { loadAddon } from '../native/addon.ts';
import type { Hangups } from './hangups.ts';
import { launch } from './launch.ts';
import { howItEnded, ManagedProcess, type ManagedProcessOptions } from './managed-process.ts';
import type { PlaneSocket, ProcessState, Question } from './messages.ts';
import type { ProcessPolicy } from './process-policy.ts';
import type { Ending } from './started-process.ts';
import type { OpenFolders } from './state-folder.ts';
import type { SupervisorAnswers } from './supervisor-answers.ts';
import type { SystemdNotices } from './systemd-notices.ts';
import { ownUserName, type User } from './user.ts';

export interface SupervisorOptions {
  readonly control: ProcessPolicy;
  readonly planes: readonly ProcessPolicy[];
  /** The program of a process and its arguments. */
  readonly command: (process: string) => readonly string[];
  /** Whom the children run as; undefined: as the supervisor. */
  readonly user: User | undefined;
  /** Of control, where people ask. Nobody else may answer on it. */
  readonly adminSocket: string;
  /** A folder of this process alone, for the sockets of planes. */
  readonly runtimeFolder: string;
  /** Descriptors of folders: control's for the history, the planes' for captures of crashes. */
  readonly folders: OpenFolders;
  /** The descriptor that all processes log to. */
  readonly log: number;
  readonly answers: SupervisorAnswers;
  readonly clock: Clock;
  readonly hangups: Hangups;
  readonly systemd: SystemdNotices;
  readonly logger: Logger;
}

/** How `sluice run` ended: its exit status, and what is still to be said. */
export interface SupervisorEnding {
  readonly exitStatus: 0 | 1 | 2;
  readonly message?: string;
}

/** Less than the 90 s after which systemd kills, more than a drained connection usually needs. */
const stopMilliseconds = 30_000;
const controlName = 'control';

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #control: ManagedProcess;
  readonly #planes = new Map<string, ManagedProcess>();
  readonly #held: number[] = [];
  readonly #sockets: Readonly<Record<string, PlaneSocket>>;
  readonly #since = new Date().toISOString();
  #end: (ending: SupervisorEnding) => void = () => undefined;
  #isEnding = false;
  #isReloadOpen = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const sockets = options.planes.map(
      ({ name }) => [name, { path: join(options.runtimeFolder, `${name}.sock`), token: newToken() }] as const,
    );
    this.#sockets = Object.fromEntries(sockets);
    makeRuntimeFolder(options.runtimeFolder);
    this.#control = this.#manage(options.control, options.adminSocket, { planes: this.#sockets });
    for (const policy of options.planes) {
      const { path = '', token = newToken() } = this.#sockets[policy.name] ?? {};
      this.#planes.set(policy.name, this.#manage(policy, path, { token, planes: {} }));
    }
  }

  /** Runs until the processes are asked to end, or cannot work. */
  async run(): Promise<SupervisorEnding> {
    const ended = new Promise<SupervisorEnding>(resolve => {
      this.#end = resolve;
    });
    const { hangups, logger, systemd } = this.#options;
    const end = (signal: string): void => {
      logger.info({ signal }, this.#isEnding ? 'asked to end again: killing the processes' : 'asked to end');
      if (this.#isEnding) for (const each of this.#all()) each.kill();
      this.#finish({ exitStatus: 0 });
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end);
    logger.info({ version }, 'starting');
    try {
      this.#control.start();
      hangups.passTo(() => this.#reload());
      const ending = await ended;
      systemd.stopping();
      await this.#control.stop(stopMilliseconds);
      await Promise.all([...this.#planes.values()].map(plane => plane.stop(stopMilliseconds)));
      return ending;
    } finally {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
      hangups.stop();
      this.#letGo();
    }
  }

  // Open until control has heard of it. Control that has ended, or ends before it hears, is told when it works again.
  #reload(): void {
    this.#isReloadOpen = true;
    this.#control.send('reload', {});
  }

  #controlChanged(): void {
    if (this.#isReloadOpen && this.#control.state.state === 'starting') this.#reload();
    if (this.#control.state.state === 'running') this.#options.systemd.ready();
    this.#tellControl();
  }

  #finish(ending: SupervisorEnding): void {
    this.#isEnding = true;
    for (const each of this.#all()) each.expectEnd();
    this.#end(ending);
  }

  #all(): ManagedProcess[] {
    return [this.#control, ...this.#planes.values()];
  }

  #manage(policy: ProcessPolicy, path: string, work: ManagedProcessOptions['work']): ManagedProcess {
    const { command, user, clock, logger, folders, log } = this.#options;
    const addon = loadAddon();
    const socket = addon.listenUnix(path);
    // Control connects to the sockets of planes; people connect to the socket of control as the user that started it.
    if (user !== undefined && policy.name !== controlName) chownSync(path, user.uid, user.gid);
    const crashState = addon.crashStateSockets();
    const openedFiles = (policy.openedFiles ?? []).map(({ path }) => openOrNothing(path));
    this.#held.push(socket, ...crashState, ...openedFiles.filter(file => file !== undefined));
    const isControl = policy.name === controlName;
    const folder = isControl ? folders.history : folders.crashes;
    return new ManagedProcess({
      ...{ policy, clock, logger, work },
      user: user?.name ?? ownUserName(),
      launch: () => launch(command(policy.name), policy, user, { log, socket, crashState, folder, openedFiles }),
      changed: () => (isControl ? this.#controlChanged() : this.#tellControl()),
      isFirstStart: () => !this.#control.hasWorked,
      failed: ending => this.#failed(policy.name, ending),
      refused: ({ message, exitStatus }) => {
        if (isControl) this.#refused(message, exitStatus === 2 ? 2 : 1);
      },
      reloading: () => {
        if (isControl) this.#isReloadOpen = false;
      },
      planes: ({ names }) => {
        if (isControl) this.#runPlanes(names);
      },
      ask: ({ request, question }) => void this.#answer(policy.name, request, question),
    });
  }

  async #answer(name: string, request: number, question: Question): Promise<void> {
    const isControl = name === controlName;
    const answer = await this.#options.answers.answer(name, isControl, question);
    const process = isControl ? this.#control : this.#planes.get(name);
    process?.send('answer', { request, ...answer });
  }

  // At the first start nothing works that could be lost. Later the planes go on, and control is started again.
  #refused(message: string, exitStatus: 1 | 2): void {
    if (!this.#control.hasWorked) {
      this.#finish({ exitStatus, message });
      return;
    }
    this.#options.logger.error({ reason: message }, 'control cannot begin: starting it again, the planes go on');
    this.#control.kill();
  }

  #failed(name: string, ending: Ending): void {
    if (this.#isEnding) return;
    this.#finish({
      exitStatus: 1,
      message: `the process ${name} ${howItEnded(ending)} before it was ready (see its log above)`,
    });
  }

  #runPlanes(names: readonly string[]): void {
    if (this.#isEnding) return;
    for (const [name, plane] of this.#planes) {
      if (names.includes(name)) plane.start();
      else void plane.stop(stopMilliseconds);
    }
  }

  #tellControl(): void {
    this.#control?.send('processes', { processes: [this.#ownState(), ...this.#all().map(({ state }) => state)] });
  }

  #ownState(): ProcessState {
    const own = { name: 'supervisor', state: 'running', pid: process.pid, user: ownUserName() } as const;
    return { ...own, since: this.#since, restarts: 0 };
  }

  #letGo(): void {
    const { history, crashes } = this.#options.folders;
    for (const descriptor of [...this.#held, history, crashes]) if (descriptor !== undefined) closeSync(descriptor);
    rmSync(this.#options.adminSocket, { force: true });
    rmSync(this.#options.runtimeFolder, { recursive: true, force: true });
  }
}

/** Control passes through it as another user. */
function makeRuntimeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o711);
  } catch (error) {
    const remedy = 'make its parent writable for root: the sockets of the processes are in it';
    throw SystemError.from(error, 'cannot make the folder of the sockets', { place: { file: folder }, remedy });
  }
}

function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/** A process says itself what it lacks, once it needs the file. */
function openOrNothing(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}
