// SPDX-License-Identifier: Apache-2.0
// The start and the end of `sluice run`.
import type { EventFacts, SluiceEvent } from '../../core/events/event.ts';
import { version } from '../../core/version.ts';

const startedKind = 'sluice.started';
const endedKind = 'sluice.ended';

/** `before`: the events that the run before has left. */
export function startedEvent(before: readonly SluiceEvent[]): EventFacts {
  const last = before.findLast(({ kind }) => kind === startedKind || kind === endedKind);
  const isAbrupt = last?.kind === startedKind;
  return {
    ...{ kind: startedKind, severity: isAbrupt ? 'warning' : 'info', subject: 'sluice' },
    text: `sluice ${version} starts${isAbrupt ? '; the run before did not end in good order' : ''}`,
    fields: { version },
  };
}

/** Only for an end that was asked for: without it the next start says that the run did not end in good order. */
export const endedEvent: EventFacts = {
  ...{ kind: endedKind, severity: 'info', subject: 'sluice', text: 'sluice was asked to end' },
};
