// SPDX-License-Identifier: Apache-2.0
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type CapturedPacket, openCapture } from '../../src/capture/capture-reader.ts';
import { CaptureWriter } from '../../src/capture/capture-writer.ts';
import { linkTypes } from '../../src/capture/link-type.ts';
import { CaptureError } from '../../src/core/errors.ts';
import { temporaryDirectory } from '../unit/capture/temporary-directory.ts';

// Hundreds of files are written and read.
vi.setConfig({ testTimeout: 60_000 });

const temporary = temporaryDirectory();

const linkType = fc.constantFrom(...Object.values(linkTypes));
const largeFrame = fc
  .tuple(fc.integer({ min: 60_000, max: 262_144 }), fc.nat({ max: 255 }))
  .map(([length, fill]) => Buffer.alloc(length, fill));
const bytes = fc.oneof(
  { weight: 9, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 1, arbitrary: largeFrame },
);
const cutAway = fc.nat({ max: 10_000 });
const pcapTime = fc.bigInt({ min: 0n, max: 2n ** 32n * 1_000_000_000n - 1n });
const anyTime = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

// As text, because comparing large arrays element by element takes minutes.
const asText = (captured: Uint8Array) => Buffer.from(captured).toString('base64');

const plain = (packets: Iterable<CapturedPacket>) =>
  [...packets].map(packet => ({ ...packet, bytes: asText(packet.bytes) }));

describe('what is written is read', () => {
  it('from a pcap, to the precision of the file', () => {
    const path = temporary('identity.pcap');
    const packet = fc.record({ time: pcapTime, bytes, cutAway });
    const precision = fc.constantFrom('nanosecond' as const, 'microsecond' as const);
    fc.assert(
      fc.property(linkType, precision, fc.array(packet, { maxLength: 20 }), (type, precise, packets) => {
        const writer = new CaptureWriter(path, { format: 'pcap', linkType: type, precision: precise });
        const tick = precise === 'nanosecond' ? 1n : 1000n;
        const expected = packets.map(({ time, bytes: captured, cutAway: cut }) => {
          const originalLength = captured.length + cut;
          writer.write({ time, bytes: captured, originalLength });
          const rounded = (time / tick) * tick;
          return { time: rounded, interfaceIndex: 0, linkType: type, originalLength, bytes: asText(captured) };
        });
        writer.close();
        expect(plain(openCapture(path))).toEqual(expected);
      }),
    );
  });

  it('from a pcapng with several interfaces, exactly', () => {
    const path = temporary('identity.pcapng');
    const interfaces = fc.array(fc.record({ name: fc.string({ maxLength: 40 }), type: linkType }), {
      minLength: 1,
      maxLength: 5,
    });
    const comment = fc.string({ unit: 'grapheme', maxLength: 100 });
    const packet = fc.record({ time: anyTime, bytes, cutAway, of: fc.nat(), comment });
    fc.assert(
      fc.property(interfaces, fc.array(packet, { maxLength: 20 }), (added, packets) => {
        const writer = new CaptureWriter(path, { format: 'pcapng' });
        for (const { name, type } of added) writer.addInterface(name, type);
        const expected = packets.map(({ time, bytes: captured, cutAway: cut, of, comment: text }) => {
          const interfaceIndex = of % added.length;
          const originalLength = captured.length + cut;
          writer.write({ time, bytes: captured, originalLength, interfaceIndex, comment: text });
          const type = added[interfaceIndex]?.type;
          return { time, interfaceIndex, linkType: type, originalLength, bytes: asText(captured) };
        });
        writer.close();
        expect(plain(openCapture(path))).toEqual(expected);
      }),
    );
  });
});

describe('a file cut at any byte', () => {
  for (const format of ['pcap', 'pcapng'] as const) {
    it(`keeps exactly the whole records before the cut: ${format}`, () => {
      const path = temporary(`whole.${format}`);
      const cutPath = temporary(`cut.${format}`);
      const writer = new CaptureWriter(path, { format });
      if (format === 'pcapng') writer.addInterface('eth0');
      writer.flush();
      const ends = [readFileSync(path).length];
      for (const length of [0, 1, 2, 3, 60]) {
        const comment = format === 'pcapng' && length % 2 === 1 ? 'why' : undefined;
        writer.write({ time: 1n, bytes: Buffer.alloc(length, length), comment });
        writer.flush();
        ends.push(readFileSync(path).length);
      }
      writer.close();
      const whole = readFileSync(path);
      const packets = plain(openCapture(path));
      const [first = 0] = ends;
      for (let cut = first; cut <= whole.length; cut++) {
        writeFileSync(cutPath, whole.subarray(0, cut));
        const kept: CapturedPacket[] = [];
        let error: unknown;
        try {
          for (const packet of openCapture(cutPath)) kept.push(packet);
        } catch (caught) {
          error = caught;
        }
        const wholeRecords = ends.filter(end => end <= cut).length - 1;
        expect(plain(kept)).toEqual(packets.slice(0, wholeRecords));
        if (ends.includes(cut)) expect(error).toBeUndefined();
        else {
          expect(error).toBeInstanceOf(CaptureError);
          expect(error).toMatchObject({ code: 'SLUICE_CAPTURE_TRUNCATED', offset: ends[wholeRecords] });
        }
      }
    });
  }
});

describe('any bytes', () => {
  it('are read or refused with a capture error, never with another', () => {
    const path = temporary('any');
    const start = fc.constantFrom(
      '',
      'd4c3b2a1020004000000000000000000ffff000001000000',
      '0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000',
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 200 }), (head, tail) => {
        writeFileSync(path, Buffer.concat([Buffer.from(head, 'hex'), tail]));
        try {
          for (const packet of openCapture(path))
            expect(packet.originalLength).toBeGreaterThanOrEqual(packet.bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(CaptureError);
        }
      }),
    );
  });
});
