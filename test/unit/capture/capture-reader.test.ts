// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { openCapture } from '../../../src/capture/capture-reader.ts';
import { CaptureError, SystemError, UsageError } from '../../../src/core/errors.ts';
import { loadAddon } from '../../../src/native/addon.ts';
import { CaptureBytes } from './capture-bytes.ts';
import { oddPcapngs, udpFrame } from './odd-captures.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const temporary = temporaryDirectory();

/** What `action` throws. */
function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** More packets than a batch holds, of all sizes. */
function longPcap(packets: number): Buffer {
  const file = new CaptureBytes().pcapHeader(0xa1b23c4d);
  for (let index = 0; index < packets; index++) file.pcapRecord(index, index, Buffer.alloc(index % 300, index));
  return file.build();
}

describe('an open capture', () => {
  it('gives packets with time, interface, link type, lengths and bytes', () => {
    const path = temporary('interfaces.pcapng', oddPcapngs['interfaces-and-resolutions']);
    const capture = openCapture(path);
    expect(capture.format).toBe('pcapng');
    expect(capture.path).toBe(path);
    const packets = [...capture];
    expect(packets).toHaveLength(5);
    expect(packets[3]).toEqual({
      time: 1_700_000_000_500_000_000n,
      interfaceIndex: 3,
      linkType: 1,
      originalLength: 46,
      bytes: udpFrame(4),
    });
  });

  it('gives batches whose packets stay what they are when the next batch is read', () => {
    const capture = openCapture(temporary('long.pcap', longPcap(20_000)));
    const batches = [...capture.batches()];
    expect(batches.length).toBeGreaterThan(2);
    let index = 0;
    for (const batch of batches) {
      expect(batch.at(batch.length)).toBeUndefined();
      for (const packet of batch) {
        expect(packet.time).toBe(BigInt(index) * 1_000_000_001n);
        if (!packet.bytes.equals(Buffer.alloc(index % 300, index))) expect.fail(`packet ${index} has other bytes`);
        index++;
      }
    }
    expect(index).toBe(20_000);
  });

  it('is read to its end once', () => {
    const capture = openCapture(temporary('once.pcap', longPcap(3)));
    expect(capture.readBatch()?.length).toBe(3);
    expect(capture.readBatch()).toBeUndefined();
    expect(capture.readBatch()).toBeUndefined();
    capture.close();
  });

  it('has no packets when the file has none', () => {
    expect([...openCapture(temporary('empty.pcap', longPcap(0)))]).toEqual([]);
  });
});

describe('a damaged capture', () => {
  it('gives every whole packet, then an error with code, file, offset and remedy', () => {
    const whole = longPcap(10_000);
    const path = temporary('cut.pcap', whole.subarray(0, whole.length - 1));
    let packets = 0;
    const error = errorOf(() => {
      for (const _ of openCapture(path)) packets++;
    });
    expect(packets).toBe(9_999);
    const length = 9_999 % 300;
    const offset = whole.length - length - 16;
    expect(error).toBeInstanceOf(CaptureError);
    expect(error).toMatchObject({
      code: 'SLUICE_CAPTURE_TRUNCATED',
      offset,
      message:
        `${path}: at byte ${offset}: the file ends inside packet 10000: expected ${16 + length} bytes, ` +
        `found ${15 + length}; the 9999 packets before this offset are whole ` +
        '(copy or capture the file again for the rest)',
    });
  });

  it('gives the same error again and keeps giving it', () => {
    const capture = openCapture(temporary('twice.pcap', longPcap(2).subarray(0, -1)));
    expect(capture.readBatch()?.length).toBe(1);
    const first = errorOf(() => capture.readBatch());
    expect(first).toBeInstanceOf(CaptureError);
    expect(errorOf(() => capture.readBatch())).toEqual(first);
    capture.close();
  });

  it('names what is wrong with a corrupt one', () => {
    const path = temporary('corrupt.pcap', new CaptureBytes().pcapHeader(0xa1b2c3d4).u32(1).u32(2).u64(-1n).build());
    expect(errorOf(() => [...openCapture(path)])).toMatchObject({
      code: 'SLUICE_CAPTURE_FORMAT',
      offset: 32,
      message: expect.stringContaining(
        'packet 1 says 4294967295 captured bytes, expected at most 262144; no packet precedes this offset',
      ),
    });
  });
});

describe('opening', () => {
  const rows = [
    { what: 'an empty file', bytes: Buffer.alloc(0), code: 'SLUICE_CAPTURE_TRUNCATED', message: 'the file is empty' },
    { what: 'text', bytes: Buffer.from('hello'), code: 'SLUICE_CAPTURE_FORMAT', message: 'starts with 68 65 6c 6c' },
    {
      what: 'a compressed capture',
      bytes: Buffer.of(0x1f, 0x8b, 8, 0),
      code: 'SLUICE_CAPTURE_FORMAT',
      message: 'this is a gzip file (decompress it with gunzip)',
    },
    {
      what: 'a capture of the device `any`',
      bytes: new CaptureBytes().pcapHeader(0xa1b2c3d4, 113).build(),
      code: 'SLUICE_CAPTURE_FORMAT',
      message: 'link type 113 (Linux cooked, SLL) is not supported',
    },
  ];
  for (const { what, bytes, code, message } of rows) {
    it(`refuses ${what}`, () => {
      const error = errorOf(() => openCapture(temporary('refused', bytes)));
      expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    });
  }

  it('says which system call failed on a missing file and on a directory', () => {
    const missing = temporary('missing.pcap');
    expect(errorOf(() => openCapture(missing))).toMatchObject({
      code: 'SLUICE_SYSTEM_CALL',
      syscall: 'open',
      errnoName: 'ENOENT',
      message: `${missing}: cannot read the capture: open: ENOENT, no such file or directory`,
    });
    expect(errorOf(() => openCapture('/'))).toBeInstanceOf(SystemError);
    expect(errorOf(() => openCapture('/'))).toMatchObject({ syscall: 'read', errnoName: 'EISDIR' });
  });

  it('refuses a path that the system would read differently', () => {
    expect(errorOf(() => openCapture('/etc/hostname\0.pcap'))).toBeInstanceOf(UsageError);
    expect(errorOf(() => openCapture(''))).toBeInstanceOf(UsageError);
  });
});

describe('closing', () => {
  it('may be done twice; reading afterwards is an error that says so', () => {
    const path = temporary('closed.pcap', longPcap(3));
    const capture = openCapture(path);
    capture.close();
    capture.close();
    const error = errorOf(() => capture.readBatch());
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code: 'SLUICE_USAGE', message: `${path}: the capture is closed (open it again)` });
    expect(errorOf(() => [...capture])).toBeInstanceOf(UsageError);
  });

  it('happens by itself when a loop is left, at the end and at an error', () => {
    const left = openCapture(temporary('left.pcap', longPcap(3)));
    for (const _ of left) break;
    const ended = openCapture(temporary('ended.pcap', longPcap(3)));
    for (const _ of ended);
    const failed = openCapture(temporary('failed.pcap', longPcap(3).subarray(0, -1)));
    errorOf(() => [...failed]);
    for (const capture of [left, ended, failed]) expect(errorOf(() => capture.readBatch())).toBeInstanceOf(UsageError);
  });

  it('leaves the packets that were read as they are', () => {
    const capture = openCapture(temporary('kept.pcap', longPcap(5)));
    const batch = capture.readBatch();
    capture.close();
    expect(batch?.at(4)?.bytes).toEqual(Buffer.alloc(4, 4));
  });
});

describe('the native reader', () => {
  it('gives a TypeError for memory that is too small, of another type or missing, and before it is opened', () => {
    const addon = loadAddon();
    const data = Buffer.alloc(262_144);
    const times = new BigUint64Array(1);
    const fields = new Uint32Array(5);
    const unopened = new addon.CaptureReader();
    expect(() => unopened.read(data, times, fields)).toThrow(TypeError);
    const reader = new addon.CaptureReader();
    expect(reader.open(temporary('native.pcap', longPcap(3)))).toBe('pcap');
    const read = reader.read.bind(reader) as (...args: unknown[]) => unknown;
    expect(() => read(data.subarray(1), times, fields)).toThrow(TypeError);
    expect(() => read(data, new Float64Array(1), fields)).toThrow(TypeError);
    expect(() => read(data, times, new Int32Array(5))).toThrow(TypeError);
    expect(() => read()).toThrow(TypeError);
    const open = reader.open.bind(reader) as (...args: unknown[]) => unknown;
    expect(() => open(7)).toThrow(TypeError);
    expect(read(data, times, fields)).toBe(1);
    expect(read(data, new BigUint64Array(9), fields)).toBe(1);
    reader.close();
    expect(() => read(data, times, fields)).toThrow(TypeError);
  });
});
