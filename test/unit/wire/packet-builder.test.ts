// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as wire from '../../../src/wire/packet-builder.ts';
import { buildFrame, buildPacket, ethernet, hex, ipv4, ipv6, tcp, udp } from '../../../src/wire/packet-builder.ts';
import { tcpdumpLines, tsharkFields } from './capture.ts';

const reply = { source: '10.0.1.100', destination: '10.0.1.2' };
const reply6 = { source: '2001:db8::100', destination: '2001:db8::2' };
const outer = { source: '192.0.2.1', destination: '192.0.2.2' };
const zeros = (length: number) => new Uint8Array(length);
const quotedTcp = wire.quote(buildPacket(ethernet(), ipv4(), tcp()));
const quotedTcp6 = buildPacket(ipv6(), tcp());
const synOptions = wire.concat(
  wire.tcpOptions.mss(1460),
  wire.tcpOptions.sackPermitted(),
  wire.tcpOptions.timestamp(100, 0),
  wire.tcpOptions.noOperation(),
  wire.tcpOptions.windowScale(7),
);

// The same packets as the C++ builder makes, which are kept as seeds of the fuzz target.
const samples: Record<string, Uint8Array> = {
  'tcp-syn': buildPacket(ethernet(), ipv4({ dontFragment: true }), tcp({ options: synOptions })),
  'tcp-syn-ack': buildPacket(ethernet(), ipv4(reply), tcp({ sourcePort: 80, destinationPort: 8080, flags: 'S.' })),
  'tcp-fin': buildFrame(ethernet(), ipv4(), tcp({ acknowledgement: 2, flags: 'F.' })),
  'tcp-urgent': buildPacket(
    ethernet(),
    ipv4(),
    tcp({ sourcePort: 4000, destinationPort: 4001, flags: 'UP', urgentPointer: 1 }),
    '!',
  ),
  'tcp-partial': buildPacket(ethernet(), ipv4(), tcp({ checksum: 'partial' })),
  udp: buildPacket(ethernet(), ipv4(), udp(), 'datagram'),
  'udp-padded': buildFrame(ethernet(), ipv4(), udp()),
  'udp-no-checksum': buildPacket(ethernet(), ipv4(), udp({ checksum: 0 }), 'x'),
  'ipv4-options': buildPacket(ethernet(), ipv4({ options: hex('070b04 0a000001 00000000 00') }), udp(), 'x'),
  'ipv4-first-fragment': buildPacket(ethernet(), ipv4({ id: 7, moreFragments: true }), udp({ length: 108 }), zeros(40)),
  'ipv4-later-fragment': buildPacket(ethernet(), ipv4({ id: 7, fragmentOffset: 48, protocol: 17 }), zeros(60)),
  'icmp-echo': buildPacket(ethernet(), ipv4(), wire.echoRequest(), zeros(56)),
  'icmp-fragmentation-needed': buildPacket(ethernet(), ipv4(reply), wire.unreachable(4, 1480), quotedTcp),
  'icmp-time-exceeded': buildPacket(ethernet(), ipv4(reply), wire.timeExceeded(), quotedTcp),
  'sctp-init': buildPacket(ethernet(), ipv4(), wire.sctp({ verificationTag: 0 }), wire.sctpInit({ sequence: 5 })),
  'sctp-data': buildPacket(
    ethernet(),
    ipv4(),
    wire.sctp(),
    wire.sctpChunk({ type: 'sack', value: hex('00000004 00010000 0000 0000') }),
    wire.sctpChunk({ type: 'data', flags: 3, value: hex('00000006 0001 0002 00000000 6869') }),
  ),
  ipip: buildPacket(ethernet(), ipv4(outer), ipv4(), tcp()),
  'ip6-in-ip4': buildPacket(ethernet(), ipv4(outer), ipv6(), tcp()),
  gre: buildPacket(ethernet(), ipv4(outer), wire.gre(), ipv4(), tcp()),
  'gre-all': buildPacket(
    ethernet(),
    ipv4(outer),
    wire.gre({ checksum: true, key: 5, sequence: 6 }),
    ipv6(),
    udp(),
    'x',
  ),
  gue: buildPacket(ethernet(), ipv4(), udp({ destinationPort: 6080 }), wire.gue(), ipv4(), tcp()),
  'gue-remote-checksum': buildPacket(
    ethernet(),
    ipv4(),
    udp({ destinationPort: 6080 }),
    wire.gue({ remoteChecksum: { start: 20, offset: 36 } }),
    ipv4(),
    tcp({ checksum: 'partial' }),
  ),
  'gue-variant-1': buildPacket(ethernet(), ipv4(), udp({ destinationPort: 6080 }), ipv6(), tcp()),
  udp6: buildPacket(ethernet(), ipv6({ flowLabel: 0x12345 }), udp(), 'datagram'),
  'udp6-hop-by-hop': buildPacket(ethernet(), ipv6(), wire.hopByHop(hex('05020000 0100')), udp(), 'x'),
  'tcp6-destination-options': buildPacket(ethernet(), ipv6(), wire.destinationOptions(), tcp()),
  'tcp6-routing': buildPacket(ethernet(), ipv6(), wire.routing(hex('fd00 00000000')), tcp()),
  'tcp6-ah': buildPacket(ethernet(), ipv6(), wire.authentication(), tcp()),
  'ip6-first-fragment': buildPacket(
    ethernet(),
    ipv6(),
    wire.fragment({ more: true, id: 9 }),
    udp({ length: 108 }),
    zeros(40),
  ),
  'ip6-later-fragment': buildPacket(
    ethernet(),
    ipv6(),
    wire.fragment({ offset: 48, id: 9, nextHeader: 17 }),
    zeros(60),
  ),
  'icmp6-echo-reply': buildPacket(ethernet(), ipv6(reply6), wire.echoReply6(), zeros(56)),
  'icmp6-too-big': buildPacket(ethernet(), ipv6(reply6), wire.packetTooBig(1280), quotedTcp6),
  'icmp6-address-unreachable': buildPacket(ethernet(), ipv6(reply6), wire.unreachable6(3), quotedTcp6),
  'neighbour-solicitation': buildPacket(
    ethernet({ destination: '33:33:ff:00:00:01' }),
    ipv6({ destination: 'ff02::1:ff00:1', hopLimit: 255 }),
    wire.neighbourSolicitation({ target: '2001:db8::1', linkAddress: '02:00:00:00:00:01' }),
  ),
  'neighbour-advertisement': buildPacket(
    ethernet(),
    ipv6({ hopLimit: 255 }),
    wire.neighbourAdvertisement({
      target: '2001:db8::1',
      linkAddress: '02:00:00:00:00:01',
      flags: { solicited: true, override: true },
    }),
  ),
  'no-next-header': buildPacket(ethernet(), ipv6()),
  'arp-request': buildFrame(ethernet({ destination: 'ff:ff:ff:ff:ff:ff' }), wire.arp()),
  'arp-reply': buildPacket(ethernet(), wire.arp({ operation: 'reply', targetMac: '02:00:00:00:00:02' })),
  'vlan-priority': buildPacket(ethernet(), wire.vlan({ id: 4095, priority: 7 }), ipv6(), udp()),
  qinq: buildPacket(
    ethernet(),
    wire.vlan({ id: 100, tpid: wire.etherTypes.providerVlan }),
    wire.vlan({ id: 5 }),
    ipv4(),
    udp(),
  ),
};

describe('the packet builder', () => {
  it.each(Object.entries(samples))('makes the same bytes as the native one: %s', (name, frame) => {
    const native = readFileSync(new URL(`../../../native/fuzz/corpus/packet/${name}`, import.meta.url));
    expect(Buffer.from(frame).toString('hex')).toBe(native.toString('hex'));
  });

  it('computes checksums in which tcpdump finds nothing wrong', async () => {
    const { 'tcp-partial': partial = zeros(0), ...whole } = samples;
    const lines = await tcpdumpLines(Object.values(whole), '-vv');
    expect(lines.filter(line => /incorrect|bad cksum|wrong/.test(line))).toEqual([]);
    expect((await tcpdumpLines([partial], '-vv')).join()).toContain('incorrect');
  });

  it('computes a CRC32c that tshark accepts', async () => {
    const frames = [samples['sctp-init'], samples['sctp-data']].filter(frame => frame !== undefined);
    const good = '1';
    expect(await tsharkFields(frames, ['sctp.checksum.status'], ['sctp.checksum:CRC-32c'])).toEqual([[good], [good]]);
  });

  it('writes wrong fields when told to', async () => {
    const lines = await tcpdumpLines(
      [
        buildPacket(ethernet(), ipv4({ checksum: 0x1234 }), udp({ checksum: 0x5678 }), 'x'),
        buildPacket(ethernet(), ipv4(), wire.icmp({ type: 8, checksum: 0x1234 })),
        buildPacket(ethernet(), ipv4({ totalLength: 100 }), udp()),
      ],
      '-vv',
    );
    expect(lines[0]).toContain('bad cksum 1234');
    expect(lines[1]).toContain('bad udp cksum 0x5678');
    expect(lines[3]).toContain('wrong icmp cksum 1234');
    expect(lines[4]).toContain('truncated-ip - 72 bytes missing');
  });

  it('says which address, flag or digit it cannot read', () => {
    expect(() => ipv4({ source: '10.0.1' })).toThrow('no IPv4 address: "10.0.1"');
    expect(() => ipv6({ source: 'fe80::1%eth0' })).toThrow('no IPv6 address: "fe80::1%eth0"');
    expect(() => buildPacket(ethernet({ source: '2:0:0:0:0:1' }))).toThrow('no MAC address: "2:0:0:0:0:1"');
    expect(() => buildPacket(tcp({ flags: 'SX' }))).toThrow('no TCP flag: "X" in "SX"');
    expect(() => hex('450')).toThrow('no pairs of hexadecimal digits: "450"');
  });
});

describe('IPv6 addresses', () => {
  it.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::', '20010db8000000000000000000000000'],
    ['2001:DB8:0:1:1:1:1:1', '20010db8000000010001000100010001'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
  ])('%s has its bytes', (text, bytes) => {
    expect(Buffer.from(wire.ipv6Bytes(text)).toString('hex')).toBe(bytes);
  });
});
