// SPDX-License-Identifier: Apache-2.0
// The files that a replay writes: a capture for every port, and a line of JSON for every received frame.
import { closeSync, existsSync, mkdirSync, openSync, realpathSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CaptureBatch } from '../../capture/capture-reader.ts';
import { CaptureWriter } from '../../capture/capture-writer.ts';
import { linkTypes } from '../../capture/link-type.ts';
import { SystemError, UsageError } from '../../core/errors.ts';
import { hostPort } from '../../director/verdict.ts';

/** Fields of a packet in a CaptureBatch. */
const fieldsPerPacket = 5;

export interface OutputOptions {
  readonly folder: string;
  /** The names of all ports. */
  readonly ports: readonly string[];
  readonly precision: 'nanosecond' | 'microsecond';
  /** Files that must not be overwritten. */
  readonly inputs: readonly string[];
}

export class Outputs {
  /** Frames written so far, by the number of the port. */
  readonly counts: number[];
  readonly #writers: readonly CaptureWriter[];
  readonly #hostPath: string;
  readonly #precision: OutputOptions['precision'];
  /** Writes the frames for the host's own stack. It is made with the first such frame. */
  #hostWriter: CaptureWriter | undefined;
  readonly #verdicts: number;
  readonly #verdictsPath: string;

  /** Makes the folder and its files. Existing files of these names are overwritten. */
  constructor({ folder, ports, precision, inputs }: OutputOptions) {
    const paths = ports.map(port => join(folder, `${port}.pcap`));
    this.#verdictsPath = join(folder, 'verdicts.jsonl');
    this.#hostPath = join(folder, `${hostPort}.pcap`);
    this.#precision = precision;
    const known = new Set(inputs.map(real));
    for (const path of [...paths, this.#hostPath, this.#verdictsPath]) {
      if (!existsSync(path) || !known.has(real(path))) continue;
      throw new UsageError('the replay would write over its own input', { value: path, remedy: 'use another --out' });
    }
    attempt('cannot make the folder', folder, () => mkdirSync(folder, { recursive: true }));
    this.#writers = paths.map(path => new CaptureWriter(path, { format: 'pcap', precision }));
    this.#verdicts = attempt('cannot write the verdicts', this.#verdictsPath, () => openSync(this.#verdictsPath, 'w'));
    this.counts = ports.map(() => 0);
  }

  writeVerdicts(lines: string): void {
    const bytes = Buffer.from(lines);
    attempt('cannot write the verdicts', this.#verdictsPath, () => {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#verdicts, bytes, written);
    });
  }

  writeFrames(sent: SentFrames): void {
    for (const [port, writer] of this.#writers.entries()) {
      const batch = sent.batchOf(port);
      if (batch !== undefined) writer.writeBatch(batch);
    }
    const forHost = sent.batchOf(this.#writers.length);
    if (forHost === undefined) return;
    this.#hostWriter ??= new CaptureWriter(this.#hostPath, { format: 'pcap', precision: this.#precision });
    this.#hostWriter.writeBatch(forHost);
  }

  /** The number, from 1, of the next frame in the capture of a port. */
  number(port: number): number {
    const number = (this.counts[port] ?? 0) + 1;
    this.counts[port] = number;
    return number;
  }

  /** Completes the files. */
  close(): void {
    for (const writer of this.#writers) writer.close();
    this.#hostWriter?.close();
    attempt('cannot write the verdicts', this.#verdictsPath, () => closeSync(this.#verdicts));
  }
}

/** Sent frames by port. The bytes of all frames are in one buffer, one after another. */
export class SentFrames {
  readonly #bytes: Buffer;
  readonly #byPort = new Map<
    number,
    { length: number; readonly times: BigUint64Array; readonly fields: Uint32Array }
  >();
  #end = 0;

  /** `frames` has two numbers for each frame: its port and its length. */
  constructor(bytes: Buffer, frames: Uint32Array) {
    this.#bytes = bytes;
    const counts = new Map<number, number>();
    for (let index = 0; index < frames.length; index += 2) {
      const port = frames[index] ?? 0;
      counts.set(port, (counts.get(port) ?? 0) + 1);
    }
    for (const [port, count] of counts) {
      const [times, fields] = [new BigUint64Array(count), new Uint32Array(count * fieldsPerPacket)];
      this.#byPort.set(port, { length: 0, times, fields });
    }
  }

  /** Adds the next frame in the buffer. Returns the offset of its bytes. */
  add(port: number, length: number, time: bigint): number {
    const begin = this.#end;
    this.#end += length;
    const list = this.#byPort.get(port);
    if (list === undefined) throw new RangeError(`no frame was sent on port ${port}`);
    const first = list.length * fieldsPerPacket;
    list.times[list.length] = time;
    list.fields[first] = begin;
    list.fields[first + 1] = length;
    list.fields[first + 2] = length;
    list.fields[first + 4] = linkTypes.ethernet;
    list.length += 1;
    return begin;
  }

  batchOf(port: number): CaptureBatch | undefined {
    const list = this.#byPort.get(port);
    return list && new CaptureBatch(list.length, this.#bytes, list.times, list.fields);
  }
}

function real(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

function attempt<Result>(problem: string, file: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw SystemError.from(error, problem, { place: { file } });
  }
}
