// SPDX-License-Identifier: Apache-2.0
// What can be read of the host: its files and what programs print. Tests have a host of their own.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statfsSync } from 'node:fs';

export interface Host {
  /** The trimmed text of a file; undefined where there is none, or it cannot be read. */
  read(path: string): string | undefined;
  /** The names in a folder; none where there is no such folder. */
  list(path: string): readonly string[];
  /** What a program prints; undefined where it is missing or fails. */
  run(program: string, args: readonly string[]): string | undefined;
  /** Bytes that a process without privileges may still write at this path; undefined where there is no such path. */
  free(path: string): number | undefined;
}

const programSeconds = 5;

export const thisHost: Host = {
  read: path => unless(() => readFileSync(path, 'utf8').trim()),
  list: path => unless(() => readdirSync(path)) ?? [],
  run(program, args) {
    const { status, stdout } = spawnSync(program, args, {
      encoding: 'utf8',
      timeout: programSeconds * 1000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return status === 0 ? stdout : undefined;
  },
  free(path) {
    return unless(() => {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    });
  },
};

/** Undefined where the system refuses. */
function unless<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** A number in a file. */
export function readNumber(host: Host, path: string): number | undefined {
  const text = host.read(path);
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}
