// SPDX-License-Identifier: Apache-2.0
// Maintenance of real servers on a running Sluice: a change of the snapshot like any other.
import { type Answering, answering } from '../core/api/route.ts';
import { given } from '../core/given.ts';
import { maintenanceRoute } from '../director/api.ts';
import { type MaintenanceChange, withMaintenance } from '../director/maintenance.ts';
import { type DirectorModel, serverKey, serviceKey } from '../director/model.ts';
import type { ControlAccess } from './composition.ts';
import { documentFormat, type sections } from './document.ts';

export function maintenanceAnswer({ changes, tell }: ControlAccess<typeof sections>): Answering {
  return answering(maintenanceRoute, async ({ server, service, on, author = 'unknown', reason }) => {
    let change: MaintenanceChange | undefined;
    let before: ReadonlySet<string> = new Set();
    const words = `${on ? 'maintenance of' : 'end of maintenance of'} ${server}`;
    const { entry } = await changes.edit(
      ({ id: _, ...models }) => {
        before = inMaintenance(models.director);
        change = withMaintenance(models.director, { server, service }, on);
        return documentFormat.snapshot({ ...models, director: change.model });
      },
      { author, reason: reason === undefined ? words : `${words}: ${reason}` },
    );
    for (const { service, server: each } of change?.servers ?? []) {
      const subject = `${each} of ${service}`;
      if (before.has(subject) === on) continue;
      tell({
        ...{ kind: on ? 'maintenance.begun' : 'maintenance.ended', severity: 'info', subject },
        text: `${author} ${on ? 'put' : 'took'} real server ${subject} ${on ? 'into maintenance: it is drained' : 'back from maintenance'}`,
        fields: { service, server: each, author, ...given({ reason, entry }) },
      });
    }
    return { servers: change?.servers ?? [], ...given({ entry }) };
  });
}

/** The real servers that are in maintenance, as events name them. */
function inMaintenance({ services }: DirectorModel): ReadonlySet<string> {
  return new Set(
    services.flatMap(({ identity, servers }) =>
      servers
        .filter(({ maintenance }) => maintenance === true)
        .map(server => `${serverKey(server)} of ${serviceKey(identity)}`),
    ),
  );
}
