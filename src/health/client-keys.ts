// SPDX-License-Identifier: Apache-2.0
// The keys of client certificates: secrets, which only the part in force has. Probes look a key up by its file.
import type { SecretFile } from '../core/config/secret.ts';
import type { SecretContent } from '../core/secret-content.ts';
import type { Check, Tls } from './model.ts';

/** The content of a key; undefined where the part in force does not name it any more. */
export type ClientKeys = (key: SecretFile) => SecretContent | undefined;

/** Reads the keys that the checks name. Throws when one cannot be read. */
export async function readClientKeys(
  checks: readonly Check[],
  readSecret: (key: SecretFile) => Promise<SecretContent>,
): Promise<ReadonlyMap<string, SecretContent>> {
  const keys = new Map<string, SecretContent>();
  for (const { probe } of checks) {
    const key = 'tls' in probe ? (probe.tls?.key ?? null) : null;
    if (key !== null && !keys.has(key.file)) keys.set(key.file, await readSecret(key));
  }
  return keys;
}

/** The key of these settings; undefined where they have none. */
export function keyOf({ key }: Tls, keys: ClientKeys): SecretContent | undefined {
  return key === null ? undefined : keys(key);
}
