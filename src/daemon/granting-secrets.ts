// SPDX-License-Identifier: Apache-2.0
// A plane as control uses it, whose secrets are looked at before the plane prepares. The plane then reads them itself:
//
//   control ── grant ──▶ supervisor     whether each file can be used; the plane may have it
//   control ── prepare ──▶ plane ── secret ──▶ supervisor     the content, which control never sees
import type { NamedSecret } from '../core/config/secret.ts';
import { secretError } from '../core/config/secret.ts';
import { ConfigError, SystemError } from '../core/errors.ts';
import type { Plane } from '../core/plane.ts';

export interface Granting {
  /** The secrets that a model of the plane names. */
  readonly secretsOf: (model: unknown) => readonly NamedSecret[];
  /** Throws when the file cannot be used as a secret. */
  readonly grant: (file: string) => Promise<unknown>;
}

export function grantingSecrets(plane: Plane, { secretsOf, grant }: Granting): Plane {
  return {
    name: plane.name,
    inForce: signal => plane.inForce(signal),
    explain: async subject => (await plane.explain?.(subject)) ?? [],
    async prepare(part, signal) {
      for (const secret of secretsOf(part.model)) {
        try {
          await grant(secret.file);
        } catch (error) {
          throw error instanceof ConfigError || error instanceof SystemError ? secretError(error, secret) : error;
        }
      }
      return await plane.prepare(part, signal);
    },
  };
}
