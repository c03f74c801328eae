// SPDX-License-Identifier: Apache-2.0
// What control answers on the admin socket; api.ts has the definitions.
import { type Answering, type AnswerOf, answering, type ParametersOf } from '../core/api/route.ts';
import type { Clock } from '../core/clock.ts';
import type { DocumentFormat, Sections, Snapshot } from '../core/config/snapshot.ts';
import { UnavailableError, UsageError } from '../core/errors.ts';
import type { Problem } from '../core/explanation.ts';
import { given } from '../core/given.ts';
import type { Logger } from '../core/logger.ts';
import { metricsMediaTypes, metricsText } from '../core/metrics/text.ts';
import { version } from '../core/version.ts';
import {
  controlApply,
  controlCompare,
  controlConfirm,
  controlExplain,
  controlHistory,
  controlReload,
  controlRollback,
  controlSnapshot,
  controlStatus,
  controlUpgrade,
  eventsRoute,
  followEventsRoute,
  metricsRoute,
} from './api.ts';
import type { ChangeOptions, Changes } from './changes.ts';
import type { Control, Lag } from './control.ts';
import type { EventLog } from './events/event-log.ts';
import type { Explainer } from './explainer.ts';
import type { History } from './history/history.ts';
import { collectMetrics, type PlaneMetrics } from './metrics.ts';
import { controlProblems } from './problems.ts';

type Status = AnswerOf<typeof controlStatus>;

export interface ControlAnswersOptions<S extends Sections> {
  readonly control: Control<S>;
  readonly changes: Changes<S>;
  readonly history: History;
  readonly events: EventLog;
  readonly explainer: Explainer<S>;
  readonly format: DocumentFormat<S>;
  /** All processes of this sluice. */
  readonly processes: () => Status['processes'];
  readonly warnings: Status['warnings'];
  /** Those of the planes that run. */
  readonly planes: () => readonly PlaneMetrics[];
  readonly logger: Logger;
  /** By plane: why what it observed is not in force. */
  readonly refusedObservations: () => ReadonlyMap<string, Lag>;
  /** What is wrong with the work that control does itself. */
  readonly ownProblems: () => readonly Problem[];
  readonly clock: Clock;
  /** Hands over to the program on disk: the number of the process that is next. */
  readonly upgrade: (build: string, author: string) => Promise<number>;
}

/** Who asks, where a request does not say. */
const unknownAuthor = 'unknown';

export function controlAnswers<S extends Sections>(options: ControlAnswersOptions<S>): readonly Answering[] {
  const { changes, history, control, explainer, events } = options;
  return [
    answering(controlStatus, () => status(options)),
    answering(controlReload, terms => changes.reload(signed(terms))),
    answering(controlApply, ({ document, ...terms }) => changes.apply(document, signed(terms))),
    answering(controlRollback, ({ to, ...terms }) => changes.rollback(to, signed(terms))),
    answering(controlConfirm, () => changes.confirm()),
    answering(controlCompare, parameters => compare(options, parameters)),
    answering(controlHistory, ({ most }) => ({
      inForce: inForce(control).id,
      entries: history.entries.slice(-(most ?? history.entries.length)).reverse(),
      ...(history.pending === undefined ? {} : { pending: history.pending.number }),
      ...(history.unavailable === undefined ? {} : { unavailable: history.unavailable.message }),
    })),
    answering(controlSnapshot, ({ which }) => snapshot(options, which)),
    answering(metricsRoute, async (_, { mediaType }) => {
      const metrics = await collectMetrics({
        ...options,
        outcomes: changes.outcomes,
        warnings: () => warningsOf(options).length,
      });
      return metricsText(metrics, mediaType === metricsMediaTypes.openmetrics ? 'openmetrics' : 'prometheus');
    }),
    answering(eventsRoute, asked => ({ last: events.last, ...events.select(checkedTime(asked)) })),
    answering(followEventsRoute, (asked, { signal }) => events.follow(checkedTime(asked), signal)),
    answering(controlExplain, async named => [...(await explainer.explain(named))]),
    answering(controlUpgrade, async ({ build = '', author = unknownAuthor }) => ({
      next: await options.upgrade(build, author),
    })),
  ];
}

function checkedTime<T extends { readonly since?: string | undefined }>(asked: T): T {
  if (asked.since === undefined || !Number.isNaN(Date.parse(asked.since))) return asked;
  throw new UsageError('since is no time', { value: asked.since, remedy: 'write it as 2026-01-31T12:00:00Z' });
}

function signed<T extends Partial<ChangeOptions>>(terms: T): T & { readonly author: string } {
  return { ...terms, author: terms.author ?? unknownAuthor };
}

function inForce<S extends Sections>({ snapshot }: Control<S>): Snapshot<S> {
  if (snapshot !== undefined) return snapshot;
  throw new UnavailableError('no snapshot is in force yet', { remedy: 'try again in a moment' });
}

async function compare<S extends Sections>(
  { control, changes }: ControlAnswersOptions<S>,
  parameters: ParametersOf<typeof controlCompare>,
): Promise<AnswerOf<typeof controlCompare>> {
  const other = await changes.named(parameters);
  return { inForce: inForce(control).id, other: other.id, changes: changes.compareWith(other) };
}

async function snapshot<S extends Sections>(
  { control, history, format }: ControlAnswersOptions<S>,
  which: string | undefined,
): Promise<AnswerOf<typeof controlSnapshot>> {
  if (which !== undefined) {
    const entry = history.find(which);
    return { id: entry.id, entry, document: await history.document(entry) };
  }
  const current = inForce(control);
  const entry = history.entries.findLast(({ id }) => id === current.id);
  return { id: current.id, ...(entry === undefined ? {} : { entry }), document: format.write(current) };
}

function status<S extends Sections>(options: ControlAnswersOptions<S>): Status {
  const { control, history, processes } = options;
  const { behind } = control;
  const { id } = inForce(control);
  const rows = processes().map(row => {
    const reason = behind.get(row.name);
    return reason === undefined ? row : { ...row, lastError: { at: reason.at, message: reason.message } };
  });
  const warnings = warningsOf(options);
  const refusedObservations = options.refusedObservations();
  const ownProblems = options.ownProblems();
  const problems = controlProblems({ ...options, warnings, processes: processes(), refusedObservations, ownProblems });
  const entry = history.entries.findLast(one => one.id === id);
  return { version, snapshot: id, ...given({ entry }), processes: rows, warnings, problems };
}

function warningsOf<S extends Sections>({
  history: { pending },
  events,
  warnings,
}: ControlAnswersOptions<S>): string[] {
  const waits =
    pending === undefined
      ? []
      : [`change ${pending.number} is undone at ${pending.confirmBefore} unless sluice confirm comes before`];
  return [...warnings, ...waits, ...(events.failure === undefined ? [] : [events.failure])];
}
