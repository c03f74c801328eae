// SPDX-License-Identifier: Apache-2.0
// The program of each process, as src/daemon/process.ts.
import '../../../src/daemon/no-debugger.ts';
import { startPart } from '../../../src/daemon/start-part.ts';
import { composition } from './composition.ts';

await startPart(composition, process.argv.slice(2));
