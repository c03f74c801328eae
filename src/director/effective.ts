// SPDX-License-Identifier: Apache-2.0
// What the director has to run when some real servers are down: the configured model, in which these servers take no new
// flows. The order of services and of real servers stays as it is configured, so that a server which comes back stands
// where it stood.
import { deepFreeze } from '../core/config/canonical.ts';
import type { FailureAction, Observed } from '../core/observed.ts';
import { type DirectorModel, type RealServer, type Service, serverOfServiceKey } from './model.ts';

/** Pure. Parts that the observation does not change are the same objects as in `model`. */
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
  // With `inhibit`, a server of weight 0 is configured to take no new flows already.
  const isAffected = (server: RealServer) => isDown(server) && (action === 'remove' || server.weight !== 0);
  if (!service.servers.some(isAffected)) return service;
  const servers =
    action === 'remove'
      ? service.servers.filter(server => !isDown(server))
      : service.servers.map(server => (isAffected(server) ? { ...server, weight: 0 } : server));
  return { ...service, servers };
}
