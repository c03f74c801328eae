// SPDX-License-Identifier: Apache-2.0
// The model that the director runs while some real servers are down: the configured model, in which these servers take
// no new flows. The order of services and of real servers stays as configured. So a server that comes back gets its old
// place.
import { deepFreeze } from '../core/config/canonical.ts';
import type { FailureAction, Observed } from '../core/observed.ts';
import { type DirectorModel, type RealServer, type Service, serverOfServiceKey } from './model.ts';

/** A pure function. Parts that the observation does not change are the same objects as in `model`. */
export function effectiveDirectorModel(model: DirectorModel, { servers, onFailure }: Observed): DirectorModel {
  if (servers === undefined || ![...servers.values()].includes('down')) return model;
  const isDown = (service: Service, server: RealServer) =>
    servers.get(serverOfServiceKey(service.identity, server)) === 'down';
  let isChanged = false;
  const services = model.services.map(service => {
    const effective = withoutFailed(service, server => isDown(service, server), onFailure ?? 'inhibit');
    isChanged ||= effective !== service;
    return effective;
  });
  return isChanged ? deepFreeze({ ...model, services }) : model;
}

function withoutFailed(service: Service, isDown: (server: RealServer) => boolean, action: FailureAction): Service {
  // With `inhibit`, a server whose configured weight is 0 stays as it is.
  const isAffected = (server: RealServer) => isDown(server) && (action === 'remove' || server.weight !== 0);
  if (!service.servers.some(isAffected)) return service;
  const servers =
    action === 'remove'
      ? service.servers.filter(server => !isDown(server))
      : service.servers.map(server => (isAffected(server) ? { ...server, weight: 0 } : server));
  return { ...service, servers };
}
