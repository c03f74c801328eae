// SPDX-License-Identifier: Apache-2.0
// Writes captures that tcpdump, tshark and others read. The same packets make the same bytes.
import { UsageError } from '../core/errors.ts';
import { loadAddon } from '../native/addon.ts';
import type { CaptureFailure, NativeCaptureWriter } from '../native/captures.ts';
import type { CaptureBatch } from './capture-reader.ts';
import { captureFailureError, checkPath } from './failure.ts';
import { type LinkType, linkTypes } from './link-type.ts';

export interface PcapOptions {
  readonly format: 'pcap';
  /** Ethernet unless given. */
  readonly linkType?: LinkType | undefined;
  /** Of the time stamps; nanoseconds unless given. Some older tools read microseconds only. */
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
  /** On the wire; that of `bytes` unless given. */
  readonly originalLength?: number | undefined;
  /** As addInterface returned it, 0 unless given; pcapng. */
  readonly interfaceIndex?: number | undefined;
  /** Shown by Wireshark and tshark with the packet; pcapng. */
  readonly comment?: string | undefined;
}

/** A new capture file; one that is there is overwritten. Its packets are on disk after flush() or close(). */
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

  /** Describes an interface of a pcapng before its first packet; returns its index. */
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

  /** Many packets at once, to a pcap file. */
  writeBatch(batch: CaptureBatch): void {
    this.#checkOpen();
    if (this.format === 'pcapng') throw this.#misuse('batches are written to pcap files', this.format);
    const { length, data, times, fields } = batch;
    this.#check(() => this.#writer.writePcapBatch(length, data, times, fields));
  }

  /** Hands everything written so far to the system. */
  flush(): void {
    this.#checkOpen();
    this.#check(() => this.#writer.flush());
  }

  /**
   * Throws a SystemError when what was written did not reach the file. Does nothing the second time. A writer that is
   * forgotten is closed when it is collected or its thread comes to an end, and then nobody learns of a full disk;
   * process.exit() leaves out what was not flushed.
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
