// SPDX-License-Identifier: Apache-2.0
// Reads the files of secrets. Only what root alone can read counts as a secret, and only files in the folder of secrets
// are read for a process: such a process may be taken by an attacker, who would ask for other files of root.
import { realpath } from 'node:fs/promises';
import { ConfigError } from '../core/errors.ts';
import { type OpenedFile, readBytes } from '../core/text-file.ts';
import { isBelow } from './paths.ts';

/** Certificates with their chains are smaller. */
export const longestSecret = 64 << 10;

export const defaultSecretsFolder = '/etc/sluice/secrets';

/** Throws what speaks against the file: that it is not there, that others can read it, that it is too long. */
export async function readSecret(file: string, folder?: string): Promise<Buffer> {
  // The folder may be a symbolic link.
  const real = folder === undefined ? undefined : await realpath(folder).catch(() => folder);
  const admit = (opened: OpenedFile): void => {
    if (real !== undefined && !isBelow(real, opened.path)) throw outside(file, folder);
    checkOwner(file, opened);
  };
  if (folder !== undefined && !isBelow(folder, file)) throw outside(file, folder);
  return await readBytes(file, { mostBytes: longestSecret, admit });
}

function checkOwner(file: string, { stats }: OpenedFile): void {
  const { mode, uid } = stats;
  if (!stats.isFile()) return;
  if ((mode & 0o077) !== 0) throw unusable(file, 'others than its owner can use the secret', `chmod 600 ${file}`);
  if (uid !== 0 && uid !== process.getuid?.())
    throw unusable(file, 'the secret is not owned by root', `chown root ${file}`);
}

function outside(file: string, folder: string | undefined): ConfigError {
  const remedy = 'put it there, or start sluice run with --secrets DIR';
  return unusable(file, `the secret is not in the folder ${folder}`, remedy);
}

function unusable(file: string, problem: string, remedy: string): ConfigError {
  return new ConfigError('SLUICE_CONFIG_INVALID', problem, { place: { file }, value: file, remedy });
}
