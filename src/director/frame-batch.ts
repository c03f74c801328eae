// SPDX-License-Identifier: Apache-2.0
// Many frames for a director at once. A batch does not hold the bytes of the frames: it holds numbers that say where
// each frame lies in buffers of the caller.

/**
 * The numbers of a frame, in the order of the native module: buffer, begin, length, port, mark, partial checksum,
 * segmentation, segment size.
 */
const fieldsPerFrame = 8;

/** Properties of a frame that are not in its bytes. */
export interface FrameProperties {
  /** The firewall mark of the packet. */
  readonly mark?: number;
  /** The transport checksum holds the sum of the pseudo-header only. Virtual devices deliver such packets. */
  readonly partialChecksum?: boolean;
  /** The device that sends the frame has to cut it into segments with `size` bytes of payload each. */
  readonly segmentation?: { readonly kind: 'tcp4' | 'tcp6' | 'udp'; readonly size: number };
}

/** The numbers of `director::Segmentation`. */
export const segmentationNumbers = { tcp4: 1, tcp6: 2, udp: 3 } as const;

export class FrameBatch {
  readonly capacity: number;
  readonly buffers: readonly Uint8Array[];
  readonly fields: Uint32Array;
  /** The time at which the director takes each frame, in nanoseconds. */
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

  /**
   * Adds the frame at offset `begin` of buffer number `buffer`, which came on port number `port`. Times never decrease.
   */
  add(
    buffer: number,
    begin: number,
    length: number,
    port: number,
    time: bigint,
    properties: FrameProperties = {},
  ): void {
    const first = this.#length * fieldsPerFrame;
    this.fields[first] = buffer;
    this.fields[first + 1] = begin;
    this.fields[first + 2] = length;
    this.fields[first + 3] = port;
    const { mark = 0, partialChecksum = false, segmentation } = properties;
    this.fields[first + 4] = mark;
    this.fields[first + 5] = partialChecksum ? 1 : 0;
    this.fields[first + 6] = segmentation === undefined ? 0 : segmentationNumbers[segmentation.kind];
    this.fields[first + 7] = segmentation?.size ?? 0;
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
