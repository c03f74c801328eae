// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of the capture readers start from. Run this file to write it:
//   npx tsx test/unit/capture/fuzz-corpus.ts
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CaptureBytes } from './capture-bytes.ts';
import { oddPcapngs, oddPcaps } from './odd-captures.ts';

const corpusFolder = fileURLToPath(new URL('../../../native/fuzz/corpus', import.meta.url));

/** Valid captures, and those that are one step away from it in a way that mutations seldom find. */
export function fuzzCorpus(): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const [name, bytes] of Object.entries(oddPcaps)) files.set(`${corpusFolder}/pcap/${name}.pcap`, bytes);
  for (const [name, bytes] of Object.entries(oddPcapngs)) files.set(`${corpusFolder}/pcapng/${name}.pcapng`, bytes);
  files.set(
    `${corpusFolder}/pcap/length-that-lies.pcap`,
    new CaptureBytes().pcapHeader(0xa1b2c3d4).u32(1).u32(2).u32(262_145).u32(60).raw(Buffer.alloc(60)).build(),
  );
  files.set(
    `${corpusFolder}/pcapng/no-interface.pcapng`,
    new CaptureBytes('big').section().enhancedPacket(0, 1n, Buffer.alloc(5)).build(),
  );
  files.set(
    `${corpusFolder}/pcapng/option-that-lies.pcapng`,
    new CaptureBytes()
      .section()
      .interface(1, body => body.u16(9).u16(200).u32(0))
      .build(),
  );
  files.set(
    `${corpusFolder}/pcapng/custom-block.pcapng`,
    new CaptureBytes()
      .section()
      .block(0x0bad, body => body.u32(0x7ed9).u32(1))
      .interface(1)
      .enhancedPacket(0, 1n, Buffer.alloc(5))
      .build(),
  );
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, bytes] of fuzzCorpus()) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}
