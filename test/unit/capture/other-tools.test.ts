// SPDX-License-Identifier: Apache-2.0
// Our files read by tcpdump, tshark and pcap-parser; theirs read by us.
import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { type CapturedPacket, openCapture } from '../../../src/capture/capture-reader.ts';
import { CaptureWriter, type CaptureWriterOptions } from '../../../src/capture/capture-writer.ts';
import { type LinkType, linkTypes } from '../../../src/capture/link-type.ts';
import { oddPcapngs, oddPcaps, udpFrame, udpPacket } from './odd-captures.ts';
import { readWithPcapParser, readWithTcpdump, readWithTshark, run } from './outside-readers.ts';
import { temporaryDirectory } from './temporary-directory.ts';

// tshark takes half a second to start, several on a busy machine or under a sanitizer.
vi.setConfig({ testTimeout: 60_000 });

const temporary = temporaryDirectory();

const start = 1_700_000_000_000_000_000n;

interface Sample {
  readonly time: bigint;
  readonly bytes: Buffer;
  readonly originalLength: number;
}

/** Of every length that pads differently, one cut at a snap length, one jumbo; nanoseconds that microseconds lose. */
const frames: readonly Sample[] = [
  ...[0, 1, 2, 3, 18, 1472, 65_000].map((size, index) => {
    const bytes = udpFrame(size, index);
    return { time: start + BigInt(index) * 1_000_000_001n, bytes, originalLength: bytes.length };
  }),
  { time: start - 1n, bytes: udpFrame(1000).subarray(0, 64), originalLength: 1042 },
];

const rawPackets: readonly Sample[] = frames.map(frame => ({ ...frame, bytes: frame.bytes.subarray(14) }));

const inMicroseconds = (time: bigint) => (time / 1000n) * 1000n;

function write(path: string, options: CaptureWriterOptions, packets: readonly Sample[]): string {
  const writer = new CaptureWriter(path, options);
  if (options.format === 'pcapng') writer.addInterface('eth0');
  for (const packet of packets) writer.write(packet);
  writer.close();
  return path;
}

const samplesOf = (packets: Iterable<CapturedPacket>): Sample[] =>
  [...packets].map(({ time, bytes, originalLength }) => ({ time, bytes, originalLength }));

const readByUs = (path: string): Sample[] => samplesOf(openCapture(path));

const linkTypesOf = (path: string): LinkType[] => [...openCapture(path)].map(packet => packet.linkType);

describe('a pcap with nanoseconds that we wrote', () => {
  const path = write(temporary('nano.pcap'), { format: 'pcap' }, frames);

  it('is read by tshark, packet for packet', () => {
    expect(readWithTshark(path)).toMatchObject(frames);
  });

  it('is read by tcpdump, packet for packet', () => {
    expect(readWithTcpdump(path)).toEqual(frames.map(({ time, bytes }) => ({ time, bytes })));
  });

  it('is written again by tcpdump as the same bytes', () => {
    const copy = temporary('nano-copy.pcap');
    run('tcpdump', '-r', path, '-w', copy, '--time-stamp-precision=nano');
    expect(readFileSync(copy)).toEqual(readFileSync(path));
  });
});

describe('a pcap with microseconds that we wrote', () => {
  const path = write(temporary('micro.pcap'), { format: 'pcap', precision: 'microsecond' }, frames);
  const expected = frames.map(frame => ({ ...frame, time: inMicroseconds(frame.time) }));

  it('is read by pcap-parser, packet for packet', async () => {
    expect(await readWithPcapParser(path)).toEqual(expected);
  });

  it('is read by tshark, packet for packet', () => {
    expect(readWithTshark(path)).toMatchObject(expected);
  });

  it('is written again by tcpdump as the same bytes', () => {
    const copy = temporary('micro-copy.pcap');
    run('tcpdump', '-r', path, '-w', copy);
    expect(readFileSync(copy)).toEqual(readFileSync(path));
  });
});

describe('a pcap of raw IP that we wrote', () => {
  for (const [name, linkType] of Object.entries(linkTypes)) {
    if (linkType === linkTypes.ethernet || linkType === linkTypes.ipv6) continue;
    it(`is read by tcpdump and tshark as IP: ${name}`, () => {
      const path = write(temporary(`${name}.pcap`), { format: 'pcap', linkType }, rawPackets);
      expect(readWithTcpdump(path)).toEqual(rawPackets.map(({ time, bytes }) => ({ time, bytes })));
      expect(run('tshark', '-r', path, '-T', 'fields', '-e', 'ip.dst', '-c', '1')).toBe('198.51.100.1\n');
      expect(linkTypesOf(path)).toEqual(rawPackets.map(() => linkType));
    });
  }
});

describe('a pcapng that we wrote', () => {
  const path = temporary('ours.pcapng');
  const writer = new CaptureWriter(path, { format: 'pcapng' });
  writer.addInterface('client0');
  writer.addInterface('server0', linkTypes.rawIp);
  const sent = frames.map((frame, index) => ({
    ...frame,
    bytes: index % 2 === 0 ? frame.bytes : frame.bytes.subarray(14),
    interfaceIndex: index % 2,
    comment: index % 3 === 0 ? `forward: Dienst ${index} „nat“ → 10.0.2.11:8080` : undefined,
  }));
  for (const packet of sent) writer.write(packet);
  writer.close();

  it('is read by tshark with interfaces, nanoseconds and comments', () => {
    expect(readWithTshark(path)).toEqual(
      sent.map(({ time, bytes, originalLength, interfaceIndex, comment }) => ({
        time,
        bytes,
        originalLength,
        interfaceName: interfaceIndex === 0 ? 'client0' : 'server0',
        comment,
      })),
    );
  });

  it('is read by tcpdump when its interfaces have one link type', () => {
    const one = write(temporary('one.pcapng'), { format: 'pcapng' }, frames);
    expect(readWithTcpdump(one)).toEqual(frames.map(({ time, bytes }) => ({ time, bytes })));
  });

  it('shows a comment in what Wireshark calls the packet comment', () => {
    expect(run('tshark', '-r', path, '-Y', 'frame.comment contains "nat"', '-T', 'fields', '-e', 'frame.number')).toBe(
      '1\n4\n7\n',
    );
  });
});

describe('a file that another program wrote', () => {
  const nano = write(temporary('source.pcap'), { format: 'pcap' }, frames);
  const rounded = frames.map(frame => ({ ...frame, time: inMicroseconds(frame.time) }));

  const rows = [
    { type: 'nsecpcap', from: nano, expected: frames, format: 'pcap' },
    { type: 'pcap', from: nano, expected: rounded, format: 'pcap' },
    { type: 'pcapng', from: nano, expected: frames, format: 'pcapng' },
  ] as const;
  for (const { type, from, expected, format } of rows) {
    it(`has the same packets: editcap -F ${type}`, () => {
      const path = temporary(`editcap.${type}`);
      run('editcap', '-F', type, from, path);
      expect(openCapture(path).format).toBe(format);
      expect(readByUs(path)).toEqual(expected);
    });
  }

  it('has the same packets: tshark -w', () => {
    const path = temporary('tshark.pcapng');
    run('tshark', '-r', nano, '-w', path);
    expect(readByUs(path)).toEqual(frames);
  });

  it('has the packets of both interfaces: mergecap', () => {
    const a = write(temporary('a.pcap'), { format: 'pcap' }, frames.slice(0, 3));
    const b = write(temporary('b.pcap'), { format: 'pcap', precision: 'microsecond', linkType: linkTypes.rawIp }, [
      { time: start + 500_000_000n, bytes: udpPacket(9), originalLength: 37 },
    ]);
    const path = temporary('merged.pcapng');
    run('mergecap', '-I', 'none', '-w', path, a, b);
    expect(
      [...openCapture(path)].map(({ time, interfaceIndex, linkType }) => ({ time, interfaceIndex, linkType })),
    ).toEqual([
      { time: start, interfaceIndex: 0, linkType: linkTypes.ethernet },
      { time: start + 500_000_000n, interfaceIndex: 1, linkType: linkTypes.rawIp },
      { time: start + 1_000_000_001n, interfaceIndex: 0, linkType: linkTypes.ethernet },
      { time: start + 2_000_000_002n, interfaceIndex: 0, linkType: linkTypes.ethernet },
    ]);
  });

  it('is refused with the remedy when it is of a format that we do not read: editcap -F modpcap', () => {
    const path = temporary('modified.pcap');
    run('editcap', '-F', 'modpcap', nano, path);
    expect(() => openCapture(path)).toThrow(
      `${path}: at byte 0: this is Kuznetzov's modified pcap (convert it with editcap -F pcap)`,
    );
  });
});

describe('a capture built by hand is read as tshark reads it', () => {
  for (const [name, bytes] of Object.entries({ ...oddPcaps, ...oddPcapngs })) {
    it(name, () => {
      const path = temporary(name, bytes);
      const expected = readWithTshark(path).map(({ time, bytes: data, originalLength }) => ({
        time: time ?? 0n, // tshark gives a simple packet no time; before the first stamp ours is 0
        bytes: data,
        originalLength,
      }));
      expect(readByUs(path)).toEqual(expected);
    });
  }
});
