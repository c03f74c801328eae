// SPDX-License-Identifier: Apache-2.0
// A replay: passes the frames of captures through a director, and writes sent frames and decisions to files.
import type { SluiceError } from '../../core/errors.ts';
import { Director } from '../../daemon/director.ts';
import type { DirectorModel } from '../../director/model.ts';
import type { RouteTable } from '../../director/route-table.ts';
import type { Connection } from '../../director/views.ts';
import { type CountedReason, DecisionWriter, type Explanation } from './decision-writer.ts';
import { OffloadDetector } from './frame-properties.ts';
import { MergedCaptures } from './merge.ts';
import { Outputs } from './outputs.ts';

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
  /** Called for every packet, in order. */
  readonly explain?: ((explanation: Explanation) => void) | undefined;
  /** Called after every batch with the number of frames so far. */
  readonly progress?: ((frames: number) => void) | undefined;
}

export interface ReplaySummary {
  readonly frames: number;
  readonly inputs: readonly { readonly port: string; readonly file: string; readonly frames: number }[];
  readonly outputs: readonly { readonly port: string; readonly frames: number }[];
  /** The reasons that occurred, each with its number of frames, in the order of the table of reasons. */
  readonly reasons: readonly CountedReason[];
  /** Frames that are in the capture only in part. */
  readonly cutFrames: number;
  /** Frames whose stamp is earlier than that of a frame before. */
  readonly lateFrames: number;
  /** Frames longer than their port's MTU, taken for TCP segments that a host had merged or not yet segmented. */
  readonly mergedFrames: number;
}

export interface ReplayResult {
  readonly summary: ReplaySummary;
  /** The table of connections after the last frame. */
  readonly connections: readonly Connection[];
  /** Captures that could not be read to their end. */
  readonly failures: readonly SluiceError[];
}

/** Throws when the replay cannot begin, or when its files cannot be written. */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const ports = options.routeTable.ports.map(port => port.name);
  const detector = new OffloadDetector(options.routeTable);
  const inputFiles = options.inputs.map(({ port, file }) => ({ port: ports.indexOf(port), file }));
  const captures = new MergedCaptures(inputFiles, detector);
  const { routeTable, model, folder, progress } = options;
  const director = new Director({ routeTable, model, start: captures.start });
  const inputs = options.inputs.map(input => input.file);
  const outputs = new Outputs({ folder, ports, precision: captures.precision, inputs });
  const writer = new DecisionWriter(ports, outputs, options.explain);
  let now = captures.start;
  for (const batch of captures.batches()) {
    for (const part of director.receiveBatch(batch.frames, options.explain !== undefined)) writer.write(batch, part);
    now = batch.frames.times[batch.frames.length - 1] ?? now;
    progress?.(writer.frames);
    await afterSignals();
  }
  outputs.close();
  const { cutFrames, lateFrames, failures } = captures;
  const read = captures.counts;
  const summary = {
    frames: writer.frames,
    inputs: options.inputs.map(({ port, file }, index) => ({ port, file, frames: read[index] ?? 0 })),
    outputs: ports.map((port, index) => ({ port, frames: outputs.counts[index] ?? 0 })),
    reasons: writer.reasons(),
    cutFrames,
    lateFrames,
    mergedFrames: detector.mergedFrames,
  };
  return { summary, connections: director.connections(now), failures };
}

// Lets the process handle signals and closed pipes between two batches.
function afterSignals(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
