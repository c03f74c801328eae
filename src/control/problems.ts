// SPDX-License-Identifier: Apache-2.0
// What is wrong as far as control knows: processes that end, planes that are behind, observations that are refused, and
// services of which sections say that something is wrong with them.
import type { AnswerOf } from '../core/api/route.ts';
import type { Clock } from '../core/clock.ts';
import type { DocumentFormat, Sections } from '../core/config/snapshot.ts';
import type { Problem } from '../core/explanation.ts';
import { given } from '../core/given.ts';
import type { ObservedGroup } from '../core/observed.ts';
import { mendServers } from '../core/words.ts';
import type { controlStatus } from './api.ts';
import type { Control, Lag } from './control.ts';
import type { History } from './history/history.ts';

type ProcessRow = AnswerOf<typeof controlStatus>['processes'][number];

export interface ProblemsOptions<S extends Sections> {
  readonly control: Control<S>;
  readonly format: DocumentFormat<S>;
  readonly history: History;
  readonly processes: readonly ProcessRow[];
  readonly warnings: readonly string[];
  /** By plane: why what it observed is not in force. */
  readonly refusedObservations: ReadonlyMap<string, Lag>;
  /** What is wrong with the work that control does itself. */
  readonly ownProblems: readonly Problem[];
  readonly clock: Clock;
}

/** A process that has worked for so long since its last end is well again. */
const recentMilliseconds = 3_600_000;

const supervisorName = 'supervisor';

/** More services than this are not listed: a screen is full. */
const mostGroups = 20;

export function controlProblems<S extends Sections>(options: ProblemsOptions<S>): Problem[] {
  const { control, history, processes, warnings, refusedObservations, clock } = options;
  return [
    ...processes.flatMap(row => processProblem(row, clock.now())),
    ...[...control.behind].map(([name, { at, message }]) => ({
      ...{ about: name, text: `does not run by the snapshot in force: ${message}`, since: at },
      remedy: 'sluice tries again every second; see the log, or go back with sluice rollback',
    })),
    ...[...refusedObservations].map(([name, { at, message }]) => ({
      ...{ about: name, text: `what it observed is not in force: ${message}`, since: at },
      remedy: 'sluice tries again; see the log of the plane that refuses',
    })),
    ...options.ownProblems,
    ...(history.unavailable === undefined ? [] : [{ about: 'history', text: history.unavailable.message }]),
    ...warnings.map(text => ({ about: 'warning', text })),
    ...groupProblems(options),
  ];
}

function processProblem({ name, state, restarts, lastError }: ProcessRow, now: number): Problem[] {
  const why = lastError === undefined ? '' : `: ${lastError.message}`;
  const since = lastError?.at;
  if (state === 'waiting') {
    const remedy = 'it is started again after a while; see its log for what ended it';
    return [{ about: name, text: `does not run${why}`, remedy, ...given({ since }) }];
  }
  if (name === supervisorName && lastError !== undefined) {
    const text = `the build on disk has not taken over${why}`;
    const remedy = 'processes that end are started from disk: install a build that works, and run sluice upgrade';
    return [{ about: name, text, since: lastError.at, remedy }];
  }
  if (restarts === 0 || since === undefined || now - Date.parse(since) > recentMilliseconds) return [];
  const times = restarts === 1 ? 'once' : `${restarts} times`;
  return [{ about: name, text: `was restarted ${times}, the last time${why}`, since, remedy: 'see its log' }];
}

function groupProblems<S extends Sections>({ control, format }: ProblemsOptions<S>): Problem[] {
  const { snapshot, observed } = control;
  if (snapshot === undefined) return [];
  const hurt = [...observed.groups].filter(([, group]) => isHurt(group));
  const problems = hurt.slice(0, mostGroups).flatMap(([group, { quorum }]): Problem[] => {
    // Servers that are down are listed one by one, by those who check them.
    const findings = format
      .explain(snapshot, observed, { group })
      .filter(({ effect, topic }) => effect === 'blocks' || (effect === 'hinders' && topic !== 'servers'));
    return [
      ...(quorum === 'down' ? [{ about: group, text: 'the quorum is lost', remedy: mendServers }] : []),
      ...findings.map(({ text, remedy, since }) => ({ about: group, text, ...given({ remedy, since }) })),
    ];
  });
  if (hurt.length <= mostGroups) return problems;
  return [...problems, { about: 'services', text: `${hurt.length - mostGroups} more with servers that are down` }];
}

function isHurt({ quorum, targets }: ObservedGroup): boolean {
  return quorum === 'down' || [...targets.values()].some(({ health }) => health === 'down');
}
