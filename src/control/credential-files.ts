// SPDX-License-Identifier: Apache-2.0
// The files that control reads for its own work: tokens, and certificates and authorities in PEM.
import { X509Certificate } from 'node:crypto';
import type { SecretFile } from '../core/config/secret.ts';
import { ConfigError } from '../core/errors.ts';
import type { SecretContent } from '../core/secret-content.ts';
import { readTextFile } from '../core/text-file.ts';

export type ReadSecret = (secret: SecretFile) => Promise<SecretContent>;

/** Some hundred authorities. */
const longestPem = 1 << 20;

export interface TokenLength {
  readonly least: number;
  readonly most: number;
}

/** A token has the characters that a field of HTTP can have. Throws a ConfigError for anything else. */
export async function readToken(secret: SecretFile, read: ReadSecret, { least, most }: TokenLength): Promise<string> {
  const { text } = await read(secret);
  if (/^[\x21-\x7e]+$/.test(text) && text.length >= least && text.length <= most) return text;
  const problem = `the token is not one line of ${least} to ${most} printable characters without blanks`;
  throw unusable(secret.file, problem, `openssl rand -hex 32 > ${secret.file} makes one`);
}

/** Throws unless the file begins with a certificate. */
export async function readPem(file: string): Promise<string> {
  const pem = await readTextFile(file, { mostBytes: longestPem });
  try {
    new X509Certificate(pem);
  } catch (error) {
    throw unusable(file, `this is no certificate: ${reasonOf(error)}`, 'write it as PEM: -----BEGIN CERTIFICATE-----');
  }
  return pem;
}

export function unusable(file: string, problem: string, remedy: string): ConfigError {
  return new ConfigError('SLUICE_CONFIG_INVALID', problem, { place: { file }, remedy });
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
