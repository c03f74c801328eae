// SPDX-License-Identifier: Apache-2.0
// Writes a model as the commands that `ipvsadm -S -n` prints. ipvsadm cannot express some parts of a model;
// `formatRules` says which parts are missing from the text.
import {
  type DirectorModel,
  hostMask,
  prefixOfMask,
  type RealServer,
  type Service,
  type ServiceIdentity,
  serviceFamily,
  serviceKey,
} from '../model.ts';
import { printedFlags } from '../schedulers.ts';
import { endpointNames, protocolOf, signedMark } from './listing.ts';
import { sortServers, sortServices } from './order.ts';
import type { Names } from './values.ts';

export interface RulesText {
  /** The commands, one a line. */
  readonly text: string;
  /** The parts of the model that are missing from the commands, in words. */
  readonly omitted: readonly string[];
}

export interface RulesFormat {
  /** Without names, addresses and ports are numbers. */
  readonly names?: Names | undefined;
  /**
   * Prints thresholds too, and servers in the order in which they were added, so that the text is read as the same
   * model. ipvsadm leaves out thresholds, sorts the servers, and prints high marks and the flag flag-3 as it cannot read them.
   */
  readonly complete?: boolean;
}

export function formatRules(model: DirectorModel, format: RulesFormat = {}): RulesText {
  const { complete = false } = format;
  const as = { ...format, complete };
  const lines: string[] = [];
  const omitted: string[] = [];
  for (const service of complete ? model.services : sortServices(model.services)) {
    lines.push(addService(service, as));
    for (const server of complete ? service.servers : sortServers(service.servers)) {
      lines.push(addServer(service, server, as));
    }
    omitted.push(...omissions(service));
  }
  return { text: lines.map(line => `${line}\n`).join(''), omitted };
}

/** The options that name a service: `-t 10.0.1.100:80`, `-f 5 -6`. */
export function serviceOption(identity: ServiceIdentity, { complete = true, names }: RulesFormat = {}): string {
  if ('mark' in identity)
    return `-f ${complete ? identity.mark : signedMark(identity.mark)}${identity.family === 6 ? ' -6' : ''}`;
  const option = { tcp: '-t', udp: '-u', sctp: '--sctp-service' }[identity.protocol];
  return `${option} ${endpointNames(names, identity.protocol)(identity.address, identity.port)}`;
}

function addService(service: Service, format: RulesFormat): string {
  const { identity, persistence } = service;
  let line = `-A ${serviceOption(identity, format)} -s ${service.scheduler}`;
  if (persistence !== null) {
    line += ` -p ${persistence.timeout}`;
    const family = serviceFamily(identity);
    if (persistence.netmask !== hostMask(family)) {
      line += ` -M ${family === 4 ? persistence.netmask : prefixOfMask(persistence.netmask)}`;
    }
  }
  if (service.persistenceEngine !== undefined) line += ` --pe ${service.persistenceEngine}`;
  if (service.onePacket) line += ' -o';
  if (service.flags.length > 0) {
    const { scheduler, flags } = service;
    line += ` -b ${format.complete ? flags.join(',') : printedFlags(scheduler, flags)}`;
  }
  return line;
}

const modeOptions = { nat: '-m', fullnat: '-m', dr: '-g', tunnel: '-i' } as const;
const checksumOptions = { none: '--tun-nocsum', full: '--tun-csum', remote: '--tun-remcsum' } as const;

function addServer(service: Service, server: RealServer, format: RulesFormat): string {
  const { identity } = service;
  const { complete, names } = format;
  const nameOf = endpointNames(names, protocolOf(service));
  let line = `-a ${serviceOption(identity, format)} -r ${nameOf(server.address, server.port)} ${modeOptions[server.mode]} -w ${server.weight}`;
  if (complete && server.upperThreshold > 0) line += ` -x ${server.upperThreshold}`;
  if (complete && server.lowerThreshold > 0) line += ` -y ${server.lowerThreshold}`;
  if (server.tunnel === null) return line;
  const { type, port, checksum } = server.tunnel;
  line += ` --tun-type ${type}`;
  if (type === 'gue') line += ` --tun-port ${port}`;
  return type === 'ipip' ? line : `${line} ${checksumOptions[checksum]}`;
}

function omissions(service: Service): string[] {
  const key = serviceKey(service.identity);
  const said: string[] = [];
  if (service.servers.some(({ mode }) => mode === 'fullnat')) said.push(`${key}: mode fullnat is printed as -m`);
  if (service.pool !== null) said.push(`${key}: pool ${service.pool}`);
  if (service.clientAddress !== 'none') said.push(`${key}: client_address ${service.clientAddress}`);
  if (service.proxyProtocol !== 'none') said.push(`${key}: proxy_protocol ${service.proxyProtocol}`);
  if (service.synProxy !== 'off') said.push(`${key}: syn_proxy ${service.synProxy}`);
  if (service.sourceLimit !== null) said.push(`${key}: source_limit`);
  return said;
}
