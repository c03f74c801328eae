// SPDX-License-Identifier: Apache-2.0
// Reads a file that a person or a document has named, in a process that must go on: whatever stands behind the name, the
// process neither stands still nor takes more memory than the longest file may have.
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readlink } from 'node:fs/promises';
import { ConfigError, SluiceError, SystemError } from './errors.ts';

/** Of a configuration. A service with its real servers takes some 1,000 bytes. */
export const longestFile = 16 << 20;

/** What was opened, before anything is read of it. */
export interface OpenedFile {
  readonly stats: Stats;
  /** Where it is, with symbolic links followed. */
  readonly path: string;
}

export interface ReadingOptions {
  readonly mostBytes?: number;
  /** Also reads pipes, to their end: for a person who can interrupt it. */
  readonly takesPipes?: boolean;
  /** Throws what speaks against reading this file. */
  readonly admit?: (opened: OpenedFile) => void;
}

/** Throws with the file's name when it is no regular file, is too long, is not UTF-8, or cannot be read. */
export async function readTextFile(file: string, options: ReadingOptions = {}): Promise<string> {
  return decoded(file, await readBytes(file, options));
}

/** The same without an encoding. */
export async function readBytes(file: string, options: ReadingOptions = {}): Promise<Buffer> {
  const { takesPipes = false, admit } = options;
  const flags = constants.O_RDONLY | (takesPipes ? 0 : constants.O_NONBLOCK);
  const handle = await attempt(file, () => open(file, flags));
  try {
    return await attempt(file, async () => {
      const stats = await handle.stat();
      admit?.({ stats, path: await readlink(`/proc/self/fd/${handle.fd}`) });
      if (stats.isFile() || (takesPipes && !stats.isDirectory()))
        return await readWhole(file, handle, stats.size, options);
      throw invalid(file, 'this is no regular file', 'name a file that can be read again at each reload');
    });
  } finally {
    await handle.close();
  }
}

async function readWhole(
  file: string,
  handle: FileHandle,
  size: number,
  { mostBytes = longestFile }: ReadingOptions,
): Promise<Buffer> {
  // One byte more shows that there is more. Files of /proc do not know their size.
  const buffer = Buffer.allocUnsafe(Math.min(Math.max(size, 65_536), mostBytes) + 1);
  const parts: Buffer[] = [];
  for (let length = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return Buffer.concat(parts);
    length += bytesRead;
    if (length > mostBytes) throw invalid(file, 'the file is too long', `keep it below ${bytesInWords(mostBytes)}`);
    parts.push(Buffer.from(buffer.subarray(0, bytesRead)));
  }
}

function bytesInWords(bytes: number): string {
  return bytes >= 1 << 20 ? `${bytes >> 20} MiB` : `${bytes >> 10} KiB`;
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
    if (error instanceof SluiceError) throw error;
    throw SystemError.from(error, 'cannot read the file', { place: { file } });
  }
}

function invalid(file: string, problem: string, remedy: string): ConfigError {
  return new ConfigError('SLUICE_CONFIG_SYNTAX', problem, { place: { file }, remedy });
}
