// SPDX-License-Identifier: Apache-2.0
// What control says is wrong.
import { describe, expect, it } from 'vitest';
import type { Control } from '../../../src/control/control.ts';
import type { History } from '../../../src/control/history/history.ts';
import { controlProblems, type ProblemsOptions } from '../../../src/control/problems.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { HistoryError } from '../../../src/core/errors.ts';
import type { Observed } from '../../../src/core/observed.ts';
import { documentFormat, type sections } from '../../../src/daemon/document.ts';

type Options = ProblemsOptions<typeof sections>;

const group = 'tcp 10.0.1.100:80';
const now = Date.parse('2026-12-01T12:00:00.000Z');
const snapshot = documentFormat.from({
  health: { checks: { web: 'tcp' } },
  director: {
    services: [{ tcp: '10.0.1.100:80', servers: ['10.0.2.11:80'], health: { checks: ['web'], sorry: '10.0.2.99:81' } }],
  },
});

function problems(given: Partial<Options> = {}, observed: Observed = { groups: new Map() }, behind = new Map()) {
  return controlProblems({
    control: { snapshot, observed, behind } as unknown as Control<typeof sections>,
    format: documentFormat,
    history: { unavailable: undefined } as History,
    processes: [],
    warnings: [],
    refusedObservations: new Map(),
    ownProblems: [],
    clock: { ...systemClock, now: () => now },
    ...given,
  });
}

const process = { name: 'director', state: 'running', user: 'nobody', restarts: 2 } as const;
const lag = { at: '2026-12-01T11:00:00.000Z', message: 'refused' };

describe('what is wrong as far as control knows', () => {
  it('is nothing where all runs', () => {
    const healthy = { groups: new Map([[group, { quorum: 'up', targets: new Map() } as const]]) };
    expect(problems({ processes: [{ ...process, restarts: 0 }] }, healthy)).toEqual([]);
  });

  it('is a process that waits for its next start, and one that was restarted within the last hour', () => {
    const lastError = { at: '2026-12-01T11:30:00.000Z', message: 'killed' };
    const old = { at: '2026-12-01T10:30:00.000Z', message: 'killed' };
    const rows = problems({
      processes: [
        { ...process, state: 'waiting', lastError },
        { ...process, lastError },
        { ...process, lastError: old },
      ],
    });
    expect(rows.map(({ text, since }) => [text, since])).toEqual([
      ['does not run: killed', lastError.at],
      ['was restarted 2 times, the last time: killed', lastError.at],
    ]);
  });

  it('is a plane that is behind, an observation that is refused, a history that is not there, a warning', () => {
    const unavailable = new HistoryError('there is no history');
    const rows = problems(
      {
        refusedObservations: new Map([['health', lag]]),
        history: { unavailable } as History,
        warnings: ['mend this'],
      },
      undefined,
      new Map([['director', lag]]),
    );
    expect(rows.map(({ about, text, since }) => [about, text, since])).toEqual([
      ['director', 'does not run by the snapshot in force: refused', lag.at],
      ['health', 'what it observed is not in force: refused', lag.at],
      ['history', 'there is no history', undefined],
      ['warning', 'mend this', undefined],
    ]);
  });

  it('is a quorum that is lost, and a sorry server in use', () => {
    const targets = new Map([['10.0.2.11:80', { health: 'down' } as const]]);
    const rows = problems({}, { groups: new Map([[group, { quorum: 'down', targets }]]) });
    expect(rows.map(({ about, text }) => [about, text])).toEqual([
      [group, 'the quorum is lost'],
      [group, 'the sorry server 10.0.2.99:81 is in use: no server is up'],
    ]);
  });
});
