// SPDX-License-Identifier: Apache-2.0
// run.ts FILE SOCKET: as `sluice run -c FILE --socket SOCKET`, with the toy as its only plane.
import { fileURLToPath } from 'node:url';
import { createLogger } from '../../../src/core/logger.ts';
import { Hangups } from '../../../src/daemon/hangups.ts';
import { run } from '../../../src/daemon/run.ts';
import { toyComposition } from './composition.ts';

const hangups = new Hangups();
const [config = '', adminSocket = ''] = process.argv.slice(2);
const { exitStatus, message } = await run({
  options: {
    source: { config },
    overrides: {},
    threads: { workers: 1 },
    logLevel: 'info',
    crashFolder: '/tmp',
    deadlineMilliseconds: 2000,
  },
  adminSocket,
  user: 'nobody',
  logger: createLogger(),
  hangups,
  composition: toyComposition,
  program: fileURLToPath(new URL('process.ts', import.meta.url)),
});
if (message !== undefined) process.stderr.write(`toy: ${message}\n`);
process.exitCode = exitStatus;
