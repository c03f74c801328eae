// SPDX-License-Identifier: Apache-2.0
// Imported before everything else: Node opens a debugger, without a password, at SIGUSR1. Whoever runs as the same user
// could send the signal and would get the capabilities of this process. A listener takes the place of Node's own.
// Newer versions of Node are told not to listen at all (launch.ts); this one may have got the signal before this line.
import { url } from 'node:inspector';

process.on('SIGUSR1', () => undefined);

const wasAskedFor = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some(word => word.includes('--inspect'));
if (url() !== undefined && !wasAskedFor) process.exit(1);
