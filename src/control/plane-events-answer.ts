// SPDX-License-Identifier: Apache-2.0
// How the process of a plane gives its events to control: the answer comes with the first event that is new.
import { type Answering, answering } from '../core/api/route.ts';
import type { Clock } from '../core/clock.ts';
import type { ToldEvents } from '../core/events/told-events.ts';
import { planeEventsRoute, planeEventsWaitMilliseconds } from './plane-api.ts';

export function planeEventsAnswer({ instance, ring }: ToldEvents, clock: Clock): Answering {
  return answering(planeEventsRoute, async (asked, { signal }) => {
    const after = asked.instance === instance ? (asked.after ?? 0) : 0;
    const patience = new AbortController();
    const timer = clock.after(planeEventsWaitMilliseconds, () => patience.abort());
    await ring.added(after, AbortSignal.any([signal, patience.signal]));
    timer.cancel();
    const { events, missed } = ring.after(after);
    return { instance, last: ring.last, missed, events };
  });
}
