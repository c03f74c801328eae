// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

// The package's root is two levels above this file both in src/ and in dist/.
const manifest: { version: string } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** The version of this package, from its package.json. */
export const version: string = manifest.version;
