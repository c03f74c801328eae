// SPDX-License-Identifier: Apache-2.0
// The parent of all processes of `sluice run`, and the only one that keeps root's powers. It starts the processes of the
// table and starts them again; it holds what outlives a crash: listening sockets and the sockets of the crash state
// (native/engine/crash_state.h). It parses no configuration and takes no input from the network. Of its children it
// obeys the messages of messages.ts: control may ask for planes of the table, and questions are answered by
// supervisor-answers.ts.
//
//   start   control first; control asks for planes, gives them their parts, and is then ready
//   end     SIGINT or SIGTERM: control first, so that nothing is configured any more, then the planes
//   upgrade the next supervisor, of the files on disk, takes over what is held (handover/messages.ts)
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { SystemError, serializeError, UnavailableError } from '../core/errors.ts';
import { given } from '../core/given.ts';
import type { Logger } from '../core/logger.ts';
import { version } from '../core/version.ts';
import { loadAddon } from '../native/addon.ts';
import type { Before } from './handover/before.ts';
import type { Handover } from './handover/messages.ts';
import { NextSupervisor } from './handover/next-supervisor.ts';
import type { Hangups } from './hangups.ts';
import { descriptorsOf, type HeldRow, makeRow, takeRow } from './held-row.ts';
import { launch } from './launch.ts';
import { ManagedProcess, type ManagedProcessOptions } from './managed-process.ts';
import type { PlaneSocket, ProcessState, Question } from './messages.ts';
import type { ProcessPolicy } from './process-policy.ts';
import { type Ending, howItEnded } from './started-process.ts';
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
  /** The folder that these are in. */
  readonly stateFolder: string;
  /** The supervisor that this one takes over from, and what it hands over. */
  readonly before: Before | undefined;
  /** What this program is, for comparison with the one on disk. */
  readonly build: string;
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
/** For control to answer who has asked for an upgrade, before control is killed. */
const answerMilliseconds = 200;
const controlName = 'control';

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #control: ManagedProcess;
  readonly #planes = new Map<string, ManagedProcess>();
  readonly #held = new Map<string, HeldRow>();
  readonly #sockets: Readonly<Record<string, PlaneSocket>>;
  readonly #since = new Date().toISOString();
  #end: (ending: SupervisorEnding) => void = () => undefined;
  #isEnding = false;
  #isReloadOpen = false;
  /** Something has worked that could be lost. */
  #hasBegun = false;
  /** Rows that worked under the supervisor before, and have to work here. */
  #taken: readonly ManagedProcess[] = [];
  #next: NextSupervisor | undefined;
  #isHandedOver = false;
  /** Why the build on disk did not take over, and which build that was. */
  #lastError: ProcessState['lastError'];
  #refusedBuild: string | undefined;

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
      const { before } = this.#options;
      if (before === undefined) this.#control.start();
      else await this.#takeOver(before);
      hangups.passTo(() => this.#reload());
      const ending = await ended;
      if (!this.#isHandedOver) systemd.stopping();
      await this.#next?.kill();
      await this.#control.stop(stopMilliseconds);
      await Promise.all([...this.#planes.values()].map(plane => plane.stop(stopMilliseconds)));
      return ending;
    } finally {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
      hangups.stop();
      this.#letGo();
    }
  }

  /** Goes on with what the supervisor before has held. */
  async #takeOver({ supervisor, handover }: Before): Promise<void> {
    const worked = handover.rows.filter(({ works }) => works).map(({ name }) => name);
    const rows = this.#all().filter(({ state }) => worked.includes(state.name));
    try {
      await Promise.all(rows.map(row => row.prepare()));
    } catch (error) {
      const { message } = serializeError(error);
      supervisor.refuse(message);
      this.#finish({ exitStatus: 1, message });
      return;
    }
    supervisor.prepared();
    const asked = await supervisor.takeOver;
    if (asked === undefined) {
      this.#finish({ exitStatus: 1, message: 'the supervisor that this one was to take over from is gone' });
      return;
    }
    this.#options.logger.info({ version }, 'takes over from the supervisor before');
    this.#hasBegun = true;
    this.#isReloadOpen = asked.reload;
    this.#taken = rows;
    // Planes go on without control.
    for (const row of [...rows].reverse()) row.start();
  }

  /** Starts the next supervisor. Throws why it cannot take over; resolves when it is about to. `build`: what is on disk. */
  async #upgrade(build: string): Promise<number> {
    if (this.#next !== undefined || this.#isEnding) {
      throw new UnavailableError('an upgrade is going on already', { remedy: 'wait until it is over' });
    }
    this.#options.logger.info({ program: process.argv[1] }, 'starting the next supervisor');
    const next = new NextSupervisor(this.#handover(), this.#options.clock);
    this.#next = next;
    try {
      await next.prepared;
    } catch (error) {
      await this.#giveUp(next, build, error);
      throw error;
    }
    this.#options.clock.after(answerMilliseconds, () => void this.#handOver(next, build));
    return next.pid ?? 0;
  }

  async #giveUp(next: NextSupervisor, build: string, error: unknown): Promise<void> {
    await next.kill();
    this.#next = undefined;
    this.#lastError = { at: new Date(this.#options.clock.now()).toISOString(), message: serializeError(error).problem };
    this.#refusedBuild = build;
    this.#tellControl();
  }

  async #handOver(next: NextSupervisor, build: string): Promise<void> {
    if (this.#isEnding) return;
    const { logger, systemd } = this.#options;
    if (!next.isAlive) {
      await this.#giveUp(next, build, new UnavailableError('the new build ended before it took over'));
      return;
    }
    const worked = this.#all().filter(({ state }) => state.state !== 'stopped');
    try {
      await Promise.all(worked.map(row => row.release()));
      const works = next.takeOver(this.#isReloadOpen);
      this.#isReloadOpen = false;
      await works;
    } catch (err) {
      if (this.#isEnding) return;
      await this.#giveUp(next, build, err);
      logger.error({ err }, 'the next supervisor does not work: going on');
      for (const row of [...worked].reverse()) row.start();
      return;
    }
    const pid = next.pid ?? 0;
    logger.info({ next: pid }, 'the next supervisor works: ending');
    // One that has come since the takeover.
    if (this.#isReloadOpen) process.kill(pid, 'SIGHUP');
    systemd.handedOverTo(pid);
    next.leave();
    this.#next = undefined;
    this.#isHandedOver = true;
    this.#finish({ exitStatus: 0 });
  }

  #handover(): Handover {
    const { runtimeFolder, stateFolder, folders } = this.#options;
    return {
      flowLayout: loadAddon().flowLayout,
      rows: this.#all().map(({ state: { name, pid } }) => {
        const { socket, crashState, openedFiles } = this.#rowOf(name);
        const files = openedFiles.map(file => file ?? null);
        return { name, socket, crashState: [...crashState], openedFiles: files, works: pid !== undefined };
      }),
      folders: given(folders),
      runtimeFolder,
      stateFolder,
    };
  }

  #rowOf(name: string): HeldRow {
    const row = this.#held.get(name);
    if (row === undefined) throw new Error(`nothing is held for ${name}`);
    return row;
  }

  // Open until control has heard of it. Control that has ended, or ends before it hears, is told when it works again.
  #reload(): void {
    this.#isReloadOpen = true;
    this.#control.send('reload', {});
  }

  #controlChanged(): void {
    if (this.#isReloadOpen && this.#control.state.state === 'starting') this.#reload();
    if (this.#control.state.state === 'running') {
      this.#hasBegun = true;
      if (this.#options.before === undefined) this.#options.systemd.ready();
    }
    this.#changed();
  }

  #changed(): void {
    this.#tellControl();
    const { before, systemd } = this.#options;
    if (before === undefined || this.#taken.length === 0) return;
    if (this.#taken.some(({ state: { state } }) => state !== 'running')) return;
    this.#taken = [];
    before.supervisor.works();
    // systemd believes the process that it knows, and that one tells it of this one.
    void before.supervisor.gone.then(() => systemd.ready());
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
    const isControl = policy.name === controlName;
    const held = this.#hold(policy, path);
    this.#held.set(policy.name, held);
    const folder = isControl ? folders.history : folders.crashes;
    return new ManagedProcess({
      ...{ policy, clock, logger, work },
      user: user?.name ?? ownUserName(),
      launch: () => launch(command(policy.name), policy, user, { log, folder, ...held }),
      changed: () => (isControl ? this.#controlChanged() : this.#changed()),
      isFirstStart: () => !this.#hasBegun,
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

  #hold(policy: ProcessPolicy, path: string): HeldRow {
    const { user, before } = this.#options;
    const isControl = policy.name === controlName;
    const row = before?.handover.rows.find(({ name }) => name === policy.name);
    // Control connects to the sockets of planes; people connect to the socket of control as the user that started it.
    if (before === undefined || row === undefined) return makeRow(policy, path, isControl ? undefined : user);
    const openedFiles = row.openedFiles.map(file => file ?? undefined);
    const earlier = isControl ? path : join(before.handover.runtimeFolder, `${policy.name}.sock`);
    return takeRow(policy, { ...row, openedFiles }, earlier, path);
  }

  async #answer(name: string, request: number, question: Question): Promise<void> {
    const isControl = name === controlName;
    const process = isControl ? this.#control : this.#planes.get(name);
    const asking = process?.state.pid;
    const answer =
      isControl && 'upgrade' in question
        ? await this.#upgrade(question.upgrade.build).then(
            next => ({ answer: { next } }),
            (error: unknown) => ({ error: serializeError(error) }),
          )
        : await this.#options.answers.answer(name, isControl, question);
    // The process after it counts its questions anew.
    if (process?.state.pid === asking) process?.send('answer', { request, ...answer });
  }

  // At the first start nothing works that could be lost. Later the planes go on, and control is started again.
  #refused(message: string, exitStatus: 1 | 2): void {
    if (!this.#hasBegun) {
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
    const { build } = this.#options;
    const refused = given({ lastError: this.#lastError, refusedBuild: this.#refusedBuild });
    return { ...own, build, since: this.#since, restarts: 0, ...refused };
  }

  #letGo(): void {
    const { history, crashes } = this.#options.folders;
    const held = [...this.#held.values()].flatMap(descriptorsOf);
    const isOnlyPrepared = this.#options.before !== undefined && !this.#hasBegun;
    for (const descriptor of [...held, history, crashes]) if (descriptor !== undefined) closeSync(descriptor);
    if (!this.#isHandedOver && !isOnlyPrepared) rmSync(this.#options.adminSocket, { force: true });
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
