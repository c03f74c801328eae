// SPDX-License-Identifier: Apache-2.0
// Explains a service or a server: control asks everybody who decides about it, and draws the verdict from what they find.
//
//   sections   what the snapshot in force and what was observed lead to
//   history    who said last what the snapshot says, where that is a reason
//   planes     what they do, each for itself
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AnswerOf } from '../core/api/route.ts';
import type { Clock } from '../core/clock.ts';
import type { DocumentFormat, Sections, Snapshot } from '../core/config/snapshot.ts';
import { UnavailableError, UsageError } from '../core/errors.ts';
import { type Finding, type Subject, verdictOf } from '../core/explanation.ts';
import { given } from '../core/given.ts';
import type { controlExplain } from './api.ts';
import type { Control, ControlHost } from './control.ts';
import type { Entry } from './history/entry.ts';
import type { History } from './history/history.ts';
import { beforeDeadline } from './transaction.ts';

export interface ExplainerOptions<S extends Sections> {
  readonly control: Control<S>;
  readonly format: DocumentFormat<S>;
  readonly host: Pick<ControlHost<S>, 'plane'>;
  readonly history: History;
  readonly clock: Clock;
}

type Explanation = AnswerOf<typeof controlExplain>[number];

/** Each question makes a worker of the director stand still for a few milliseconds. */
const mostSubjects = 8;

/** A plane that is busy for longer has no answer. */
const planeMilliseconds = 5000;

/** So many entries of the history are read to find the change that a person asks for. */
const mostEntries = 20;

/** To read a document with more groups takes so long that control would be late with what health checks find. */
const mostGroupsOfDocument = 1000;

export class Explainer<S extends Sections> {
  readonly #options: ExplainerOptions<S>;

  constructor(options: ExplainerOptions<S>) {
    this.#options = options;
  }

  /** Throws a UsageError when nothing has this name, or too much has. */
  async explain(named: Partial<Subject>): Promise<readonly Explanation[]> {
    const { control, format } = this.#options;
    const { snapshot } = control;
    if (snapshot === undefined) {
      throw new UnavailableError('no snapshot is in force yet', { remedy: 'try again in a moment' });
    }
    const subjects = format.subjects(snapshot, named);
    if (subjects.length === 0) throw nothingNamed(named);
    if (subjects.length > mostSubjects) {
      const some = subjects.slice(0, 3).map(({ group }) => group);
      throw new UsageError(`${subjects.length} services have this name`, {
        value: named.target ?? named.group,
        remedy:
          named.target === undefined
            ? `name one of them whole: '${some.join("', '")}', …`
            : `ask for one of them: --service '${some.join("', --service '")}', …`,
      });
    }
    const explanations: Explanation[] = [];
    for (const subject of subjects) {
      explanations.push(await this.#explained(snapshot, { ...subject, ...given({ client: named.client }) }));
    }
    return explanations;
  }

  async #explained(snapshot: Snapshot<S>, subject: Subject): Promise<Explanation> {
    const { control, format } = this.#options;
    const configured = format.explain(snapshot, control.observed, subject);
    const byPlanes = await Promise.all(control.planes.map(name => this.#ofPlane(name, subject)));
    const findings = [...configured, ...byPlanes.flat()];
    const change = findings.some(({ because, effect }) => because === 'change' && effect !== 'none')
      ? await this.#lastChange(snapshot, subject)
      : [];
    const all = [...findings, ...change];
    const { group, target } = subject;
    return { group, ...given({ target }), verdict: verdictOf(all), findings: all };
  }

  async #ofPlane(name: string, subject: Subject): Promise<readonly Finding[]> {
    const { control, host, clock } = this.#options;
    const lag = control.behind.get(name);
    const behind: readonly Finding[] =
      lag === undefined
        ? []
        : [
            {
              topic: name,
              effect: 'hinders',
              text: `the plane ${name} does not run by the snapshot in force: ${lag.message}`,
              since: lag.at,
              details: [],
              remedy: 'see the log; sluice tries again every second',
            },
          ];
    try {
      const plane = host.plane(name);
      const work = async (signal: AbortSignal) => (await plane.explain?.(subject, signal)) ?? [];
      return [...behind, ...(await beforeDeadline(clock, planeMilliseconds, plane, 'explain', work))];
    } catch (error) {
      // What a person asked for is wrong.
      if (error instanceof UsageError) throw error;
      const text = `the plane ${name} does not answer: ${error instanceof Error ? error.message : String(error)}`;
      const remedy = 'see sluice status for the process, and its log';
      return [...behind, { topic: name, effect: 'hinders', text, details: [], remedy }];
    }
  }

  /** Who made the snapshots say about the subject what they say. */
  async #lastChange(snapshot: Snapshot<S>, subject: Subject): Promise<readonly Finding[]> {
    const { history, format } = this.#options;
    const entries = history.entries.slice(-mostEntries).reverse();
    const now = format.said(snapshot, subject);
    let change: Entry | undefined;
    if (format.subjects(snapshot, {}).length <= mostGroupsOfDocument) {
      for (const entry of entries) {
        if (!(await this.#says(entry, subject, now))) break;
        change = entry;
        await nextTurn();
      }
    }
    if (change === undefined) return [];
    const { number, author, at, action, reason } = change;
    const isOlder = change === entries.at(-1) && number > 1;
    const text = isOlder
      ? `it has been so since entry ${number} of the history or longer`
      : `${author} said so at ${at}, entry ${number} of the history, by ${action}${reason === undefined ? '' : `: ${reason}`}`;
    return [{ topic: 'change', effect: 'none', text, details: [] }];
  }

  async #says(entry: Entry, subject: Subject, words: string): Promise<boolean> {
    const { history, format } = this.#options;
    try {
      return format.said(format.from(await history.document(entry)), subject) === words;
    } catch {
      // An entry of a version that had other words, or one that is not kept any more.
      return false;
    }
  }
}

function nothingNamed({ group, target }: Partial<Subject>): UsageError {
  return new UsageError(target === undefined ? 'there is no such service' : 'no service has this real server', {
    value: target ?? group,
    remedy:
      target === undefined
        ? "name it as sluice status does: 'tcp 192.0.2.10:80'"
        : 'write an address, or an address and port, as sluice ipvsadm -L -n shows them',
  });
}
