// SPDX-License-Identifier: Apache-2.0
// As `sluice run -c FILE --socket SOCKET --secrets DIR`, with other planes; DIR is beside the file.
import { dirname, join } from 'node:path';
import type { Sections } from '../../../src/core/config/snapshot.ts';
import { createLogger } from '../../../src/core/logger.ts';
import type { Composition } from '../../../src/daemon/composition.ts';
import { type Before, findBefore } from '../../../src/daemon/handover/before.ts';
import { Hangups } from '../../../src/daemon/hangups.ts';
import { run } from '../../../src/daemon/run.ts';

export async function runToys<S extends Sections>(
  composition: Composition<S>,
  program: string,
  deadlineMilliseconds: number,
): Promise<void> {
  const [config = '', adminSocket = ''] = process.argv.slice(2);
  const before = await findBefore(process.env);
  misbehave(before);
  const { exitStatus, message } = await run({
    options: {
      source: { config },
      overrides: {},
      threads: { workers: 1 },
      logLevel: 'info',
      stateFolder: `${adminSocket}.state`,
      author: 'tester',
      resumes: false,
      deadlineMilliseconds,
    },
    adminSocket,
    user: 'nobody',
    secretsFolder: join(dirname(config), 'secrets'),
    logger: createLogger(),
    log: 2,
    hangups: new Hangups(),
    before,
    composition,
    program,
  });
  if (message !== undefined) process.stderr.write(`toy: ${message}\n`);
  process.exitCode = exitStatus;
}

/** A build that cannot take over, as TOY_NEXT says: 'ends' before it is prepared, 'dies' when it should begin. */
function misbehave(before: Before | undefined): void {
  if (before === undefined) return;
  if (process.env.TOY_NEXT === 'ends') process.exit(3);
  if (process.env.TOY_NEXT === 'dies') void before.supervisor.takeOver.then(() => process.kill(process.pid, 'SIGKILL'));
}
