// SPDX-License-Identifier: Apache-2.0
// The running balancer: a data path that forwards by a snapshot, and the questions that it answers.
import { systemClock } from '../core/clock.ts';
import type { Component } from '../core/lifecycle.ts';
import type { Logger } from '../core/logger.ts';
import { version } from '../core/version.ts';
import { DataPath, type StealWay } from '../lvs/data-path.ts';
import { formatServices } from '../lvs/ipvsadm/listing.ts';
import type { NativeKeepsakes, RecordedFrame } from '../native/data-path.ts';
import type { Questions, Streams } from './admin-server.ts';
import { writeCrashCapture } from './crash-capture.ts';
import { documentFormat, type Snapshot } from './document.ts';
import { explain } from './explanation.ts';
import { captureInto } from './live-capture.ts';
import { measure } from './measurement.ts';
import { type ConfigurationSource, defaultDevices, readSnapshot } from './source.ts';

export interface BalancerOptions {
  readonly source: ConfigurationSource;
  /** CPUs to pin a worker to each, -1 for none. */
  readonly cpus: readonly number[];
  /** How the host's stack is kept away; the first way that the kernel has unless given. */
  readonly stealing?: StealWay | undefined;
  readonly logger: Logger;
  /** Where this process keeps what the next one needs, and the one before has. */
  readonly keepsakes?: NativeKeepsakes | undefined;
  /** The folder for captures of what a crashed process was given last. */
  readonly crashFolder: string;
}

/** What `sluice status` shows. */
export type BalancerStatus = ReturnType<Balancer['status']>;

export class Balancer implements Component {
  readonly name = 'data path';
  readonly #options: BalancerOptions;
  readonly #logger: Logger;
  readonly #since = new Date();
  #snapshot: Snapshot;
  #running: DataPath | undefined;

  /** Reads the configuration; throws what is wrong with it. After a crash it is the one that was in force. */
  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ area: 'lvs' });
    this.#snapshot = this.#kept() ?? readSnapshot(options.source);
  }

  start(): void {
    const { cpus, stealing, keepsakes } = this.#options;
    // The data path lets go of what it has taken over.
    const isSuccessor = keepsakes?.configuration() !== undefined;
    const frames = keepsakes?.lastBatches() ?? [];
    const model = this.#snapshot.layer4;
    this.#running = new DataPath({ model, devices: defaultDevices(), cpus, stealing, keepsakes });
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
      const next = readSnapshot(this.#options.source);
      const changes = documentFormat.compare(this.#snapshot, next);
      this.#dataPath.apply(next.layer4);
      this.#snapshot = next;
      this.#keep();
      this.#logger.info({ snapshot: next.id, changes: documentFormat.describe(changes) }, 'configuration applied');
    } catch (err) {
      this.#logger.error({ err }, 'the configuration was not applied: forwarding by the one before');
    }
  }

  status() {
    const dataPath = this.#dataPath;
    const counts = Object.entries(dataPath.counts()).filter(([, count]) => count > 0);
    return {
      version,
      pid: process.pid,
      since: this.#since.toISOString(),
      snapshot: this.#snapshot.id,
      workers: this.#options.cpus.length,
      ...dataPath.state(),
      services: dataPath.services(),
      packets: Object.fromEntries(counts),
    };
  }

  /** By path of the admin socket. */
  get questions(): Questions {
    return {
      '/status': () => this.status(),
      '/explain': parameters => explain(this.#dataPath, parameters),
      '/top': () => measure(this.#dataPath),
      '/connections': () => this.#dataPath.connections(),
      '/services': () => this.#dataPath.services(),
      '/ipvsadm': () => formatServices(this.#dataPath.services()),
    };
  }

  get streams(): Streams {
    return { '/capture': (stream, parameters) => captureInto(stream, this.#dataPath, parameters) };
  }

  /** What was in force in the process before. */
  #kept(): Snapshot | undefined {
    const text = this.#options.keepsakes?.configuration();
    if (text === undefined) return undefined;
    try {
      return documentFormat.from(JSON.parse(text));
    } catch (err) {
      this.#logger.warn({ err }, 'the configuration in force cannot be read any more: reading it anew');
      return undefined;
    }
  }

  #keep(): void {
    const { keepsakes } = this.#options;
    if (keepsakes === undefined || keepsakes.keepConfiguration(JSON.stringify(documentFormat.write(this.#snapshot))))
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

  get #dataPath(): DataPath {
    if (this.#running === undefined) throw new Error('the data path does not run');
    return this.#running;
  }
}
