// SPDX-License-Identifier: Apache-2.0
// The native module's part that reads and writes capture files; src/capture/ is what the rest of Sluice uses.

/** Why a capture cannot be read or written any further. */
export interface CaptureFailure {
  readonly fault: 'truncated' | 'corrupt' | 'unsupported' | 'system' | 'misuse';
  /** The byte of the file, from 0, that the problem is about. */
  readonly offset: number;
  /** Empty when the system call says it all. */
  readonly problem: string;
  readonly remedy: string;
  /** As in errno(3), 0 unless the fault is `system`. */
  readonly errno: number;
  readonly syscall: string;
}

/** Methods give a TypeError for arguments of a wrong type, and unless the capture is open. */
export interface NativeCaptureReader {
  open(path: string): 'pcap' | 'pcapng' | CaptureFailure;
  /**
   * Copies as many packets as fit; returns how many, 0 at the end. A packet has a time and five fields: where in `data`
   * its bytes begin, how many there are, how many there were on the wire, its interface, its link type. `data` has at
   * least 262144 bytes. A failure comes after all packets before it.
   */
  read(data: Uint8Array, times: BigUint64Array, fields: Uint32Array): number | CaptureFailure;
  /** Whether time stamps of the file can be finer than a microsecond. */
  hasNanoseconds(): boolean;
  close(): void;
}

/** Methods give a TypeError for arguments of a wrong type, and unless a capture of their format is open. */
export interface NativeCaptureWriter {
  openPcap(path: string, linkType: number, nanoseconds: boolean): CaptureFailure | undefined;
  openPcapng(path: string): CaptureFailure | undefined;
  addInterface(linkType: number, name: string): CaptureFailure | undefined;
  writePcap(time: bigint, originalLength: number, bytes: Uint8Array): CaptureFailure | undefined;
  /** The first `count` packets of a batch as NativeCaptureReader.read() fills it. */
  writePcapBatch(
    count: number,
    data: Uint8Array,
    times: BigUint64Array,
    fields: Uint32Array,
  ): CaptureFailure | undefined;
  writePcapng(
    time: bigint,
    originalLength: number,
    bytes: Uint8Array,
    interfaceIndex: number,
    comment: string,
  ): CaptureFailure | undefined;
  flush(): CaptureFailure | undefined;
  close(): CaptureFailure | undefined;
}

/** What the addon exports for captures. */
export interface CapturesAddon {
  readonly CaptureReader: new () => NativeCaptureReader;
  readonly CaptureWriter: new () => NativeCaptureWriter;
}
