// SPDX-License-Identifier: Apache-2.0
// What `sluice replay` says to a wrong command line and to wrong files, without a process for each.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replayCommand } from '../../../src/cli/replay.ts';
import { SluiceError } from '../../../src/core/errors.ts';
import { temporaryDirectory } from '../capture/temporary-directory.ts';

const path = temporaryDirectory();

function write(name: string, text: string): string {
  mkdirSync(dirname(path(name)), { recursive: true });
  writeFileSync(path(name), text);
  return path(name);
}

const net = write('net.yaml', 'ports:\n  c0: { mac: "02:00:00:00:01:01", addresses: [10.0.1.1/24] }\n');
const rules = write('rules', '-A -t 10.0.1.100:80 -s rr\n');
const config = write('sluice.yaml', 'director: { services: [{ tcp: 10.0.1.100:80, servers: [10.0.2.11:80] }] }\n');
// The header of a pcap file with Ethernet frames, and no frame.
const pcapHeader = 'd4c3b2a1020004000000000000000000ffff000001000000';
const capture = path('in.pcap', Buffer.from(pcapHeader, 'hex'));
const [missing, out] = [path('missing'), path('out')];

const complete = { '--net': net, '--rules': rules, '--in': `c0=${capture}`, '--out': out };

/** The complete command line with some options changed; undefined leaves one out. */
function words(changes: Record<string, string | undefined> = {}): string[] {
  return Object.entries({ ...complete, ...changes }).flatMap(([name, value]) =>
    value === undefined ? [] : [name, value],
  );
}

async function failureOf(args: readonly string[]): Promise<{ message: string; exitStatus: number }> {
  try {
    await replayCommand.run(args);
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { message: error.message.replaceAll(dirname(net), ''), exitStatus: error.exitStatus };
  }
  throw new Error('it did not fail');
}

describe('a wrong command line is misuse', () => {
  it.each([
    ['nothing', [], '--net is missing (give --net NET.yaml)'],
    ['no captures', words({ '--in': undefined }), '--in is missing (give --in PORT=FILE)'],
    ['no folder', words({ '--out': undefined }), '--out is missing (give --out DIR)'],
    [
      'no services',
      words({ '--rules': undefined }),
      'no services are given (give --rules FILE or --config SLUICE.yaml)',
    ],
    ['services twice', words({ '--config': config }), '--rules and --config exclude each other (give one of them)'],
    ['an option twice', [...words(), '--net', 'other.yaml'], '--net is given twice: "other.yaml"'],
    ['a flag twice', [...words(), '--json', '--json'], '--json is given twice'],
    ['an unknown option', [...words(), '--verbose'], "unknown option '--verbose'"],
    ['an option without its value', ['--net'], "option '--net <value>' argument missing"],
    [
      'an input without a port',
      words({ '--in': 'client.pcap' }),
      'an input is not of the form PORT=FILE: "client.pcap" (such as c0=client.pcap)',
    ],
    ['a word too many', [...words(), 'x'], 'an input is not of the form PORT=FILE: "x" (such as c0=client.pcap)'],
    ['an unknown port', words({ '--in': `c1=${capture}` }), 'the net has no such port: "c1" (use one of c0)'],
  ])('%s', async (_name, args, message) => {
    expect(await failureOf(args)).toEqual({ message, exitStatus: 2 });
  });

  it('an output that is an input', async () => {
    const folder = path('same');
    mkdirSync(folder);
    writeFileSync(`${folder}/c0.pcap`, Buffer.from(pcapHeader, 'hex'));
    expect(await failureOf(words({ '--in': `c0=${folder}/c0.pcap`, '--out': folder }))).toEqual({
      message: 'the replay would write over its own input: "/same/c0.pcap" (use another --out)',
      exitStatus: 2,
    });
  });
});

describe('a wrong file is named with the place, the value and what to do', () => {
  it.each([
    [
      'the net is missing',
      { '--net': missing },
      '/missing: cannot read the file: open: ENOENT, no such file or directory',
    ],
    [
      'the rules are missing',
      { '--rules': missing },
      '/missing: cannot read the file: open: ENOENT, no such file or directory',
    ],
    [
      'the capture is missing',
      { '--in': `c0=${missing}` },
      '/missing: cannot read the capture: open: ENOENT, no such file or directory',
    ],
    ['the net is a folder', { '--net': dirname(net) }, ': this is no regular file'],
    [
      'a value in the net',
      { '--net': write('bad-net.yaml', 'ports:\n  c0:\n    mac: 02:00:00:00:01\n') },
      '/bad-net.yaml:3:10: ports.c0.mac must be a MAC address: "02:00:00:00:01" (such as 02:00:00:00:00:01)',
    ],
    [
      'a rule',
      { '--rules': write('bad-rules', '-A -t 10.0.1.100:80 -s rr\n-a -t 10.0.1.100:80 -r 10.0.2.300:80 -m\n') },
      '/bad-rules:2:24: illegal real server address[:port] specified: "10.0.2.300:80" (write four numbers from 0 to 255)',
    ],
    [
      'a value in the configuration',
      {
        '--rules': undefined,
        '--config': write('bad.yaml', 'director:\n  services:\n    - tcp: 10.0.1.100:80\n      scheduler: wr\n'),
      },
      '/bad.yaml:4:18: director.services[0].scheduler ',
    ],
    [
      'a capture that is none',
      { '--in': `c0=${write('none.pcap', 'this is not a capture of any kind')}` },
      '/none.pcap: at byte 0: ',
    ],
    ['a folder that is a file', { '--out': write('file', '') }, '/file: cannot make the folder: mkdir: EEXIST'],
  ])('%s', async (_name, changes, message) => {
    const failure = await failureOf(words(changes));
    expect(failure.message.slice(0, message.length)).toBe(message);
    expect(failure.exitStatus).toBe(1);
  });
});
