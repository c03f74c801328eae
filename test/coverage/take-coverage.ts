// SPDX-License-Identifier: Apache-2.0
// vitest ends its workers with SIGTERM. Then neither Node nor gcov writes its counts at exit.
import { takeCoverage } from 'node:v8';
import { afterAll } from 'vitest';

afterAll(() => takeCoverage());
process.once('SIGTERM', () => process.exit());
