// SPDX-License-Identifier: Apache-2.0
// Reads captures in the formats pcap and pcapng. Each call of the native module reads one batch of packets. The bytes
// of a batch are one piece of memory with an index. Packets are views of this memory, so no bytes are copied.
//
// Every batch has memory of its own, so its packets stay valid while later batches are read. A packet that a program
// keeps also keeps the memory of its whole batch (a megabyte). Copy the bytes of a packet that you keep for long.
import { UsageError } from '../core/errors.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeCaptureReader } from '../native/captures.ts';
import { captureFailureError, checkPath } from './failure.ts';
import type { LinkType } from './link-type.ts';

/** Four of the longest frames. With batches of this size, the cost of a call does not matter. */
const batchBytes = 1_048_576;
/** With frames of 128 bytes on average, the index and the memory of a batch are full at the same time. */
const batchPackets = 8192;

const fieldsPerPacket = 5;

export interface CapturedPacket {
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly time: bigint;
  /** The number of the interface, counted from 0 through the whole file, over all sections of a pcapng. */
  readonly interfaceIndex: number;
  readonly linkType: LinkType;
  /**
   * The length on the wire. It is larger than the number of bytes when the capture has only the beginning of a packet.
   */
  readonly originalLength: number;
  readonly bytes: Buffer;
}

/** A batch of packets, in the order of the file. */
export class CaptureBatch implements Iterable<CapturedPacket> {
  readonly length: number;
  /** The bytes of all packets, one after another. */
  readonly data: Buffer;
  /** A time stamp for each packet. */
  readonly times: BigUint64Array;
  /** Five numbers for each packet: offset in `data`, number of bytes, length on the wire, interface, link type. */
  readonly fields: Uint32Array;

  constructor(length: number, data: Buffer, times: BigUint64Array, fields: Uint32Array) {
    this.length = length;
    this.data = data;
    this.times = times;
    this.fields = fields;
  }

  at(index: number): CapturedPacket | undefined {
    const time = index < this.length ? this.times[index] : undefined;
    if (time === undefined) return undefined;
    const first = index * fieldsPerPacket;
    const begin = this.fields[first] ?? 0;
    return {
      time,
      interfaceIndex: this.fields[first + 3] ?? 0,
      linkType: (this.fields[first + 4] ?? 0) as LinkType,
      originalLength: this.fields[first + 2] ?? 0,
      bytes: this.data.subarray(begin, begin + (this.fields[first + 1] ?? 0)),
    };
  }

  *[Symbol.iterator](): Generator<CapturedPacket, void, undefined> {
    for (let index = 0; index < this.length; index++) {
      const packet = this.at(index);
      if (packet !== undefined) yield packet;
    }
  }
}

/**
 * An open capture. It is read once, from beginning to end. A loop with `for … of` closes the capture at the end, at an
 * error, and when the loop is left early. All packets before an error are read first.
 */
export class Capture implements Iterable<CapturedPacket> {
  readonly path: string;
  readonly format: 'pcap' | 'pcapng';
  /** The precision of the time stamps: microseconds when no time stamp of the file can be finer. */
  readonly precision: 'nanosecond' | 'microsecond';
  readonly #reader: NativeCaptureReader;
  #closed = false;

  constructor(path: string) {
    checkPath(path);
    const addon = loadAddon();
    this.#reader = new addon.CaptureReader();
    const opened = this.#reader.open(path);
    if (typeof opened === 'object') throw captureFailureError(path, 'read', opened);
    this.path = path;
    this.format = opened;
    this.precision = this.#reader.hasNanoseconds() ? 'nanosecond' : 'microsecond';
  }

  /** The next packets; undefined at the end of the file. */
  readBatch(): CaptureBatch | undefined {
    if (this.#closed) {
      throw new UsageError('the capture is closed', { place: { file: this.path }, remedy: 'open it again' });
    }
    const data = Buffer.allocUnsafeSlow(batchBytes);
    const times = new BigUint64Array(batchPackets);
    const fields = new Uint32Array(batchPackets * fieldsPerPacket);
    const count = this.#reader.read(data, times, fields);
    if (typeof count === 'object') throw captureFailureError(this.path, 'read', count);
    return count === 0 ? undefined : new CaptureBatch(count, data, times, fields);
  }

  *batches(): Generator<CaptureBatch, void, undefined> {
    try {
      for (let batch = this.readBatch(); batch !== undefined; batch = this.readBatch()) yield batch;
    } finally {
      this.close();
    }
  }

  *[Symbol.iterator](): Generator<CapturedPacket, void, undefined> {
    for (const batch of this.batches()) yield* batch;
  }

  /** Closes the file. A second call does nothing. The garbage collector closes a capture that was not closed. */
  close(): void {
    this.#closed = true;
    this.#reader.close();
  }
}

/**
 * Opens a pcap or pcapng file. The first bytes of the file say which format it has. Throws a CaptureError with the
 * offset when the file has neither format, and a SystemError when the file cannot be opened.
 */
export function openCapture(path: string): Capture {
  return new Capture(path);
}
