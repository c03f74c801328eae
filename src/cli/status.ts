// SPDX-License-Identifier: Apache-2.0
// `sluice status`: one screen. What is wrong comes first, then what runs.
import { controlStatus } from '../control/api.ts';
import type { ApiClient } from '../core/api/client.ts';
import type { AnswerOf } from '../core/api/route.ts';
import { UnavailableError } from '../core/errors.ts';
import type { Problem } from '../core/explanation.ts';
import { given } from '../core/given.ts';
import { directorStatus } from '../director/api.ts';
import { targetsRoute } from '../health/api.ts';
import { failures } from '../health/words.ts';
import type { Command, ParsedOptions } from './command.ts';
import { askAndPrint, commonUsage } from './question.ts';
import { statusText } from './status/text.ts';

const usage = `Usage: sluice status [OPTION…]

Prints on one screen how Sluice does: whether all is well, or what is wrong, since when and what to do; the snapshot in
force; the processes; ports and services in a line each. More of one service: sluice explain service NAME.

  --check         end with status 1 when something is wrong
${commonUsage}
`;

const options = { check: { type: 'boolean' } } as const;

export type DirectorStatus = AnswerOf<typeof directorStatus>;

export interface Status extends AnswerOf<typeof controlStatus> {
  /** Absent while the director does not run. */
  readonly director?: DirectorStatus;
}

async function ask(client: ApiClient): Promise<Status> {
  const control = await client.call(controlStatus, {});
  const [director, down] = await Promise.all([directorOf(client), downServers(client, control.processes)]);
  const notes = (director?.notices ?? []).map(text => ({ about: 'note', text }));
  return { ...control, ...given({ director }), problems: [...control.problems, ...down, ...notes] };
}

async function directorOf(client: ApiClient): Promise<DirectorStatus | undefined> {
  try {
    return await client.call(directorStatus, {});
  } catch (error) {
    // The director does not run. The list of processes says why.
    if (error instanceof UnavailableError) return undefined;
    throw error;
  }
}

/** More servers than this are not listed: the screen is full. */
const mostServers = 20;

async function downServers(client: ApiClient, processes: Status['processes']): Promise<Problem[]> {
  const problems: Problem[] = [];
  if (processes.every(({ name, state }) => name !== 'health' || state !== 'running')) return problems;
  try {
    for await (const target of client.stream(targetsRoute, { health: 'down' })) {
      // Whoever takes a server out, for maintenance say, knows of it.
      if (!target.known || target.weight === 0) continue;
      if (problems.length === mostServers) {
        return [...problems, { about: 'servers', text: 'more are down: sluice health --down lists all' }];
      }
      const about = `real server ${target.target} of ${target.group}`;
      const remedy = `sluice explain server ${target.target} says what follows from it`;
      problems.push({ about, text: `down: ${failures(target)}`, remedy, ...given({ since: target.since }) });
    }
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
  }
  return problems;
}

export const statusCommand: Command = {
  usage,
  run: args => askAndPrint(args, { options, ask, text: answer => statusText(answer, Date.now()), status: exitStatus }),
};

function exitStatus({ problems }: Status, { flags }: ParsedOptions): 0 | 1 {
  return flags.has('check') && problems.length > 0 ? 1 : 0;
}
