// SPDX-License-Identifier: Apache-2.0
// Which packets get which firewall mark by the rules of a net.yaml.
import { expect, it } from 'vitest';
import { markOf, markRules } from '../../../src/lvs/firewall-marks.ts';
import { surroundingsFrom } from '../../../src/lvs/surroundings.ts';
import * as wire from '../../../src/wire/packet-builder.ts';

const surroundings = surroundingsFrom({
  ports: { c0: { mac: '02:00:00:00:00:01' }, s0: { mac: '02:00:00:00:00:02' } },
  marks: [
    { mark: 1, port: 's0' },
    { mark: 2, source: '10.0.1.16/28' },
    { mark: 3, protocol: 'udp', ports: 53 },
    { mark: 4, destination: '10.0.1.100', protocol: 'tcp', ports: '8000-8100' },
    { mark: 5, destination: '10.0.1.100' },
  ],
});
const rules = markRules(surroundings);

const tcp = (source: string, destination: string, destinationPort: number) =>
  wire.buildFrame(wire.ethernet({}), wire.ipv4({ source, destination }), wire.tcp({ destinationPort }));
const udp = (destinationPort: number) =>
  wire.buildFrame(
    wire.ethernet({}),
    wire.ipv4({ source: '10.9.0.1', destination: '10.9.0.2' }),
    wire.udp({ destinationPort }),
  );

it.each<[string, number, Uint8Array, number]>([
  ['the port that it came on', 1, tcp('10.0.1.2', '10.9.0.1', 1), 1],
  ['the first rule that fits', 1, tcp('10.0.1.17', '10.0.1.100', 8000), 1],
  ['a source network', 0, tcp('10.0.1.31', '10.9.0.1', 1), 2],
  ['an address behind it', 0, tcp('10.0.1.32', '10.9.0.1', 1), 0],
  ['a protocol and a port', 0, udp(53), 3],
  ['another port', 0, udp(54), 0],
  ['the first of a range', 0, tcp('10.9.0.9', '10.0.1.100', 8000), 4],
  ['the last of a range', 0, tcp('10.9.0.9', '10.0.1.100', 8100), 4],
  ['behind the range', 0, tcp('10.9.0.9', '10.0.1.100', 8101), 5],
  ['nothing that fits', 0, tcp('10.9.0.9', '10.0.1.101', 8000), 0],
  ['no IP', 0, new Uint8Array(60), 0],
  ['a frame cut short', 0, tcp('10.0.1.17', '10.0.1.100', 8000).subarray(0, 30), 0],
  ['headers without ports', 0, tcp('10.9.0.9', '10.0.1.100', 8000).subarray(0, 34), 5],
])('%s', (_what, port, frame, mark) => {
  expect(markOf(rules, port, frame)).toBe(mark);
});

it('sees through VLAN tags and extension headers', () => {
  const frame = udp(53);
  const tagged = Uint8Array.from([...frame.subarray(0, 12), 0x88, 0xa8, 0, 7, 0x81, 0, 0, 5, ...frame.subarray(12)]);
  expect(markOf(rules, 0, tagged)).toBe(3);
  const ipv6 = new Uint8Array(14 + 40 + 8 + 8);
  ipv6.set([0x86, 0xdd, 0x60], 12);
  ipv6.set([0, 16, 60, 64], 14 + 4); // destination options
  ipv6.set([17, 0], 14 + 40); // then UDP
  ipv6.set([0, 0, 0, 53], 14 + 48);
  expect(markOf(rules, 0, ipv6)).toBe(3);
});
