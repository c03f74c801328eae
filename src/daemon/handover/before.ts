// SPDX-License-Identifier: Apache-2.0
// What `sluice run` takes over from, when a running supervisor has started it for an upgrade.
import { UnavailableError } from '../../core/errors.ts';
import { loadAddon } from '../../native/addon.ts';
import { type Handover, handoverVariable } from './messages.ts';
import { PreviousSupervisor } from './previous-supervisor.ts';

export interface Before {
  readonly supervisor: PreviousSupervisor;
  readonly handover: Handover;
}

/** undefined: nobody hands over anything to this process. Throws why it cannot take over. */
export async function findBefore(environment: NodeJS.ProcessEnv): Promise<Before | undefined> {
  const supervisor = PreviousSupervisor.find(environment);
  if (supervisor === undefined) return undefined;
  // No process that this one starts is the next supervisor.
  delete environment[handoverVariable];
  const handover = await supervisor.handover;
  if (handover === undefined) {
    throw new UnavailableError('the supervisor that this one was to take over from is gone', {
      remedy: 'start sluice',
    });
  }
  return { supervisor, handover };
}

/** Throws why this build cannot go on where the other one ends. */
export function checkHandover({ flowLayout, folders }: Handover): void {
  if (flowLayout !== loadAddon().flowLayout) {
    throw new UnavailableError('this build keeps connections in another way than the one that runs', {
      remedy: 'restart sluice where connections may be lost (systemctl restart sluice)',
    });
  }
  if (folders.history === undefined) {
    throw new UnavailableError(
      'the snapshot in force is not on disk, so that nobody knows whether this build reads it',
      {
        remedy: 'mend the folder of the history (sluice status names it), and try again',
      },
    );
  }
}
