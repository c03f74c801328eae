// SPDX-License-Identifier: Apache-2.0
// What `sluice run` was told, as its processes get it.
import type { LogLevel } from '../core/logger.ts';
import type { ConfigurationSource } from './source.ts';

export interface RunOptions {
  readonly source: ConfigurationSource;
  /** What the command line says instead of the document: fields of the models, by section. */
  readonly overrides: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** As the command line and the document say at the start, for what a process makes ready before it has its part. */
  readonly threads: { readonly workers: number | 'auto'; readonly stealing?: string | undefined };
  readonly logLevel: LogLevel;
  /** What `sluice status` shows to the person who asks. */
  readonly warnings: readonly string[];
  /** The folder of the history and of captures of crashes. */
  readonly stateFolder: string;
  /** Who has started this sluice. */
  readonly author: string;
  /** Begin by the snapshot that was in force last. */
  readonly resumes: boolean;
  /** How long a plane may prepare a change. */
  readonly deadlineMilliseconds?: number;
}
