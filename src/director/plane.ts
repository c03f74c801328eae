// SPDX-License-Identifier: Apache-2.0
// The director as a plane. The first part opens the devices and forwards; every later one is staged on all workers and
// comes into force on all of them or on none. What cannot change while the director runs is refused in prepare.
import { basename, join } from 'node:path';
import type { Answering } from '../core/api/route.ts';
import { systemClock } from '../core/clock.ts';
import { HostError } from '../core/errors.ts';
import type { EventFacts, Tell } from '../core/events/event.ts';
import type { Finding, Subject } from '../core/explanation.ts';
import type { Logger } from '../core/logger.ts';
import type { Plane, PlanePart, Prepared } from '../core/plane.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeCrashState } from '../native/live-director.ts';
import { directorAnswers } from './answers.ts';
import { cpusFor } from './cpus.ts';
import { writeCrashCapture } from './crash-capture.ts';
import { DeviceClaims } from './device-claims.ts';
import { defaultDevices } from './devices.ts';
import { directorFindings } from './findings.ts';
import { LiveDirector } from './live-director.ts';
import { DirectorMetrics } from './metrics.ts';
import type { DirectorModel } from './model.ts';
import { NoticeLog } from './notice-log.ts';
import { directorSection } from './section.ts';

/** Between two looks for new notices. */
const noticesMilliseconds = 5000;

export interface DirectorEnvironment {
  readonly logger: Logger;
  readonly crashState: NativeCrashState;
  /** The process before was ended for this one; otherwise it has crashed. */
  readonly replaces: boolean;
  /** The files of the policy (src/daemon/table.ts): /dev/net/tun. */
  readonly openedFiles: readonly number[];
  /** The folder for captures of what a crashed process was given last: for people, and for this process. */
  readonly crashFolder: { readonly shown: string; readonly path: string };
  /** The devices of the process before. */
  readonly handover: unknown;
  readonly tell: Tell;
}

/** What a process hands over: a device that is not there at the takeover may come back. */
interface Handover {
  readonly devices: readonly string[];
}

/** Is done while the process stands by: the kernel looks through the BPF programs, which takes a second of a CPU. */
export function prepareDirectorPlane({
  workers,
  stealing,
}: {
  workers: number | 'auto';
  stealing?: string | undefined;
}) {
  loadAddon().prepareStealing({ workers: cpusFor(workers).length, stealing });
}

export function createDirectorPlane(environment: DirectorEnvironment) {
  const plane = new DirectorPlane(environment);
  const running = (): LiveDirector => plane.running;
  const answers: readonly Answering[] = directorAnswers(running, environment.tell);
  const metrics = new DirectorMetrics();
  return { plane, answers, metrics: () => metrics.collect(running()), close: () => plane.close() };
}

export class DirectorPlane implements Plane<DirectorModel> {
  readonly name = directorSection.key;
  readonly #environment: DirectorEnvironment;
  #running: LiveDirector | undefined;
  #claims: DeviceClaims | undefined;
  #digest: string | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(environment: DirectorEnvironment) {
    this.#environment = environment;
  }

  async prepare(part: PlanePart<DirectorModel>): Promise<Prepared> {
    return this.#running === undefined ? await this.#open(part) : this.#change(this.#running, part);
  }

  async inForce(): Promise<string | undefined> {
    return this.#digest;
  }

  async explain(subject: Subject): Promise<readonly Finding[]> {
    return this.#running === undefined ? [] : directorFindings(this.#running, subject);
  }

  handover(): Handover {
    return { devices: this.#running?.devices ?? [] };
  }

  get running(): LiveDirector {
    if (this.#running !== undefined) return this.#running;
    throw new HostError('the director does not forward yet', { remedy: 'try again in a moment' });
  }

  close(): void {
    clearInterval(this.#watch);
    this.#running?.close();
    this.#claims?.release();
    this.#running = undefined;
  }

  // No director runs in this process yet: the new one is made whole here, and abort discards it.
  async #open({ model, digest }: PlanePart<DirectorModel>): Promise<Prepared> {
    const { crashState, replaces, openedFiles, logger, handover } = this.#environment;
    const isSuccessor = crashState.configuration() !== undefined;
    const frames = replaces ? [] : crashState.lastBatches();
    const { stealing } = model;
    const devices = (handover as Handover | undefined)?.devices ?? defaultDevices();
    const claims = await DeviceClaims.take(model.ports.length > 0 ? model.ports : devices.map(device => ({ device })));
    let running: LiveDirector;
    try {
      running = new LiveDirector({
        ...{ model, devices, stealing, crashState },
        cpus: cpusFor(model.workers),
        tunDevice: openedFiles[0],
        poolChanged: (pool, isNearlyEmpty) => this.#environment.tell(poolEvent(pool, isNearlyEmpty)),
      });
    } catch (error) {
      claims.release();
      throw error;
    }
    return {
      changes: ['the director is opened'],
      commit: async () => {
        this.#running = running;
        this.#claims = claims;
        this.#digest = digest;
        const unkept = running.takeOver();
        if (unkept !== undefined) logger.warn({ reason: unkept }, 'after a crash connections would not be carried on');
        const { ports, notices, stealing: way } = running.state();
        // The one program that the director starts is nft(8).
        const failure = loadAddon().confine({ allowExec: way === 'nftables', allowBpf: true });
        if (failure !== undefined) logger.warn({ reason: failure.problem }, 'the process may still start programs');
        const noticeLog = new NoticeLog(logger);
        noticeLog.write(notices);
        this.#watch = setInterval(() => noticeLog.write(running.state().notices), noticesMilliseconds);
        logger.info({ ports: ports.map(({ name }) => name), stealing: way }, 'ready');
        if (!isSuccessor) return;
        if (replaces) logger.info(running.restored, 'flows of the process before are carried on');
        else logger.warn(running.restored, 'flows of the process that crashed are carried on');
        if (frames.length > 0) this.#report(frames, running.devices);
      },
      abort: async () => {
        running.discard();
        claims.release();
      },
    };
  }

  #change(running: LiveDirector, { model, digest }: PlanePart<DirectorModel>): Prepared {
    const staged = running.prepare(model);
    return {
      changes: staged.changes.map(directorSection.describe),
      commit: async () => {
        staged.commit();
        this.#digest = digest;
      },
      abort: async () => staged.abort(),
    };
  }

  #report(frames: Parameters<typeof writeCrashCapture>[1], devices: readonly string[]): void {
    const { crashFolder, logger } = this.#environment;
    try {
      const file = writeCrashCapture(crashFolder.path, frames, devices, systemClock);
      const capture = join(crashFolder.shown, basename(file));
      logger.warn({ capture, frames: frames.length }, 'what the process that crashed was given last');
    } catch (err) {
      logger.error({ err }, 'what the process that crashed was given last could not be written');
    }
  }
}

function poolEvent(pool: string, isNearlyEmpty: boolean): EventFacts {
  return isNearlyEmpty
    ? {
        ...{ kind: 'pool.nearly-empty', severity: 'warning', subject: pool, fields: { pool } },
        text: `the pool ${pool} is nearly empty: add local addresses to it`,
      }
    : {
        ...{ kind: 'pool.relieved', severity: 'info', subject: pool, fields: { pool } },
        text: `the pool ${pool} has enough local ports again`,
      };
}
