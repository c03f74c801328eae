// SPDX-License-Identifier: Apache-2.0
// Connections that are opened as the packets of a service travel to a real server: what is asked of the prober, and what
// its errors mean on this way.
import { constants } from 'node:os';
import type { TrafficWay } from '../../core/observed.ts';
import type { ExchangeRequest } from '../../native/prober.ts';
import { fails, untried, type Verdict } from '../dialog.ts';
import type { Destination } from '../probe.ts';
import { errnoWords } from './words.ts';

export function trafficRequest(to: Destination, way: TrafficWay): Pick<ExchangeRequest, 'address' | 'port' | 'way'> {
  const { wrapping, port, checksum } = way;
  return {
    address: way.service.address,
    port: portOf(to, way),
    way: { server: to.address, wrapping, port, checksum },
  };
}

/** The port that clients ask for is the server's own, as these ways change no port. */
function portOf(to: Destination, way: TrafficWay): number {
  return to.port || way.service.port;
}

/** `198.51.100.10:80 by DR`. */
export function wayWords(to: Destination, way: TrafficWay): string {
  const { address } = way.service;
  const service = `${address.includes(':') ? `[${address}]` : address}:${portOf(to, way)}`;
  return `${service} ${way.wrapping === 'none' ? 'by DR' : `in ${way.wrapping}`}`;
}

export function trafficFailure(to: Destination, way: TrafficWay, errno: number): Verdict {
  const { EPERM, EACCES, EAFNOSUPPORT, ENETUNREACH, ELOOP, ENOPROTOOPT, EPROTO } = constants.errno;
  const words = wayWords(to, way);
  switch (errno) {
    case EACCES:
      return untried(`not tried: packets of one's own need the capability net_raw`);
    case EPERM:
      return untried('not tried: a firewall of this host refuses the packet');
    case EAFNOSUPPORT:
      return untried(`not tried: ${to.address} and ${way.service.address} are of different families`);
    case ELOOP:
      return untried('not tried: the server is this host');
    case ENETUNREACH:
      if (way.wrapping === 'none') return fails(`no way to ${words}: the server is not on a link of this host`);
      break;
    case ENOPROTOOPT:
    case EPROTO:
      return fails(`no way to ${words}: the server does not unwrap ${way.wrapping}`);
  }
  return fails(`no connection to ${words}: ${errnoWords(errno)}`);
}
