// SPDX-License-Identifier: Apache-2.0
// A replay: frames of captures through a director, what it sends and decides into files.
import type { SluiceError } from '../../core/errors.ts';
import { Director } from '../../daemon/director.ts';
import type { DirectorModel } from '../../director/model.ts';
import type { RouteTable } from '../../director/route-table.ts';
import type { Connection } from '../../director/views.ts';
import { FrameJudge } from './frame-properties.ts';
import { MergedCaptures } from './merge.ts';
import { Outputs } from './outputs.ts';
import { type CountedReason, type Explanation, Scribe } from './scribe.ts';

export interface ReplayInput {
  readonly port: string;
  readonly file: string;
}

export interface ReplayOptions {
  readonly routeTable: RouteTable;
  readonly model: DirectorModel;
  /** In the order in which they were given. */
  readonly inputs: readonly ReplayInput[];
  readonly folder: string;
  /** Is told of every packet, in order. */
  readonly explain?: ((explanation: Explanation) => void) | undefined;
  /** Is told now and then how many frames were taken. */
  readonly progress?: ((frames: number) => void) | undefined;
}

export interface ReplaySummary {
  readonly frames: number;
  readonly inputs: readonly { readonly port: string; readonly file: string; readonly frames: number }[];
  readonly outputs: readonly { readonly port: string; readonly frames: number }[];
  /** What was decided how often: the reasons that occurred, in the order of the table of reasons. */
  readonly reasons: readonly CountedReason[];
  /** Frames that the capture holds only the beginning of. */
  readonly cutFrames: number;
  /** Frames stamped earlier than one before them. */
  readonly lateFrames: number;
  /** Frames longer than their port's MTU, taken to be TCP segments that a host had merged or not yet cut. */
  readonly mergedFrames: number;
}

export interface ReplayResult {
  readonly summary: ReplaySummary;
  /** The table when the last frame had been taken. */
  readonly connections: readonly Connection[];
  /** Captures that could not be read to their end. */
  readonly failures: readonly SluiceError[];
}

/** Throws what keeps it from beginning or its files from being written. */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const ports = options.routeTable.ports.map(port => port.name);
  const judge = new FrameJudge(options.routeTable);
  const inputFiles = options.inputs.map(({ port, file }) => ({ port: ports.indexOf(port), file }));
  const captures = new MergedCaptures(inputFiles, judge);
  const { routeTable, model, folder, progress } = options;
  const director = new Director({ routeTable, model, start: captures.start });
  const inputs = options.inputs.map(input => input.file);
  const outputs = new Outputs({ folder, ports, precision: captures.precision, inputs });
  const scribe = new Scribe(ports, outputs, options.explain);
  let now = captures.start;
  for (const batch of captures.batches()) {
    for (const part of director.receiveBatch(batch.frames, options.explain !== undefined)) scribe.write(batch, part);
    now = batch.frames.times[batch.frames.length - 1] ?? now;
    progress?.(scribe.frames);
    await afterSignals();
  }
  outputs.close();
  const { cutFrames, lateFrames, failures } = captures;
  const read = captures.counts;
  const summary = {
    frames: scribe.frames,
    inputs: options.inputs.map(({ port, file }, index) => ({ port, file, frames: read[index] ?? 0 })),
    outputs: ports.map((port, index) => ({ port, frames: outputs.counts[index] ?? 0 })),
    reasons: scribe.reasons(),
    cutFrames,
    lateFrames,
    mergedFrames: judge.mergedFrames,
  };
  return { summary, connections: director.connections(now), failures };
}

// Lets the process hear signals and the reader's end of a pipe close between two batches.
function afterSignals(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
