// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c, internetChecksum, onesComplementSum } from '../../../src/wire/checksum.ts';
import * as wire from '../../../src/wire/packet-builder.ts';
import { buildPacket, ethernet, hex, ipv4, ipv6, tcp, udp } from '../../../src/wire/packet-builder.ts';
import { tcpdumpLines } from './capture.ts';

const bytes = fc.uint8Array({ maxLength: 1400 });
const port = fc.integer({ min: 10000, max: 65535 }); // where tcpdump knows no application
const address4 = fc.ipV4();
const address6 = fc.ipV6();

const transports = fc.oneof(
  fc.record({ sourcePort: port, destinationPort: port, sequence: fc.nat(), window: fc.nat(65535) }).map(tcp),
  fc.record({ sourcePort: port, destinationPort: port }).map(udp),
);
const packets = fc.oneof(
  fc.tuple(fc.record({ source: address4, destination: address4, id: fc.nat(65535) }).map(ipv4), transports, bytes),
  fc.tuple(fc.record({ source: address6, destination: address6 }).map(ipv6), transports, bytes),
  fc.tuple(fc.record({ source: address4, destination: address4 }).map(ipv4), fc.constant(wire.echoRequest()), bytes),
  fc.tuple(fc.record({ source: address6, destination: address6 }).map(ipv6), fc.constant(wire.echoReply6()), bytes),
);

describe('checksums', () => {
  it('agree with the examples of RFC 1071 and of CRC32c', () => {
    expect(onesComplementSum(hex('0001 f203 f4f5 f6f7'))).toBe(0xddf2);
    expect(internetChecksum(hex('0001 f203 f4f5 f6f7'))).toBe(0x220d);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  it('verify: a message that holds its own checksum sums up to all ones', () => {
    fc.assert(
      fc.property(bytes, address4, address4, (content, source, destination) => {
        const packet = buildPacket(ipv4({ source, destination }), wire.icmp({ type: 8 }), content);
        expect(onesComplementSum(packet.subarray(0, 20))).toBe(0xffff);
        expect(onesComplementSum(packet.subarray(20))).toBe(0xffff);
      }),
    );
  });

  it('verify over both pseudo-headers, and UDP never sends zero', () => {
    fc.assert(
      fc.property(bytes, address6, address6, (content, source, destination) => {
        const packet = buildPacket(ipv6({ source, destination }), udp(), content);
        const length = packet.length - 40;
        const pseudo = onesComplementSum(packet.subarray(8, 40)) + length + 17;
        expect(onesComplementSum(packet.subarray(40), pseudo % 0xffff || 0xffff)).toBe(0xffff);
        expect(packet.subarray(46, 48)).not.toEqual(Uint8Array.of(0, 0));
      }),
    );
  });

  it('of random packets are correct for tcpdump', async () => {
    const frames = fc.sample(packets, { numRuns: 300, seed: 1 }).map(layers => buildPacket(ethernet(), ...layers));
    const lines = await tcpdumpLines(frames, '-vv');
    expect(lines.length).toBeGreaterThanOrEqual(frames.length);
    expect(lines.filter(line => /incorrect|bad (udp )?cksum|wrong/.test(line))).toEqual([]);
  });
});
