// SPDX-License-Identifier: Apache-2.0
// `sluice` as a process: exit status, the output of each stream, captures that end too early, and what other programs read
// from the captures that it writes.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CaptureWriter } from '../../src/capture/capture-writer.ts';
import { linkTypes } from '../../src/capture/link-type.ts';
import { version } from '../../src/core/version.ts';
import { buildFrame, buildPacket, ethernet, ipv4, tcp } from '../../src/wire/packet-builder.ts';
import { readWithPcapParser, readWithTcpdump, readWithTshark } from '../unit/capture/outside-readers.ts';
import { temporaryDirectory } from '../unit/capture/temporary-directory.ts';
import { runSluice } from './run-sluice.ts';

const path = temporaryDirectory();
const net = path(
  'net.yaml',
  Buffer.from(`
ports:
  c0: { mac: "02:00:00:00:01:01", addresses: [10.0.1.1/24] }
  s0: { mac: "02:00:00:00:02:01", addresses: [10.0.2.1/24] }
neighbours:
  10.0.2.11: { mac: "02:00:00:00:02:11", port: s0 }
`),
);
const rules = path('rules', Buffer.from('-A -t 10.0.1.100:80 -s rr\n-a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m\n'));

const ip = (sourcePort: number) =>
  [
    ipv4({ source: '10.0.1.2', destination: '10.0.1.100' }),
    tcp({ sourcePort, destinationPort: 80, flags: 'S' }),
  ] as const;
const syn = (sourcePort: number) => buildFrame(ethernet({ destination: '02:00:00:00:01:01' }), ...ip(sourcePort));

const start = 1_704_067_200_000_000_000n;

interface Written {
  readonly precision?: 'microsecond' | 'nanosecond';
  readonly linkType?: typeof linkTypes.rawIp;
}

/** A capture of a packet every microsecond. */
function capture(name: string, packets: readonly Uint8Array[], options: Written = {}): string {
  const writer = new CaptureWriter(path(name), { format: 'pcap', precision: 'microsecond', ...options });
  for (const [index, bytes] of packets.entries()) writer.write({ time: start + BigInt(index) * 1000n, bytes });
  writer.close();
  return path(name);
}

function cut(name: string, whole: string, length: number): string {
  return path(name, readFileSync(whole).subarray(0, length));
}

const replay = (out: string, inputs: readonly string[], ...more: readonly string[]) =>
  runSluice(['replay', '--net', net, '--rules', rules, '--in', ...inputs, '--out', path(out), ...more]);

function verdicts(out: string): Record<string, unknown>[] {
  const lines = readFileSync(join(path(out), 'verdicts.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.filter(line => line !== '').map(line => JSON.parse(line));
}

const fileHeader = 24;
const recordHeader = 16;
const frameLength = 60;
const record = recordHeader + frameLength;

describe('sluice', () => {
  it('tells its usage, its version, and what is wrong with a command line', async () => {
    const [help, versions, nothing, unknown, replayHelp] = await Promise.all([
      runSluice(['--help']),
      runSluice(['--version']),
      runSluice([]),
      runSluice(['reply']),
      runSluice(['replay', '--help']),
    ]);
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toMatch(/^Usage: sluice COMMAND .*\n\n {2}run /);
    expect(versions).toMatchObject({ status: 0, stdout: `${version}\n` });
    expect(nothing).toMatchObject({ status: 2, stdout: '' });
    expect(nothing.stderr).toBe('sluice: no command is given (try sluice --help)\n');
    expect(unknown).toMatchObject({ status: 2, stdout: '' });
    expect(unknown.stderr).toBe('sluice: there is no such command: "reply" (did you mean replay?)\n');
    expect(replayHelp).toMatchObject({ status: 0, stderr: '' });
    expect(replayHelp.stdout).toMatch(/^Usage: sluice replay --net /);
  });
});

describe('a replay', () => {
  it('leaves captures that tcpdump, tshark and pcap-parser read, in the precision of its input', async () => {
    const input = capture('two.pcap', [syn(40000), syn(40001)]);
    expect(await replay('read', [`c0=${input}`])).toMatchObject({ status: 0, stdout: '' });
    const sent = join(path('read'), 's0.pcap');
    const parsed = await readWithPcapParser(sent);
    expect(parsed.map(packet => packet.time)).toEqual([start, start + 1000n]);
    expect(readWithTcpdump(sent)).toEqual(parsed.map(({ time, bytes }) => ({ time, bytes })));
    expect(readWithTshark(sent).map(({ time, bytes }) => ({ time, bytes }))).toEqual(
      parsed.map(({ time, bytes }) => ({ time, bytes })),
    );
    expect(readWithTcpdump(join(path('read'), 'c0.pcap'))).toEqual([]);
  });

  it('keeps nanoseconds', async () => {
    const [fine, coarse] = [path('fine.pcap'), capture('coarse.pcap', [syn(40000)])];
    const writer = new CaptureWriter(fine, { format: 'pcap' });
    writer.write({ time: start + 1n, bytes: syn(40001) });
    writer.close();
    expect(await replay('fine', [`c0=${fine}`, `c0=${coarse}`])).toMatchObject({ status: 0 });
    const times = readWithTcpdump(join(path('fine'), 's0.pcap')).map(packet => packet.time);
    expect(times).toEqual([start, start + 1n]);
    const text = readFileSync(join(path('fine'), 'verdicts.jsonl'), 'utf8');
    expect(text.match(/"time":[0-9.]+/g)).toEqual(['"time":1704067200.000000000', '"time":1704067200.000000001']);
  });

  it('merges captures by their stamps, equal stamps in the order given', async () => {
    const [first, second] = [capture('a.pcap', [syn(1), syn(2)]), capture('b.pcap', [syn(3), syn(4)])];
    expect(await replay('merged', [`c0=${second}`], '--in', `s0=${first}`)).toMatchObject({ status: 0 });
    expect(verdicts('merged').map(line => line.port)).toEqual(['c0', 's0', 'c0', 's0']);
  });

  it('of a capture without packets leaves every file, empty', async () => {
    expect(await replay('empty', [`c0=${capture('empty.pcap', [])}`], '--connections')).toMatchObject({
      status: 0,
      stdout: `IPVS connection entries\npro expire state       source             virtual            destination\n`,
      stderr: '0 frames from 1 capture\nsent: c0 0, s0 0\n',
    });
    for (const port of ['c0', 's0']) expect(readWithTcpdump(join(path('empty'), `${port}.pcap`))).toEqual([]);
    expect(verdicts('empty')).toEqual([]);
  });

  it('replays a truncated capture up to there and the others to their end, and fails with the offset', async () => {
    const whole = capture('whole.pcap', [syn(1), syn(2), syn(3)]);
    const half = cut('half.pcap', whole, fileHeader + record + recordHeader + 10);
    const { status, stderr } = await replay('cut', [`c0=${half}`, `c0=${whole}`]);
    expect(status).toBe(1);
    expect(stderr).toContain(`sluice: ${half}: at byte ${fileHeader + record}: `);
    expect(verdicts('cut')).toHaveLength(4);
    expect(readWithTcpdump(join(path('cut'), 's0.pcap'))).toHaveLength(4);
  });

  it('says with --json what failed', async () => {
    const half = cut('half2.pcap', capture('whole2.pcap', [syn(1), syn(2)]), fileHeader + record + 5);
    const { status, stdout } = await replay('cut2', [`c0=${half}`], '--json');
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      summary: {
        frames: 1,
        outputs: [
          { port: 'c0', frames: 0 },
          { port: 's0', frames: 1 },
        ],
      },
      errors: [{ code: 'SLUICE_CAPTURE_TRUNCATED', offset: fileHeader + record, place: { file: half } }],
    });
  });

  it('refuses packets without an Ethernet header', async () => {
    const raw = capture('raw.pcap', [buildPacket(...ip(1))], { linkType: linkTypes.rawIp });
    const { status, stderr } = await replay('raw', [`c0=${raw}`]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `sluice: ${raw}: packet 1 has no Ethernet header (link type 101, raw IP) (capture on an Ethernet device`,
    );
  });

  it('fails in one line when what it needs is wrong', async () => {
    expect(await replay('missing', ['c0=/nowhere.pcap'])).toEqual({
      status: 1,
      signal: null,
      stdout: '',
      stderr: 'sluice: /nowhere.pcap: cannot read the capture: open: ENOENT, no such file or directory\n',
    });
  });
});

describe('the example of the library', () => {
  it('asks the director why', () => {
    const example = fileURLToPath(new URL('../../examples/explain-a-packet.mjs', import.meta.url));
    const printed = execFileSync(process.execPath, [example], { encoding: 'utf8' });
    expect(printed).toContain('forward, scheduled: opened a flow; the scheduler chose the real server\n');
    expect(printed).toContain('> s0 IP 10.0.1.2.40000 > 10.0.2.11.8080: Flags [S], seq 1, win 65535, length 0\n');
    expect(printed).toContain('TCP 01:00  SYN_RECV    10.0.1.2:40000     10.0.1.100:80      10.0.2.11:8080\n');
  });
});
