// SPDX-License-Identifier: Apache-2.0
// Maintenance of real servers on a running Sluice: a change of the snapshot like any other.
import { type Answering, answering } from '../core/api/route.ts';
import { given } from '../core/given.ts';
import { maintenanceRoute } from '../director/api.ts';
import { type MaintenanceChange, withMaintenance } from '../director/maintenance.ts';
import type { ControlAccess } from './composition.ts';
import { documentFormat, type sections } from './document.ts';

export function maintenanceAnswer({ changes, tell }: ControlAccess<typeof sections>): Answering {
  return answering(maintenanceRoute, async ({ server, service, on, author = 'unknown', reason }) => {
    let change: MaintenanceChange | undefined;
    const words = `${on ? 'maintenance of' : 'end of maintenance of'} ${server}`;
    const { entry } = await changes.edit(
      ({ id: _, ...models }) => {
        change = withMaintenance(models.director, { server, service }, on);
        return documentFormat.snapshot({ ...models, director: change.model });
      },
      { author, reason: reason === undefined ? words : `${words}: ${reason}` },
    );
    for (const { service, server: each } of change?.servers ?? []) {
      const subject = `${each} of ${service}`;
      tell({
        ...{ kind: on ? 'maintenance.begun' : 'maintenance.ended', severity: 'info', subject },
        text: `${author} ${on ? 'put' : 'took'} real server ${subject} ${on ? 'into maintenance: it is drained' : 'back from maintenance'}`,
        fields: { service, server: each, author, ...given({ reason, entry }) },
      });
    }
    return { servers: change?.servers ?? [], ...given({ entry }) };
  });
}
