// SPDX-License-Identifier: Apache-2.0
// Merges captures into one sequence of frames, in the order of their time stamps. Frames with equal stamps are in the order
// in which the captures were given. The order of frames within a capture is kept, also when a stamp is earlier than the one
// before. The director's clock does not go backwards: it stays until the stamps have caught up.
//
// Only one batch of each capture is in memory. A capture that cannot be read further ends there, with its error in
// `failures`; the other captures go on.
import { type Capture, type CaptureBatch, openCapture } from '../../capture/capture-reader.ts';
import { linkTypes } from '../../capture/link-type.ts';
import { SluiceError } from '../../core/errors.ts';
import { FrameBatch } from '../../director/frame-batch.ts';
import type { OffloadDetector } from './frame-properties.ts';

export interface Input {
  /** The port's number. */
  readonly port: number;
  readonly file: string;
}

/** Consecutive frames of the sequence. */
export interface MergedBatch {
  readonly frames: FrameBatch;
  /** The frames' own stamps, nanoseconds. */
  readonly stamps: BigUint64Array;
}

// Large enough for the cost of a call to be small, small enough for progress to be shown often.
const framesPerBatch = 8192;

// The longest IP packet with a link header and two VLAN tags. Bytes after that are padding.
const longestFrame = 65535 + 40 + 14 + 8;

const [beginField, lengthField, originalLengthField, linkTypeField] = [0, 1, 2, 4] as const;
const fieldsPerPacket = 5;

export class MergedCaptures {
  readonly failures: SluiceError[] = [];
  /** The precision of the finest stamps. */
  readonly precision: 'nanosecond' | 'microsecond';
  /** Frames that are in the capture only in part. */
  cutFrames = 0;
  /** Frames whose stamp is earlier than that of a frame before. */
  lateFrames = 0;
  readonly #streams: Stream[];
  readonly #detector: OffloadDetector;
  #clock = 0n;

  /** Opens all captures. Throws the error of the first that cannot be opened. */
  constructor(inputs: readonly Input[], detector: OffloadDetector) {
    this.#detector = detector;
    this.#streams = inputs.map(input => new Stream(input));
    const isFine = this.#streams.some(stream => stream.precision === 'nanosecond');
    this.precision = isFine ? 'nanosecond' : 'microsecond';
    this.#refill();
  }

  /** The stamp of the first frame; 0 if there is no frame. */
  get start(): bigint {
    return earliest(this.#streams.filter(stream => stream.hasMore))?.stamp ?? 0n;
  }

  /** The number of frames taken from each capture, in the order in which the captures were given. */
  get counts(): number[] {
    return this.#streams.map(stream => stream.taken);
  }

  *batches(): Generator<MergedBatch, void, undefined> {
    for (let ready = this.#refill(); ready.length > 0; ready = this.#refill()) yield this.#merge(ready);
  }

  // Merges up to the end of the first batch that ends: after it, the next frame of that capture is not known.
  #merge(streams: readonly Stream[]): MergedBatch {
    const room = streams.reduce((sum, stream) => sum + stream.left, 0);
    const frames = new FrameBatch(
      streams.map(stream => stream.data),
      Math.min(room, framesPerBatch),
    );
    const stamps = new BigUint64Array(frames.capacity);
    while (frames.length < frames.capacity) {
      const next = earliest(streams);
      if (next === undefined) break;
      const { stamp } = next;
      if (stamp < this.#clock) this.lateFrames += 1;
      else this.#clock = stamp;
      stamps[frames.length] = stamp;
      if (next.originalLength > next.length) this.cutFrames += 1;
      const { begin, port } = next;
      const length = Math.min(next.length, longestFrame);
      const properties = this.#detector.propertiesOf(next.data.subarray(begin, begin + length), port);
      frames.add(streams.indexOf(next), begin, length, port, this.#clock, properties);
      next.step();
      if (!next.hasMore) break;
    }
    return { frames, stamps };
  }

  /** Reads the next batches where necessary. Returns the captures that have frames. */
  #refill(): Stream[] {
    return this.#streams.filter(stream => {
      try {
        return stream.refill();
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        stream.close();
        this.failures.push(error);
        return false;
      }
    });
  }
}

function earliest(streams: readonly Stream[]): Stream | undefined {
  let found: Stream | undefined;
  for (const stream of streams) if (found === undefined || stream.stamp < found.stamp) found = stream;
  return found;
}

const noBatch: Pick<CaptureBatch, 'length' | 'data' | 'times' | 'fields'> = {
  length: 0,
  data: Buffer.alloc(0),
  times: new BigUint64Array(0),
  fields: new Uint32Array(0),
};

/** A capture and its next frame. */
class Stream {
  readonly port: number;
  readonly precision: Capture['precision'];
  taken = 0;
  stamp = 0n;
  readonly #capture: Capture;
  #batch = noBatch;
  #position = 0;
  #isOpen = true;
  #failure: SluiceError | undefined;

  constructor({ port, file }: Input) {
    this.port = port;
    this.#capture = openCapture(file);
    this.precision = this.#capture.precision;
  }

  get hasMore(): boolean {
    return this.#position < this.#batch.length;
  }

  get left(): number {
    return this.#batch.length - this.#position;
  }

  get data(): Buffer {
    return this.#batch.data;
  }

  get begin(): number {
    return this.#field(beginField);
  }

  get length(): number {
    return this.#field(lengthField);
  }

  get originalLength(): number {
    return this.#field(originalLengthField);
  }

  step(): void {
    this.taken += 1;
    this.#position += 1;
    this.stamp = this.#batch.times[this.#position] ?? 0n;
  }

  /** Reads the next batch if this one is used up. Returns false at the end. */
  refill(): boolean {
    if (this.hasMore) return true;
    if (this.#failure !== undefined && this.#isOpen) throw this.#failure;
    if (!this.#isOpen) return false;
    const batch = this.#capture.readBatch();
    if (batch === undefined) {
      this.close();
      return false;
    }
    this.#batch = this.#ethernetPart(batch);
    this.#position = 0;
    this.stamp = batch.times[0] ?? 0n;
    return this.refill();
  }

  close(): void {
    this.#isOpen = false;
    this.#capture.close();
  }

  // The frames before the first one without an Ethernet header, at which the capture ends.
  #ethernetPart(batch: CaptureBatch): typeof noBatch {
    for (let index = 0; index < batch.length; index += 1) {
      if (batch.fields[index * fieldsPerPacket + linkTypeField] === linkTypes.ethernet) continue;
      const linkType = batch.at(index)?.linkType;
      const problem = `packet ${this.taken + index + 1} has no Ethernet header (link type ${linkType}, raw IP)`;
      this.#failure = new SluiceError('SLUICE_CAPTURE_FORMAT', problem, {
        place: { file: this.#capture.path },
        remedy: 'capture on an Ethernet device: the director forwards frames',
      });
      return { ...batch, length: index };
    }
    return batch;
  }

  #field(which: number): number {
    return this.#batch.fields[this.#position * fieldsPerPacket + which] ?? 0;
  }
}
