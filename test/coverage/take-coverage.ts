// SPDX-License-Identifier: Apache-2.0
// vitest ends its workers with SIGTERM, which keeps both Node and gcov from writing what they counted at exit.
import { takeCoverage } from 'node:v8';
import { afterAll } from 'vitest';

afterAll(() => takeCoverage());
process.once('SIGTERM', () => process.exit());
