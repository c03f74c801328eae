// SPDX-License-Identifier: Apache-2.0
// Runs the command of its arguments in the virtual machine, whose output is that of this process.
import { runInGuest } from '../guest/guest.ts';

process.exitCode = await runInGuest(process.argv.slice(2));
