// SPDX-License-Identifier: Apache-2.0
// The process of a plane: the plane, and its socket, on which control prepares and commits and passes on what people
// ask. After a crash the plane goes on by the part that was in force, before control has even noticed.

import { planeMetricsRoute } from '../control/plane-api.ts';
import { planeEventsAnswer } from '../control/plane-events-answer.ts';
import { PlaneHost } from '../control/plane-host.ts';
import { admitToken } from '../core/api/admission.ts';
import { answering } from '../core/api/route.ts';
import { ApiServer } from '../core/api/server.ts';
import { systemClock } from '../core/clock.ts';
import { ToldEvents } from '../core/events/told-events.ts';
import type { PlanePart } from '../core/plane.ts';
import type { Part } from './child.ts';
import type { PlaneRow } from './composition.ts';
import { folderPath, openedFileDescriptors, socketDescriptor } from './descriptors.ts';
import { KeptValue } from './kept-value.ts';
import { stateFolders } from './state-folder.ts';

/** What a process keeps for the next one. */
interface Kept {
  readonly format: number;
  readonly part: PlanePart;
  readonly handover: unknown;
}

/** Raised when a build would misread what another one has kept: it then waits for control. */
const keptFormat = 1;

/** 10,000 services with 40 real servers each are some 60 MB. */
const mostPartBytes = 256 << 20;

export function planePart({ policy, create }: PlaneRow): Part {
  return async ({ options, work, channel, questions, logger, crashState }) => {
    const memory = new KeptValue(crashState);
    const kept = readable(memory.take() as Kept | undefined);
    const area = logger.child({ area: policy.name });
    const told = new ToldEvents(systemClock);
    const { plane, answers, metrics, close } = create({
      logger: area,
      crashState,
      replaces: work.replaces,
      openedFiles: openedFileDescriptors(policy.openedFiles?.length ?? 0),
      crashFolder: { shown: stateFolders(options.stateFolder).crashes, path: folderPath },
      handover: kept?.handover,
      readSecret: secret => questions.secret(secret),
      tell: told.tell,
    });
    const host = new PlaneHost({
      plane,
      committed: part => {
        // From here on the next process goes on by this part, also where the plane itself leaves nothing to it.
        const next: Kept = { format: keptFormat, part, handover: plane.handover?.() };
        if (!memory.keep(next) || !crashState.takeOver()) {
          area.warn('no memory to keep the configuration: after a crash the plane waits for control');
        }
        channel.send('ready', {});
      },
    });
    const server = new ApiServer({
      name: policy.name,
      answers: [
        ...host.answers,
        answering(planeMetricsRoute, metrics),
        planeEventsAnswer(told, systemClock),
        ...answers,
      ],
      listen: { fd: socketDescriptor },
      ...(work.token === undefined ? {} : { admit: admitToken(work.token) }),
      limits: { bodyBytes: mostPartBytes },
      logger,
    });
    if (kept !== undefined) await resume(kept.part);
    await server.start();
    return {
      stop: async () => {
        await server.stop();
        await host.close();
        await close();
        // A plane that is configured again later begins anew.
        crashState.withdraw();
      },
    };

    async function resume(part: PlanePart): Promise<void> {
      try {
        await host.resume(part, new AbortController().signal);
        area.info({ snapshot: part.id }, 'goes on by the part that was in force');
      } catch (err) {
        area.warn({ err }, 'the part that was in force cannot be carried on: waiting for control');
      }
    }
  };
}

function readable(kept: Kept | undefined): Kept | undefined {
  return kept?.format === keptFormat ? kept : undefined;
}
