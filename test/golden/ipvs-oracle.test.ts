// SPDX-License-Identifier: Apache-2.0
// The oracle itself: the scenario language, the comparison and the generator.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compare } from '../../lab/ipvs-oracle/compare.ts';
import { generateScenario } from '../../lab/ipvs-oracle/generate.ts';
import type { Recording } from '../../lab/ipvs-oracle/recording.ts';
import { parseScenario, type Scenario } from '../../lab/ipvs-oracle/scenario.ts';
import type { SubjectOutcome } from '../../lab/ipvs-oracle/subject.ts';
import { summarize } from '../../lab/ipvs-oracle/summary.ts';

const scenario = (...lines: string[]) => parseScenario('a.scenario', 'area/a', ['# Title', ...lines].join('\n'));

function framesOf(parsed: Scenario): Uint8Array[] {
  return parsed.steps.flatMap(({ action }) => (action.kind === 'frames' ? [...action.frames] : []));
}

describe('a mistake in a scenario is reported with file, line and column', () => {
  it.each([
    ['c0 > tcp 10.0.1.2:1 10.0.1.100:80 SX', '2:35: TCP flags are letters of FSRPAUEC or "none", not "SX"'],
    ['c0 > tcp 10.0.1.2 10.0.1.100:80 S', '2:10: source must be ADDRESS:PORT, with an IPv6 address in brackets, not "10.0.1.2"'],
    ['c0 > udp 10.0.1.2:1 10.0.1.100:80 ttl 256', '2:39: ttl must be a whole number from 0 to 255, not "256"'],
    ['c0 > udp 10.0.1.2:1 [fd00::1]:80', '2:21: source and destination are of different families'],
    ['c1 > udp 10.0.1.2:1 10.0.1.100:80', '2:1: "c1" begins no step: c0, s0, ipvsadm, sysctl, wait or show'],
    ['for 1..2 c0 > udp 10.0.1.2:1 10.0.1.100:80 nonsense %', '2:44: "nonsense" is not known here'],
    ['@1 wait 1\n@0.5 wait 1', '3:1: this time is before that of the step before'],
    ['show everything', '2:6: show one of connections, services, stats, thresholds, persistence, timeouts, rules, not "everything"'],
    ['wait 1\nport c0 mtu 1400', '3:1: lines of the topology come before the first step'],
    ['c0 > icmp 10.0.1.2 10.0.1.100 unreachable port about (udp 1.1.1.1:1 2.2.2.2:2', '2:78: ")" is missing at the end of the line'],
    ['address c0 10.0.1.7', '2:12: expected ADDRESS/LENGTH, not "10.0.1.7"'],
  ])('%s', (text, message) => {
    expect(() => scenario(text)).toThrow(`a.scenario:${message}`);
  });

  it('and a scenario without a title is one', () => {
    expect(() => parseScenario('a.scenario', 'area/a', 'wait 1\n')).toThrow('a.scenario:1:1: a scenario begins with a comment');
  });
});

describe('a scenario', () => {
  it('runs its steps 20 ms apart unless a time is given', () => {
    const { steps } = scenario('ipvsadm -C', '@1.5 show services', '@+0.25 show services', 'wait 3', 'show stats');
    expect(steps.map(step => step.timeNs)).toEqual([0n, 1_500_000_000n, 1_750_000_000n, 4_750_000_000n, 6_870_000_000n]);
  });

  it('repeats a line for each number', () => {
    const { steps } = scenario('for 8..10 c0 > udp 10.0.1.2:% 10.0.1.100:53');
    expect(steps.map(step => step.text)).toEqual([
      'c0 > udp 10.0.1.2:8 10.0.1.100:53',
      'c0 > udp 10.0.1.2:9 10.0.1.100:53',
      'c0 > udp 10.0.1.2:10 10.0.1.100:53',
    ]);
  });

  it('notes a deviation for the next step only', () => {
    const { steps } = scenario('wait 1', 'deviation: because', 'wait 1', 'wait 1');
    expect(steps.map(step => step.deviation)).toEqual([undefined, 'because', undefined]);
  });
});

const packets: readonly (readonly [string, string])[] = [
  ['tcp 10.0.1.2:1 10.0.1.100:80 PA seq 7 ack 9 mss 1400 len 5', 'tcp'],
  ['udp 10.0.1.2:1 10.0.1.100:53 text "odd" ipopt 01010101', 'udp'],
  ['sctp 10.0.1.2:1 10.0.1.100:80 COOKIE_ECHO DATA', 'sctp'],
  ['icmp 10.0.1.2 10.0.1.100 echo id 1 seq 2 len 9', 'icmp'],
  ['icmp 10.0.1.2 10.0.1.100 unreachable frag mtu 1200 about (udp 10.0.1.100:1 10.0.1.2:2 len 8) keep 28', 'icmp'],
  ['tcp [fd00:1::2]:1 [fd00:1::100]:80 S flow 5 tos 8', 'tcp'],
  ['udp [fd00:1::2]:1 [fd00:1::100]:53 len 7 extension 60 0000010400000000', 'udp'],
  ['icmp fd00:1::2 fd00:1::100 too-big mtu 1280 about (tcp [fd00:1::100]:80 [fd00:1::2]:1 A)', 'icmpv6'],
];

function pcap(frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex');
  const records = frames.map(frame => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([head, ...records]);
}

describe('a described packet', () => {
  it('has checksums that Wireshark finds right', () => {
    const folder = mkdtempSync(join(tmpdir(), 'oracle-packets-'));
    try {
      const file = join(folder, 'packets.pcap');
      writeFileSync(file, pcap(framesOf(scenario(...packets.map(([text]) => `c0 > ${text}`)))));
      const checks = ['ip', 'tcp', 'udp'].flatMap(name => ['-o', `${name}.check_checksum:TRUE`]);
      const names = new Set(['ip', ...packets.map(([, name]) => name)]);
      const fields = [...names].flatMap(name => ['-e', `${name}.checksum.status`]);
      const printed = execFileSync(
        'tshark',
        ['-r', file, ...checks, '-o', 'sctp.checksum:TRUE', '-T', 'fields', '-E', 'occurrence=f', ...fields],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      );
      expect(printed.match(/\b0\b/g)).toBeNull(); // 0: bad, 1: good, 2: not checked
      expect(printed.trimEnd().split('\n')).toHaveLength(packets.length);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(packets)('%s is summarized in the words that describe it', (text, name) => {
    const [frame] = framesOf(scenario(`c0 > ${text}`));
    const summary = frame ? summarize(frame) : '';
    expect(summary).not.toMatch(/BAD|IPLEN \d+ OF \d+ 02/);
    expect(summary.startsWith(name.replace('icmpv6', 'icmp'))).toBe(true);
  });

  it('comes in fragments of the size and the order that are asked for', () => {
    const frames = framesOf(scenario('c0 > udp 10.0.1.2:1 10.0.1.100:53 len 1000 fragments 404 order 3 1 2'));
    expect(frames.map(frame => /fragment \S+( more)?/.exec(summarize(frame))?.[0])).toEqual([
      'fragment 800+208',
      'fragment 0+400 more',
      'fragment 400+400 more',
    ]);
  });
});

describe('the comparison', () => {
  const asked = scenario('c0 > udp 10.0.1.2:1 10.0.1.100:53 len 4', 'show connections');
  const [frame = new Uint8Array()] = framesOf(asked);
  const table = (expiry: string) => ['IPVS connection entries', `UDP ${expiry}  UDP         10.0.1.2:1 10.0.1.100:53 10.0.2.11:53`];
  const kernel: Recording = {
    kernel: 'test',
    outcomes: [
      { transmitted: [{ port: 's0', frame, delayNs: 0n }], output: [], status: 0 },
      { transmitted: [], output: [...table('04:59'), 'TCP 00:10  NONE'], status: 0 },
    ],
  };
  const outcomes = (sent: Uint8Array[], output: string[]): SubjectOutcome[] => [
    { transmitted: sent.map(bytes => ({ port: 's0', frame: bytes })), output: [], failed: false, isHosts: false },
    { transmitted: [], output, failed: false, isHosts: false },
  ];
  const changed = Uint8Array.from(frame, (byte, i) => (i === frame.length - 1 ? byte ^ 1 : byte));
  const moved = ['TCP 00:11  NONE', ...table('04:58')];

  it.each([
    ['accepts the same frames, and a table in another order, two seconds apart', [frame], moved, []],
    ['finds a frame that is missing', [], moved, [2]],
    ['finds a frame of which one bit differs', [changed], moved, [2]],
    ['finds a frame too many', [frame, frame], moved, [2]],
    ['finds an expiry that is three seconds apart', [frame], ['TCP 00:10  NONE', ...table('04:56')], [3]],
    ['finds a connection that is missing', [frame], table('04:59'), [3]],
  ])('%s', (_, sent, output, lines) => {
    expect(compare(asked, kernel, outcomes(sent, output)).map(difference => difference.line)).toEqual(lines);
  });
});

describe('the generator', () => {
  it('gives the same scenario for the same seed and index, and others for others', () => {
    expect(generateScenario(7, 3)).toBe(generateScenario(7, 3));
    expect(generateScenario(7, 4).split('\n').slice(1)).not.toEqual(generateScenario(7, 3).split('\n').slice(1));
    expect(generateScenario(8, 3).split('\n').slice(1)).not.toEqual(generateScenario(7, 3).split('\n').slice(1));
  });

  it('writes scenarios that can be read', () => {
    for (let index = 0; index < 200; index++) {
      expect(parseScenario('random', 'random', generateScenario(1, index)).steps.length).toBeGreaterThan(5);
    }
  });
});
