// SPDX-License-Identifier: Apache-2.0
// run.ts FILE SOCKET: as `sluice run -c FILE --socket SOCKET`, with the toys as its only planes.
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toyComposition } from './composition.ts';
import { runToys } from './run-toys.ts';

await runToys(toyComposition, fileURLToPath(new URL(`process${extname(import.meta.url)}`, import.meta.url)), 2000);
