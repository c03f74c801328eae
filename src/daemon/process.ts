// SPDX-License-Identifier: Apache-2.0
// The program that the supervisor starts for each process of `sluice run`.
import './no-debugger.ts';
import { composition } from './root.ts';
import { startPart } from './start-part.ts';

await startPart(composition, process.argv.slice(2));
