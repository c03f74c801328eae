// SPDX-License-Identifier: Apache-2.0
// What programs that we did not write read from a capture.
import { execFileSync } from 'node:child_process';
import { parse } from 'pcap-parser';
import { outsideEnvironment } from '../../outside-environment.ts';

export interface OutsidePacket {
  readonly time: bigint | undefined;
  readonly originalLength: number;
  readonly bytes: Buffer;
}

export interface TsharkPacket extends OutsidePacket {
  readonly interfaceName: string | undefined;
  readonly comment: string | undefined;
}

/** Output of a program, which must succeed; what it says on standard error is kept for the failure's message only. */
export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    env: outsideEnvironment,
    maxBuffer: 1 << 30,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** "1700000000.5" → nanoseconds. */
function nanosecondsOf(text: string): bigint {
  const [seconds = '', fraction = ''] = text.split('.');
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}

interface TsharkJson {
  readonly _source: {
    readonly layers: {
      readonly frame_raw?: readonly [string, ...unknown[]];
      readonly frame: {
        readonly 'frame.time_epoch'?: string;
        readonly 'frame.len': string;
        readonly 'frame.interface_id_tree'?: { readonly 'frame.interface_name'?: string };
      };
      readonly pkt_comment?: { readonly 'frame.comment': string };
    };
  };
}

export function readWithTshark(path: string): TsharkPacket[] {
  const json = run('tshark', '-n', '-r', path, '-T', 'json', '-x', '-J', 'frame pkt_comment');
  return (JSON.parse(json) as TsharkJson[]).map(({ _source: { layers } }) => {
    const time = layers.frame['frame.time_epoch'];
    return {
      time: time === undefined ? undefined : nanosecondsOf(time),
      originalLength: Number(layers.frame['frame.len']),
      bytes: Buffer.from(layers.frame_raw?.[0] ?? '', 'hex'),
      interfaceName: layers.frame['frame.interface_id_tree']?.['frame.interface_name'],
      comment: layers.pkt_comment?.['frame.comment'],
    };
  });
}

/** Times and bytes as tcpdump prints them; it does not print the length on the wire for every protocol. */
export function readWithTcpdump(path: string): { readonly time: bigint; readonly bytes: Buffer }[] {
  const text = run('tcpdump', '-r', path, '-nn', '-tt', '-xx', '--time-stamp-precision=nano');
  const packets: { time: bigint; bytes: Buffer }[] = [];
  let time: bigint | undefined;
  let hex = '';
  const finish = () => {
    if (time !== undefined) packets.push({ time, bytes: Buffer.from(hex, 'hex') });
    hex = '';
  };
  for (const line of text.split('\n')) {
    const dump = /^\t0x[0-9a-f]+:\s+(?<hex>[0-9a-f ]+)$/.exec(line)?.groups?.hex;
    const stamp = /^(?<time>\d+\.\d{9}) /.exec(line)?.groups?.time;
    if (dump !== undefined) hex += dump.replaceAll(' ', '');
    else if (stamp !== undefined) {
      finish();
      time = nanosecondsOf(stamp);
    }
  }
  finish();
  return packets;
}

export function readWithPcapParser(path: string): Promise<OutsidePacket[]> {
  return new Promise((resolve, reject) => {
    const packets: OutsidePacket[] = [];
    const parser = parse(path);
    parser.on('packet', ({ header, data }) => {
      const time = BigInt(header.timestampSeconds) * 1_000_000_000n + BigInt(header.timestampMicroseconds) * 1000n;
      packets.push({ time, originalLength: header.originalLength, bytes: data });
    });
    parser.on('end', () => resolve(packets));
    parser.on('error', reject);
  });
}
