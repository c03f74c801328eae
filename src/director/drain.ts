// SPDX-License-Identifier: Apache-2.0
// What real servers that get no new connections still have.
import type { ApiClient } from '../core/api/client.ts';
import { directorServices } from './api.ts';
import { serverKey, serviceKey } from './model.ts';

/** A real server in a service, by their names. */
export interface ServerOf {
  readonly service: string;
  readonly server: string;
}

export interface Left extends ServerOf {
  /** Connections that need the server. The end of a TCP connection is remembered for a while, and needs no server. */
  readonly open: number;
  readonly ended: number;
  /** Clients that persistence keeps on the server. */
  readonly persistent: number;
}

/** Asks the director. A server that it does not know is left out. */
export async function leftOn(client: ApiClient, servers: readonly ServerOf[]): Promise<Left[]> {
  const left: Left[] = [];
  for (const service of new Set(servers.map(each => each.service))) {
    const keys = new Set(servers.filter(each => each.service === service).map(each => each.server));
    for (const { identity, servers: views } of await client.call(directorServices, { service })) {
      if (serviceKey(identity) !== service) continue;
      // UDP has no end: a flow is open until its timeout. Of a service by mark the protocols are not known.
      const hasEnds = !('mark' in identity) && identity.protocol !== 'udp';
      for (const { active, inactive, persistent, ...view } of views) {
        const server = serverKey(view);
        if (!keys.has(server)) continue;
        const ended = hasEnds ? inactive : 0;
        left.push({ service, server, open: active + inactive - ended, ended, persistent });
      }
    }
  }
  return left;
}
