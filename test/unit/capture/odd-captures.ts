// SPDX-License-Identifier: Apache-2.0
// Small captures with everything that the formats allow and few files have. They are compared with what tshark reads,
// and they are the corpus from which the fuzz targets start (native/fuzz/make-capture-corpus.ts).
import { CaptureBytes } from './capture-bytes.ts';

/** An Ethernet frame with an IPv4 header and a UDP datagram; checksums are not computed. */
export function udpFrame(payloadBytes: number, fill = 0): Buffer {
  return Buffer.concat([Buffer.from('0200000000020200000000010800', 'hex'), udpPacket(payloadBytes, fill)]);
}

/** The same without Ethernet. */
export function udpPacket(payloadBytes: number, fill = 0): Buffer {
  const packet = Buffer.alloc(28 + payloadBytes, fill);
  packet.set(Buffer.from('450000000001400040110000c0000201c6336401', 'hex'));
  packet.writeUInt16BE(packet.length, 2);
  packet.set(Buffer.from('303900350000' + '0000', 'hex'), 20);
  packet.writeUInt16BE(8 + payloadBytes, 24);
  return packet;
}

const seconds = 1_700_000_000;
const nanoseconds = Uint8Array.of(9);

const resolution = (value: number) => (body: CaptureBytes) => {
  body.option(9, Uint8Array.of(value)).u32(0);
};

export const oddPcaps: Readonly<Record<string, Buffer>> = {
  'little-microseconds': new CaptureBytes()
    .pcapHeader(0xa1b2c3d4)
    .pcapRecord(seconds, 999_999, udpFrame(3))
    .pcapRecord(seconds + 1, 0, udpFrame(100).subarray(0, 64), 142)
    .build(),
  'big-microseconds': new CaptureBytes('big')
    .pcapHeader(0xa1b2c3d4)
    .pcapRecord(seconds, 1, udpFrame(0))
    .pcapRecord(seconds, 2, udpFrame(1))
    .build(),
  'little-nanoseconds': new CaptureBytes().pcapHeader(0xa1b23c4d).pcapRecord(seconds, 999_999_999, udpFrame(4)).build(),
  'big-nanoseconds-raw-ip': new CaptureBytes('big')
    .pcapHeader(0xa1b23c4d, 101)
    .pcapRecord(seconds, 123_456_789, udpPacket(5))
    .build(),
  'bsd-raw-ip': new CaptureBytes().pcapHeader(0xa1b2c3d4, 12).pcapRecord(seconds, 7, udpPacket(6)).build(),
  'openbsd-raw-ip': new CaptureBytes('big').pcapHeader(0xa1b2c3d4, 14).pcapRecord(seconds, 8, udpPacket(7)).build(),
  ipv4: new CaptureBytes().pcapHeader(0xa1b2c3d4, 228).pcapRecord(seconds, 9, udpPacket(8)).build(),
  empty: new CaptureBytes().pcapHeader(0xa1b2c3d4).build(),
};

export const oddPcapngs: Readonly<Record<string, Buffer>> = {
  'interfaces-and-resolutions': new CaptureBytes()
    .section()
    .interface(1)
    .interface(101, resolution(9))
    .interface(228, resolution(3))
    .interface(1, resolution(0x80 | 20))
    .interface(1, resolution(10))
    .enhancedPacket(0, BigInt(seconds) * 1_000_000n + 1n, udpFrame(1))
    .enhancedPacket(1, BigInt(seconds) * 1_000_000_000n + 2n, udpPacket(2))
    .enhancedPacket(2, BigInt(seconds) * 1000n + 3n, udpPacket(3))
    .enhancedPacket(3, (BigInt(seconds) << 20n) + 524_288n, udpFrame(4))
    .enhancedPacket(4, BigInt(seconds) * 10_000_000_000n + 59n, udpFrame(5))
    .build(),
  'time-offset': new CaptureBytes()
    .section()
    .interface(1, body => body.u16(14).u16(8).u64(BigInt(seconds)).option(9, nanoseconds).u32(0))
    .enhancedPacket(0, 1_000_000_001n, udpFrame(1))
    .build(),
  'sections-of-both-byte-orders': new CaptureBytes()
    .section()
    .interface(1)
    .interface(101)
    .enhancedPacket(1, BigInt(seconds) * 1_000_000n, udpPacket(1))
    .order('big')
    .section()
    .interface(1, resolution(9))
    .enhancedPacket(0, BigInt(seconds) * 1_000_000_000n + 1n, udpFrame(2))
    .order('little')
    .section()
    .interface(1)
    .enhancedPacket(0, BigInt(seconds) * 1_000_000n + 2n, udpFrame(3))
    .build(),
  'options-and-unknown-blocks': new CaptureBytes('big')
    .section()
    .block(0x80000001, body => body.u32(1))
    .interface(1, body => {
      body.option(2, Buffer.from('eth0')).option(3, Buffer.from('the first')).option(11, Buffer.from('\0udp')).u32(0);
    })
    .block(4, body => body.option(1, Buffer.from('\xc0\x00\x02\x01host\0', 'latin1')).u32(0))
    .enhancedPacket(0, BigInt(seconds) * 1_000_000n, udpFrame(2).subarray(0, 41), 44, body => {
      body.option(1, Buffer.from('a comment')).option(2, Buffer.alloc(4)).u32(0);
    })
    .block(5, body => body.u32(0).u32(1).u32(2))
    .enhancedPacket(0, BigInt(seconds) * 1_000_000n + 1n, udpFrame(0))
    .build(),
  'obsolete-packets': new CaptureBytes()
    .section()
    .interface(1)
    .interface(1)
    .block(2, body => {
      const ticks = BigInt(seconds) * 1_000_000n + 5n;
      body
        .u16(1)
        .u16(3)
        .u32(Number(ticks >> 32n))
        .u32(Number(ticks & 0xffffffffn));
      body.u32(43).u32(60).raw(udpFrame(1));
    })
    .build(),
  'simple-packets': new CaptureBytes()
    .section()
    .interface(1, () => {}, 50)
    .block(3, body => body.u32(44).raw(udpFrame(2)))
    .block(3, body => body.u32(90).raw(udpFrame(48).subarray(0, 50)))
    .build(),
};
