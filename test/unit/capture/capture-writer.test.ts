// SPDX-License-Identifier: Apache-2.0
import { readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openCapture } from '../../../src/capture/capture-reader.ts';
import { CaptureWriter, type CaptureWriterOptions } from '../../../src/capture/capture-writer.ts';
import { linkTypes } from '../../../src/capture/link-type.ts';
import { SystemError, UsageError } from '../../../src/core/errors.ts';
import { loadAddon } from '../../../src/native/addon.ts';
import { CaptureBytes } from './capture-bytes.ts';
import { udpFrame } from './odd-captures.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const temporary = temporaryDirectory();
const time = 1_700_000_000_123_456_789n;

const pcapng = { format: 'pcapng' } as const;
const pcap = { format: 'pcap' } as const;

describe('a written file', () => {
  it('has the bytes that its packets determine: pcap', () => {
    const path = temporary('exact.pcap');
    const writer = new CaptureWriter(path, { ...pcap, linkType: linkTypes.rawIp });
    writer.write({ time, bytes: udpFrame(1), originalLength: 100 });
    writer.close();
    const expected = new CaptureBytes().u32(0xa1b23c4d).u16(2).u16(4).u32(0).u32(0).u32(262_144).u32(101);
    expected.pcapRecord(1_700_000_000, 123_456_789, udpFrame(1), 100);
    expect(readFileSync(path)).toEqual(expected.build());
  });

  it('is the same for the same packets, over an older one too: pcapng', () => {
    const write = (path: string) => {
      const writer = new CaptureWriter(path, pcapng);
      expect(writer.addInterface('c0')).toBe(0);
      expect(writer.addInterface('s0', linkTypes.ipv6)).toBe(1);
      for (let index = 0; index < 100; index++) {
        writer.write({
          time: BigInt(index),
          bytes: udpFrame(index),
          interfaceIndex: index % 2,
          comment: 'c'.repeat(index),
        });
      }
      writer.close();
      return readFileSync(path);
    };
    const first = write(temporary('a.pcapng'));
    expect(write(temporary('b.pcapng'))).toEqual(first);
    expect(write(temporary('a.pcapng', Buffer.alloc(1_000_000)))).toEqual(first);
  });

  it('is on disk after a flush, for others to read while it grows', () => {
    const path = temporary('flushed.pcap');
    const writer = new CaptureWriter(path, pcap);
    writer.write({ time, bytes: udpFrame(1) });
    writer.flush();
    expect([...openCapture(path)]).toHaveLength(1);
    writer.write({ time, bytes: udpFrame(2) });
    writer.close();
    expect([...openCapture(path)]).toHaveLength(2);
  });

  it('takes the bytes of a part of a buffer as they are at the time', () => {
    const path = temporary('part.pcap');
    const writer = new CaptureWriter(path, pcap);
    const memory = new Uint8Array([1, 2, 3, 4, 5]);
    writer.write({ time, bytes: memory.subarray(1, 4) });
    memory.fill(9);
    writer.close();
    expect([...openCapture(path)].map(packet => [...packet.bytes])).toEqual([[2, 3, 4]]);
  });
});

describe('misuse', () => {
  const rows: readonly {
    what: string;
    options: CaptureWriterOptions;
    action: (writer: CaptureWriter) => unknown;
    message: string;
  }[] = [
    {
      what: 'a negative time',
      options: pcap,
      action: writer => writer.write({ time: -1n, bytes: udpFrame(1) }),
      message: 'time must be a bigint from 0 to 2^64-1',
    },
    {
      what: 'a time after 2106 in a pcap',
      options: pcap,
      action: writer => writer.write({ time: 2n ** 63n, bytes: udpFrame(1) }),
      message: 'pcap holds times until the year 2106, not 9223372036854775808 ns after 1970 (write pcapng instead)',
    },
    {
      what: 'an original length below the captured one',
      options: pcap,
      action: writer => writer.write({ time, bytes: udpFrame(1), originalLength: 42 }),
      message: "an original length of 42 is less than the packet's 43 bytes (give the length that it had on the wire)",
    },
    {
      what: 'an original length that is no whole number',
      options: pcap,
      action: writer => writer.write({ time, bytes: udpFrame(1), originalLength: 60.5 }),
      message: 'originalLength must be a whole number from 0 to 4294967295',
    },
    {
      what: 'a frame that no reader takes',
      options: pcap,
      action: writer => writer.write({ time, bytes: Buffer.alloc(262_145) }),
      message:
        'a packet of 262145 bytes does not fit a capture, at most 262144 do (cut it and keep its original length)',
    },
    {
      what: 'a comment in a pcap',
      options: pcap,
      action: writer => writer.write({ time, bytes: udpFrame(1), comment: 'drop' }),
      message: 'a pcap file has no comments: "drop" (write pcapng instead)',
    },
    {
      what: 'a second interface of a pcap',
      options: pcap,
      action: writer => writer.write({ time, bytes: udpFrame(1), interfaceIndex: 1 }),
      message: 'a pcap file has one interface: 1 (write pcapng instead)',
    },
    {
      what: 'adding an interface to a pcap',
      options: pcap,
      action: writer => writer.addInterface('eth0'),
      message: 'a pcap file has one interface without a name (write pcapng instead)',
    },
    {
      what: 'an interface that was not added',
      options: pcapng,
      action: writer => writer.write({ time, bytes: udpFrame(1) }),
      message: 'interface 0 was not added, 0 were (add it before its packets)',
    },
    {
      what: 'a comment that does not fit',
      options: pcapng,
      action: writer => {
        writer.addInterface('eth0');
        writer.write({ time, bytes: udpFrame(1), comment: 'x'.repeat(65_536) });
      },
      message: "a packet's comment of 65536 bytes does not fit, at most 65535 do (shorten it)",
    },
  ];
  for (const [index, { what, options, action, message }] of rows.entries()) {
    it(`is refused and writes nothing: ${what}`, () => {
      const path = temporary(`misuse-${index}`);
      const writer = new CaptureWriter(path, options);
      expect(() => action(writer)).toThrow(UsageError);
      expect(() => action(writer)).toThrow(`${path}: ${message}`);
      writer.close();
      expect([...openCapture(path)]).toEqual([]);
    });
  }

  it('of the native writer gives a TypeError', () => {
    const addon = loadAddon();
    const writer = new addon.CaptureWriter();
    expect(() => writer.writePcap(time, 1, Buffer.alloc(1))).toThrow(TypeError);
    expect(() => writer.addInterface(1, 'eth0')).toThrow(TypeError);
    expect(writer.openPcapng(temporary('native.pcapng'))).toBeUndefined();
    expect(() => writer.writePcap(time, 1, Buffer.alloc(1))).toThrow(TypeError);
    expect(() => writer.writePcapng(time, 1, Buffer.alloc(1), -1, '')).toThrow(TypeError);
    const write = writer.writePcapng.bind(writer) as (...args: unknown[]) => unknown;
    expect(() => write(1, 1, Buffer.alloc(1), 0, '')).toThrow(TypeError);
    expect(() => write(time, 1, 'x', 0, '')).toThrow(TypeError);
    expect(() => write(time, 1, Buffer.alloc(1), 0)).toThrow(TypeError);
    const open = writer.openPcap.bind(writer) as (...args: unknown[]) => unknown;
    expect(() => open()).toThrow(TypeError);
    expect(() => open('x')).toThrow(TypeError);
    expect(writer.close()).toBeUndefined();
    expect(writer.close()).toBeUndefined();
    expect(writer.flush()).toBeUndefined();
  });
});

describe('closing a writer', () => {
  it('may be done twice; writing afterwards is an error that says so', () => {
    const path = temporary('closed.pcapng');
    const writer = new CaptureWriter(path, pcapng);
    writer.addInterface('eth0');
    writer.close();
    const size = statSync(path).size;
    writer.close();
    const actions = [
      () => writer.write({ time, bytes: udpFrame(1) }),
      () => writer.addInterface('eth1'),
      () => writer.flush(),
    ];
    for (const action of actions) {
      expect(action).toThrow(UsageError);
      expect(action).toThrow(`${path}: the capture is closed (write before close())`);
    }
    expect(statSync(path).size).toBe(size);
  });
});

describe('the system', () => {
  it('is quoted when a file cannot be created', () => {
    const path = temporary('no/such/directory.pcap');
    expect(() => new CaptureWriter(path, pcap)).toThrow(SystemError);
    expect(() => new CaptureWriter(path, pcap)).toThrow(
      `${path}: cannot write the capture: open: ENOENT, no such file or directory`,
    );
    expect(() => new CaptureWriter('x\0y', pcap)).toThrow(UsageError);
  });

  it('is quoted when the disk is full: at a flush, at close and at the write that does not fit the buffer', () => {
    const fresh = () => new CaptureWriter('/dev/full', pcap);
    expect(() => fresh().flush()).toThrow('/dev/full: cannot write the capture: write: ENOSPC');
    expect(() => fresh().close()).toThrow('/dev/full: cannot write the capture: write: ENOSPC');
    const writer = fresh();
    const write = () => writer.write({ time, bytes: Buffer.alloc(200_000) });
    expect(write).toThrow('/dev/full: writing the capture failed: write: ENOSPC');
    expect(write).toThrow(SystemError);
    expect(() => writer.close()).toThrow('write: ENOSPC');
    expect(() => writer.close()).not.toThrow();
  });
});
