// SPDX-License-Identifier: Apache-2.0
// Frames for a director, many at once: a list of numbers that say where each lies in memory of somebody else's.

/** Which buffer, where in it, how many bytes, which port: as the native module reads them. */
const fieldsPerFrame = 4;

export class FrameBatch {
  readonly capacity: number;
  readonly buffers: readonly Uint8Array[];
  readonly fields: Uint32Array;
  /** The time at which the director takes each, nanoseconds. */
  readonly times: BigUint64Array;
  #length = 0;

  constructor(buffers: readonly Uint8Array[], capacity: number) {
    this.capacity = capacity;
    this.buffers = buffers;
    this.fields = new Uint32Array(capacity * fieldsPerFrame);
    this.times = new BigUint64Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** The frame at `begin` of buffer number `buffer`, which came on port number `port`. Times never fall. */
  add(buffer: number, begin: number, length: number, port: number, time: bigint): void {
    const first = this.#length * fieldsPerFrame;
    this.fields[first] = buffer;
    this.fields[first + 1] = begin;
    this.fields[first + 2] = length;
    this.fields[first + 3] = port;
    this.times[this.#length] = time;
    this.#length += 1;
  }

  /** The number of the port that a frame came on. */
  portOf(index: number): number {
    return this.fields[index * fieldsPerFrame + 3] ?? 0;
  }

  frame(index: number): Uint8Array {
    const first = index * fieldsPerFrame;
    const [buffer = 0, begin = 0, length = 0] = this.fields.subarray(first, first + fieldsPerFrame);
    return (this.buffers[buffer] ?? new Uint8Array(0)).subarray(begin, begin + length);
  }
}
