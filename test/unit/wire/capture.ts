// SPDX-License-Identifier: Apache-2.0
// Hands frames to tcpdump and tshark as a classic pcap file: to tcpdump on standard input, because it may have given up
// the right to open files; to tshark by name, because it takes no socket for one.
import { type ExecFileException, execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function pcap(frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(24);
  [0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1].forEach((word, index) => {
    head.writeUInt32LE(word, index * 4);
  });
  const records = frames.map(frame => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1, 0);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([head, ...records]);
}

function run(command: string, args: readonly string[], input?: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (error: ExecFileException | null, stdout: string) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} failed: ${error.message}`));
    };
    execFile(command, args, { maxBuffer: 64 * 1024 * 1024 }, done).stdin?.end(input);
  });
}

export async function tcpdumpLines(frames: readonly Uint8Array[], ...options: readonly string[]): Promise<string[]> {
  const output = await run('tcpdump', ['-n', '-t', '-S', ...options, '-r', '-'], pcap(frames));
  return output.trimEnd().split('\n');
}

/** One line a frame: the values of the fields, the occurrences of one field separated by commas. */
export async function tsharkFields(
  frames: readonly Uint8Array[],
  fields: readonly string[],
  preferences: readonly string[] = [],
): Promise<string[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-capture-'));
  try {
    const file = join(folder, 'frames.pcap');
    await writeFile(file, pcap(frames));
    const args = ['-n', '-r', file, '-T', 'fields'];
    for (const preference of preferences) args.push('-o', preference);
    for (const field of fields) args.push('-e', field);
    const output = await run('tshark', args);
    const lines = output.replace(/\n$/, '').split('\n');
    return lines.map(line => line.split('\t'));
  } finally {
    await rm(folder, { recursive: true });
  }
}
