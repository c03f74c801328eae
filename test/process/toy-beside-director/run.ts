// SPDX-License-Identifier: Apache-2.0
// run.ts FILE SOCKET: as `sluice run -c FILE --socket SOCKET`, with a toy beside the director.
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runToys } from '../toy-plane/run-toys.ts';
import { composition } from './composition.ts';

// A toy that hangs is waited for: the test ends it first.
await runToys(composition, fileURLToPath(new URL(`process${extname(import.meta.url)}`, import.meta.url)), 600_000);
