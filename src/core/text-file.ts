// SPDX-License-Identifier: Apache-2.0
// Reads a file that a person has named, in a process that must go on: whatever stands behind the name, the process
// neither stands still nor takes more memory than the longest file may have.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ConfigError, SystemError } from './errors.ts';

/** Of a configuration. A service with its real servers takes some 1,000 bytes. */
export const longestFile = 16 << 20;

/** Throws with the file's name when it is no regular file, is too long, is not UTF-8, or cannot be read. */
export async function readTextFile(file: string): Promise<string> {
  const handle = await attempt(file, () => open(file, constants.O_RDONLY | constants.O_NONBLOCK));
  try {
    return decoded(file, await attempt(file, () => readWhole(file, handle)));
  } finally {
    await handle.close();
  }
}

async function readWhole(file: string, handle: FileHandle): Promise<Buffer> {
  const stat = await handle.stat();
  if (!stat.isFile())
    throw invalid(file, 'this is no regular file', 'name a file that can be read again at each reload');
  // One byte more shows that there is more. Files of /proc do not know their size.
  const { size } = stat;
  const buffer = Buffer.allocUnsafe(Math.min(Math.max(size, 65_536), longestFile) + 1);
  let parts: Buffer = Buffer.alloc(0);
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return parts;
    parts = Buffer.concat([parts, buffer.subarray(0, bytesRead)]);
    if (parts.length > longestFile)
      throw invalid(file, 'the file is too long', `keep it below ${longestFile >> 20} MiB`);
  }
}

function decoded(file: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid(file, 'the file is not UTF-8', 'save it as UTF-8');
  }
}

async function attempt<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw SystemError.from(error, 'cannot read the file', { place: { file } });
  }
}

function invalid(file: string, problem: string, remedy: string): ConfigError {
  return new ConfigError('SLUICE_CONFIG_SYNTAX', problem, { place: { file }, remedy });
}
