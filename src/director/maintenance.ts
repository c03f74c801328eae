// SPDX-License-Identifier: Apache-2.0
// Takes real servers out for maintenance, and back.
import { deepFreeze } from '../core/config/canonical.ts';
import { UsageError } from '../core/errors.ts';
import { type DirectorModel, type RealServer, type Service, serverKey, serviceKey } from './model.ts';
import { serverMatcher } from './subjects.ts';

/** Which real servers are meant. */
export interface MaintenanceOf {
  /** An address, which stands for all of its ports, or an address and port. */
  readonly server: string;
  /** Only in this service. */
  readonly service?: string | undefined;
}

export interface MaintenanceChange {
  readonly model: DirectorModel;
  readonly servers: readonly { readonly service: string; readonly server: string }[];
}

/** The model in which these servers are in maintenance, or are not. Throws a UsageError when there is no such server. */
export function withMaintenance(
  model: DirectorModel,
  { server, service }: MaintenanceOf,
  isOn: boolean,
): MaintenanceChange {
  const isMeant = serverMatcher(server);
  const meant = (of: Service, each: RealServer): boolean =>
    isMeant(each) && (service === undefined || serviceKey(of.identity) === service);
  const found = model.services.flatMap(of =>
    of.servers
      .filter(each => meant(of, each))
      .map(each => ({ service: serviceKey(of.identity), server: serverKey(each) })),
  );
  if (found.length === 0) {
    throw new UsageError('no service has this real server', {
      value: server,
      remedy: 'write an address, or an address and port, as sluice ipvsadm -L -n shows them',
    });
  }
  const services = model.services.map(of =>
    of.servers.some(each => meant(of, each) && (each.maintenance === true) !== isOn)
      ? { ...of, servers: of.servers.map(each => (meant(of, each) ? marked(each, isOn) : each)) }
      : of,
  );
  return { model: deepFreeze({ ...model, services }), servers: found };
}

function marked({ maintenance: _, ...server }: RealServer, isOn: boolean): RealServer {
  return isOn ? { ...server, maintenance: true } : server;
}
