// SPDX-License-Identifier: Apache-2.0
// The start and the end of `sluice run`, and handovers to another build.
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

export function upgradeAskedEvent(author: string): EventFacts {
  return {
    ...{ kind: 'sluice.upgrade-asked', severity: 'info', subject: 'sluice' },
    text: `${author} asks sluice to hand over to the build on disk`,
    fields: { author },
  };
}

/** `pid`: of the supervisor that works now; `failure`: why the next one does not. */
export function upgradeEvent({ pid, failure }: { pid: number; failure?: string | undefined }): EventFacts {
  if (failure !== undefined) return upgradeRefusedEvent(failure);
  return {
    ...{ kind: 'sluice.upgraded', severity: 'info', subject: 'sluice' },
    text: `sluice ${version} has taken over from the build before, as process ${pid}`,
    fields: { version, pid },
  };
}

export function upgradeRefusedEvent(reason: string): EventFacts {
  return {
    ...{ kind: 'sluice.upgrade-refused', severity: 'warning', subject: 'sluice' },
    text: `the build on disk has not taken over: ${reason}`,
    fields: { reason },
  };
}
