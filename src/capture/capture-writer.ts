// SPDX-License-Identifier: Apache-2.0
// Writes captures that tcpdump, tshark and other programs can read. Equal packets make equal files.
import { UsageError } from '../core/errors.ts';
import { loadAddon } from '../native/addon.ts';
import type { CaptureFailure, NativeCaptureWriter } from '../native/captures.ts';
import type { CaptureBatch } from './capture-reader.ts';
import { captureFailureError, checkPath } from './failure.ts';
import { type LinkType, linkTypes } from './link-type.ts';

export interface PcapOptions {
  readonly format: 'pcap';
  /** The link type; Ethernet unless given. */
  readonly linkType?: LinkType | undefined;
  /** The precision of the time stamps; nanoseconds unless given. Some older tools can read microseconds only. */
  readonly precision?: 'nanosecond' | 'microsecond' | undefined;
}

export interface PcapngOptions {
  readonly format: 'pcapng';
}

export type CaptureWriterOptions = PcapOptions | PcapngOptions;

export interface PacketToWrite {
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly time: bigint;
  readonly bytes: Uint8Array;
  /** The length on the wire; the length of `bytes` unless given. */
  readonly originalLength?: number | undefined;
  /** pcapng: the index that addInterface returned; 0 unless given. */
  readonly interfaceIndex?: number | undefined;
  /** pcapng: a comment, which Wireshark and tshark show with the packet. */
  readonly comment?: string | undefined;
}

/** A new capture file. An existing file is overwritten. The packets are in the file after flush() or close(). */
export class CaptureWriter {
  readonly path: string;
  readonly format: 'pcap' | 'pcapng';
  readonly #writer: NativeCaptureWriter;
  #interfaces = 0;
  #closed = false;

  constructor(path: string, options: CaptureWriterOptions) {
    checkPath(path);
    this.path = path;
    this.format = options.format;
    const addon = loadAddon();
    this.#writer = new addon.CaptureWriter();
    this.#check(() =>
      options.format === 'pcap'
        ? this.#writer.openPcap(path, options.linkType ?? linkTypes.ethernet, options.precision !== 'microsecond')
        : this.#writer.openPcapng(path),
    );
  }

  /** Adds an interface to a pcapng, before the first packet of the interface. Returns the index of the interface. */
  addInterface(name: string, linkType: LinkType = linkTypes.ethernet): number {
    this.#checkOpen();
    if (this.format === 'pcap') throw this.#misuse('a pcap file has one interface without a name');
    this.#check(() => this.#writer.addInterface(linkType, name));
    return this.#interfaces++;
  }

  write(packet: PacketToWrite): void {
    this.#checkOpen();
    const { time, bytes, originalLength = bytes.byteLength, interfaceIndex = 0, comment = '' } = packet;
    if (this.format === 'pcapng') {
      this.#check(() => this.#writer.writePcapng(time, originalLength, bytes, interfaceIndex, comment));
      return;
    }
    if (interfaceIndex !== 0) throw this.#misuse('a pcap file has one interface', interfaceIndex);
    if (comment !== '') throw this.#misuse('a pcap file has no comments', comment);
    this.#check(() => this.#writer.writePcap(time, originalLength, bytes));
  }

  /** Writes many packets at once to a pcap file. */
  writeBatch(batch: CaptureBatch): void {
    this.#checkOpen();
    if (this.format === 'pcapng') throw this.#misuse('batches are written to pcap files', this.format);
    const { length, data, times, fields } = batch;
    this.#check(() => this.#writer.writePcapBatch(length, data, times, fields));
  }

  /** Hands everything that was written to the operating system. */
  flush(): void {
    this.#checkOpen();
    this.#check(() => this.#writer.flush());
  }

  /**
   * Closes the file. Throws a SystemError when packets did not reach the file. A second call does nothing. A writer
   * that was not closed is closed by the garbage collector or at the end of its thread; an error, such as a full disk,
   * is lost then. process.exit() loses the packets that were not flushed.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#check(() => this.#writer.close());
  }

  #check(call: () => CaptureFailure | undefined): void {
    let failure: CaptureFailure | undefined;
    try {
      failure = call();
    } catch (cause) {
      // The native module names the argument that is out of range.
      if (!(cause instanceof TypeError)) throw cause;
      throw new UsageError(cause.message, { place: { file: this.path }, cause });
    }
    if (failure !== undefined) throw captureFailureError(this.path, 'write', failure);
  }

  #checkOpen(): void {
    if (this.#closed) {
      throw new UsageError('the capture is closed', { place: { file: this.path }, remedy: 'write before close()' });
    }
  }

  #misuse(problem: string, value?: unknown): UsageError {
    const other = this.format === 'pcap' ? 'pcapng' : 'pcap';
    return new UsageError(problem, { place: { file: this.path }, value, remedy: `write ${other} instead` });
  }
}
