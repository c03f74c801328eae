// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { SluiceError, UsageError, version } from '../../src/index.ts';

it('the library exports the version of its package', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(version).toBe(manifest.version);
});

it('the library exports the errors that it throws', () => {
  expect(new UsageError('x')).toBeInstanceOf(SluiceError);
});
