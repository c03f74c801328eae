// SPDX-License-Identifier: Apache-2.0
// Reads captures, pcap and pcapng, one batch of packets a call of the native module: the bytes of a batch are one piece
// of memory with an index beside it, from which packets are cut without copying.
//
// A batch has memory of its own, so its packets stay what they are for as long as anybody holds them; but one packet
// held keeps the memory of its batch (a megabyte): copy the bytes of what you keep for long.
import { UsageError } from '../core/errors.ts';
import { loadAddon } from '../native/addon.ts';
import type { NativeCaptureReader } from '../native/captures.ts';
import { captureFailureError, checkPath } from './failure.ts';
import type { LinkType } from './link-type.ts';

/** Four of the longest frames; at this size the cost of a call no longer shows. */
const batchBytes = 1_048_576;
/** The index of a batch is full with frames of 128 bytes on average. */
const batchPackets = 8192;

const fieldsPerPacket = 5;

export interface CapturedPacket {
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly time: bigint;
  /** Counted from 0 through the file, over all sections of a pcapng. */
  readonly interfaceIndex: number;
  readonly linkType: LinkType;
  /** On the wire: more than there are bytes when the capture was cut at a snap length, never less. */
  readonly originalLength: number;
  readonly bytes: Buffer;
}

/** Packets in the order of the file. */
export class CaptureBatch implements Iterable<CapturedPacket> {
  readonly length: number;
  /** The bytes of all packets, one after another. */
  readonly data: Buffer;
  /** One a packet. */
  readonly times: BigUint64Array;
  /** Five a packet: where in `data` it begins, how many bytes, how many on the wire, interface, link type. */
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
 * An open capture. It is read once, from front to end; going through it with `for … of` closes it at the end, at an
 * error and when the loop is left. An error comes after all packets before it.
 */
export class Capture implements Iterable<CapturedPacket> {
  readonly path: string;
  readonly format: 'pcap' | 'pcapng';
  /** Of its time stamps: microseconds when none of them can be finer. */
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

  /** The next packets, undefined at the end. */
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

  /** Does nothing the second time. A capture that is forgotten is closed when it is collected. */
  close(): void {
    this.#closed = true;
    this.#reader.close();
  }
}

/**
 * Opens a pcap or pcapng file; the first bytes tell which. Throws a CaptureError with the offset for a file that is
 * neither, a SystemError when it cannot be opened.
 */
export function openCapture(path: string): Capture {
  return new Capture(path);
}
