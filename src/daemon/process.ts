// SPDX-License-Identifier: Apache-2.0
// The program that the supervisor starts for each process of `sluice run`.
import './no-debugger.ts';

// Loaded only now: a bundle runs all that it imports before its own code, of which no-debugger.ts is a part.
const [{ composition }, { startPart }] = await Promise.all([import('./root.ts'), import('./start-part.ts')]);

await startPart(composition, process.argv.slice(2));
