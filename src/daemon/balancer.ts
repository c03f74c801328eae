// SPDX-License-Identifier: Apache-2.0
// The running balancer: a live director that forwards by a snapshot, and the questions that it answers.

import { controlReload, controlStatus } from '../control/api.ts';
import { openApiRoute } from '../core/api/openapi.ts';
import { type Answering, answering } from '../core/api/route.ts';
import { systemClock } from '../core/clock.ts';
import { UnavailableError } from '../core/errors.ts';
import type { Component } from '../core/lifecycle.ts';
import type { Logger } from '../core/logger.ts';
import { version } from '../core/version.ts';
import { directorAnswers } from '../director/answers.ts';
import { LiveDirector, type StealWay } from '../director/live-director.ts';
import type { NativeCrashState, RecordedFrame } from '../native/live-director.ts';
import { apiDescription } from './api.ts';
import { writeCrashCapture } from './crash-capture.ts';
import { documentFormat, type Snapshot } from './document.ts';
import { type ConfigurationSource, defaultDevices, readSnapshot } from './source.ts';

export interface BalancerOptions {
  readonly source: ConfigurationSource;
  /** CPUs to pin a worker to each, -1 for none. */
  readonly cpus: readonly number[];
  /** How the host's stack is kept away; the first way that the kernel has unless given. */
  readonly stealing?: StealWay | undefined;
  readonly logger: Logger;
  /** Where this process keeps what the next one needs, and the one before has. */
  readonly crashState?: NativeCrashState | undefined;
  /** The folder for captures of what a crashed process was given last. */
  readonly crashFolder: string;
}

export class Balancer implements Component {
  readonly name = 'director';
  readonly #options: BalancerOptions;
  readonly #logger: Logger;
  readonly #since = new Date();
  #snapshot: Snapshot;
  #running: LiveDirector | undefined;

  /** Reads the configuration; throws what is wrong with it. After a crash it is the one that was in force. */
  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ area: 'director' });
    this.#snapshot = this.#kept() ?? readSnapshot(options.source);
  }

  start(): void {
    const { cpus, stealing, crashState } = this.#options;
    // The director lets go of what it has taken over.
    const isSuccessor = crashState?.configuration() !== undefined;
    const frames = crashState?.lastBatches() ?? [];
    const model = this.#snapshot.director;
    this.#running = new LiveDirector({ model, devices: defaultDevices(), cpus, stealing, crashState });
    this.#keep();
    const { ports, notices, stealing: way } = this.#running.state();
    for (const notice of notices) this.#logger.warn(notice);
    this.#logger.info({ snapshot: this.#snapshot.id, ports: ports.map(port => port.name), stealing: way }, 'ready');
    if (!isSuccessor) return;
    this.#logger.warn(this.#running.restored, 'flows of the process that crashed are carried on');
    if (frames.length > 0) this.#report(frames, this.#running.devices);
  }

  stop(): void {
    this.#running?.close();
    this.#running = undefined;
  }

  /** Reads the configuration anew and forwards by it; when something is wrong with it, says so and goes on as before. */
  reload(): void {
    try {
      this.#apply();
    } catch (err) {
      this.#logger.error({ err }, 'the configuration was not applied: forwarding by the one before');
    }
  }

  get answers(): readonly Answering[] {
    return [
      answering(controlStatus, () => this.#status()),
      answering(controlReload, () => this.#apply()),
      ...directorAnswers(() => this.#liveDirector),
      answering(openApiRoute, () => apiDescription),
    ];
  }

  /** Throws what is wrong with the configuration. */
  #apply(): { readonly id: string; readonly changes: readonly string[] } {
    const next = readSnapshot(this.#options.source);
    const changes = documentFormat.describe(documentFormat.compare(this.#snapshot, next));
    this.#liveDirector.apply(next.director);
    this.#snapshot = next;
    this.#keep();
    this.#logger.info({ snapshot: next.id, changes }, 'configuration applied');
    return { id: next.id, changes };
  }

  #status() {
    const { pid } = process;
    const since = this.#since.toISOString();
    const planes = [{ name: 'director', state: 'running', pid, since, restarts: 0 }] as const;
    return { version, pid, since, snapshot: this.#snapshot.id, planes };
  }

  /** What was in force in the process before. */
  #kept(): Snapshot | undefined {
    const text = this.#options.crashState?.configuration();
    if (text === undefined) return undefined;
    try {
      return documentFormat.from(JSON.parse(text));
    } catch (err) {
      this.#logger.warn({ err }, 'the configuration in force cannot be read any more: reading it anew');
      return undefined;
    }
  }

  #keep(): void {
    const { crashState } = this.#options;
    if (crashState === undefined || crashState.keepConfiguration(JSON.stringify(documentFormat.write(this.#snapshot))))
      return;
    this.#logger.warn('no memory to keep the configuration: a process after this one would read it anew');
  }

  #report(frames: readonly RecordedFrame[], devices: readonly string[]): void {
    try {
      const capture = writeCrashCapture(this.#options.crashFolder, frames, devices, systemClock);
      this.#logger.warn({ capture, frames: frames.length }, 'what the process that crashed was given last');
    } catch (err) {
      this.#logger.error({ err }, 'what the process that crashed was given last could not be written');
    }
  }

  get #liveDirector(): LiveDirector {
    if (this.#running === undefined) {
      throw new UnavailableError('the director does not run', { remedy: 'try again in a moment' });
    }
    return this.#running;
  }
}
