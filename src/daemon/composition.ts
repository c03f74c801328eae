// SPDX-License-Identifier: Apache-2.0
// What is put together at the root: the planes that exist and the document that configures them. Nothing else in the
// program knows two planes.
import type { Changes } from '../control/changes.ts';
import type { EventLog } from '../control/events/event-log.ts';
import type { OwnPlane } from '../control/own-plane.ts';
import type { ApiClient } from '../core/api/client.ts';
import type { Answering } from '../core/api/route.ts';
import type { ForwardTo } from '../core/api/server.ts';
import type { Clock } from '../core/clock.ts';
import type { SecretFile } from '../core/config/secret.ts';
import type { DocumentFormat, Sections, Snapshot } from '../core/config/snapshot.ts';
import type { Tell } from '../core/events/event.ts';
import type { Logger } from '../core/logger.ts';
import type { Metric } from '../core/metrics/family.ts';
import type { Plane } from '../core/plane.ts';
import type { SecretContent } from '../core/secret-content.ts';
import type { NativeCrashState } from '../native/live-director.ts';
import type { ProcessPolicy } from './process-policy.ts';
import type { RunOptions } from './run-options.ts';
import type { ConfigurationSource, SourceFiles } from './source.ts';

/** A folder, by the path that people know and by the one that the process can use. */
export interface CrashFolder {
  readonly shown: string;
  readonly path: string;
}

/** What a plane finds in its process. */
export interface PlaneEnvironment {
  readonly logger: Logger;
  readonly crashState: NativeCrashState;
  /** The process before was ended for this one: what it has left is no sign of a crash. */
  readonly replaces: boolean;
  /** Descriptors of the files that its policy lists, in the same order. */
  readonly openedFiles: readonly number[];
  /** The folder for captures of what a crashed process was given last. */
  readonly crashFolder: CrashFolder;
  /** What the process before has handed over; undefined at the first start. */
  readonly handover: unknown;
  /** The content of a secret that the part names which the plane prepares. Throws when it cannot be read. */
  readonly readSecret: (secret: SecretFile) => Promise<SecretContent>;
  /** Tells what has happened. The plane tells it at the moment of the change, and does not wait for anybody. */
  readonly tell: Tell;
}

/** A plane at work in its process. */
export interface RunningPlane {
  readonly plane: Plane;
  /** Its routes on the admin socket. */
  readonly answers: readonly Answering[];
  /** What it contributes to the metrics: families whose names begin with `sluice_` and the plane's name. */
  metrics(): readonly Metric[];
  /** Lets go of everything in good order. */
  close(): void | Promise<void>;
}

/** A plane that exists. Its name is also the key of its section. */
export interface PlaneRow {
  readonly policy: ProcessPolicy;
  /** It runs without a section, too, when sluice was started without a document. */
  readonly runsByDefault: boolean;
  /** What it observes changes the models of other planes (`src/core/observed-api.ts`). */
  readonly observes?: true;
  /** Is done while the process stands by. */
  prepare(options: RunOptions): void;
  create(environment: PlaneEnvironment): RunningPlane;
}

export interface Composition<S extends Sections> {
  readonly planes: readonly PlaneRow[];
  readonly format: DocumentFormat<S>;
  /** Reads a configuration. Throws what is wrong with it, with places. */
  read(source: ConfigurationSource, files: SourceFiles): Promise<Snapshot<S>>;
  /** Throws what a reload cannot change while `sluice run` runs. */
  checkReload(before: Snapshot<S>, after: Snapshot<S>): void;
  /** What the admin socket answers besides: the description of all routes, and commands that change a section. */
  answers(control: ControlAccess<S>): readonly Answering[];
  /** What control does besides for as long as it works; nothing unless given. */
  watches?(control: WatchAccess<S>): readonly Watch[];
  /** The planes without a process, whose work control does itself; none unless given. */
  own?(environment: OwnEnvironment): readonly OwnPlane[];
}

/** What the planes find whose work control does itself. */
export interface OwnEnvironment {
  /** What the admin socket answers, and what it passes on to the processes of planes. */
  readonly answers: readonly Answering[];
  readonly forward: Readonly<Record<string, ForwardTo>>;
  readonly events: EventLog;
  /** The folder that control may write to, of the history. */
  readonly folder: string;
  /** The content of a secret that control may have. Throws when it cannot be read. */
  readonly readSecret: (secret: SecretFile) => Promise<SecretContent>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Watch {
  /** Goes on until `stop`. */
  run(): Promise<void>;
  stop(): void;
}

/** What control lets a watch see and tell. */
export interface WatchAccess<S extends Sections> extends Pick<ControlAccess<S>, 'snapshot' | 'plane'> {
  readonly events: EventLog;
  readonly clock: Clock;
}

/** What control lets a command of the admin socket do. */
export interface ControlAccess<S extends Sections> {
  readonly changes: Changes<S>;
  /** Tells what has happened. */
  readonly tell: Tell;
  /** The snapshot in force. */
  readonly snapshot: () => Snapshot<S> | undefined;
  /** A client of a plane's process; undefined while the plane does not run. */
  readonly plane: (name: string) => ApiClient | undefined;
}
