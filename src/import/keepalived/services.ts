// SPDX-License-Identifier: Apache-2.0
// A virtual server as services of a document: one for each address of its group. What keepalived does without being told
// is written out.
import type { CheckNames } from '../check-names.ts';
import type {
  CheckedDocument,
  CheckedServerDocument,
  CheckedServiceDocument,
  From,
  ImportedService,
  ServiceHealthDocument,
} from '../document.ts';
import type { RealServer } from './real-server.ts';
import { endpointText, type Method, shown, type Values } from './values.ts';
import { barePersistence, type Matched, type VirtualServer } from './virtual-server.ts';

type Settings = Omit<CheckedServiceDocument, 'servers'>;

export function writeServices(read: VirtualServer, names: CheckNames, values: Values): ImportedService[] {
  const filled = withDefaults(read, values);
  return filled.matched.flatMap(matched => writeService(filled, matched, names, values) ?? []);
}

type Filled = VirtualServer & {
  readonly scheduler: string;
  readonly method: Method;
  readonly protocol: NonNullable<VirtualServer['protocol']>;
};

function withDefaults(read: VirtualServer, { report }: Values): Filled {
  const { node } = read;
  const isByMark = read.matched.every(one => 'mark' in one);
  if (read.scheduler === undefined) report.explicit(node.place, 'scheduler wlc, as keepalived by default');
  if (read.method === undefined) report.explicit(node.place, 'mode nat, as keepalived by default');
  if (read.protocol === undefined && !isByMark) {
    report.explicit(node.place, 'udp: keepalived takes UDP where protocol is not given; see whether TCP is meant');
  }
  const protocolNode = node.children.find(({ keyword }) => keyword === 'protocol');
  if (isByMark && protocolNode !== undefined) {
    report.ignored(protocolNode.place, `${shown(protocolNode)}: it has no meaning with fwmark`);
  }
  return {
    ...read,
    scheduler: read.scheduler ?? 'wlc',
    method: read.method ?? { mode: 'nat' },
    protocol: read.protocol ?? 'udp',
  };
}

function familyOf(read: Filled, matched: Matched): 4 | 6 {
  if ('address' in matched) return matched.address.family;
  const families = new Set(read.servers.map(({ address }) => address.family));
  const [only] = families;
  return matched.family ?? read.family ?? (families.size === 1 && only !== undefined ? only : 4);
}

function writeService(read: Filled, matched: Matched, names: CheckNames, values: Values): ImportedService | undefined {
  const family = familyOf(read, matched);
  const identity = identityOf(read, matched, family);
  const servers = serversOf(read, matched, family, values);
  const health = healthOf(read, matched, family, servers, names, values);
  const settings: Settings = {
    ...identity,
    scheduler: read.scheduler as NonNullable<Settings['scheduler']>,
    ...flagsOf(read, values),
    ...(read.method.mode === 'nat' ? {} : { mode: read.method.mode }),
    ...persistenceOf(read, matched, family, values),
    ...onePacketOf(read, matched, values),
    ...(health === undefined ? {} : { health }),
  };
  const common = commonChecks(servers, names);
  return {
    settings,
    place: matched.place,
    servers: servers.map(server => writeServer(server, read, matched, common, names)),
  };
}

function identityOf({ protocol }: Filled, matched: Matched, family: 4 | 6): Settings {
  if ('mark' in matched) return { mark: matched.mark, ...(family === 6 ? { family: 'ipv6' as const } : {}) };
  return { [protocol]: endpointText(matched.address.text, matched.port) };
}

function flagsOf({ flags, scheduler }: Filled, values: Values): Pick<Settings, 'flags'> {
  const good = flags.filter(node => {
    const fits = node.keyword.startsWith('flag-') || node.keyword.startsWith(`${scheduler}-`);
    if (!fits) values.wrong(node, `not a flag of the scheduler ${scheduler}`);
    return fits;
  });
  return good.length === 0 ? {} : { flags: [...new Set(good.map(({ keyword }) => keyword))] };
}

function onePacketOf({ onePacket, protocol }: Filled, matched: Matched, values: Values): Pick<Settings, 'one_packet'> {
  if (onePacket === undefined) return {};
  if ('mark' in matched || protocol === 'udp') return { one_packet: true };
  values.wrong(onePacket, 'packets are scheduled one by one for UDP only');
  return {};
}

function persistenceOf(read: Filled, matched: Matched, family: 4 | 6, values: Values): Pick<Settings, 'persistence'> {
  const { granularity } = read;
  const needsIt = 'port' in matched && matched.port === 0;
  if (read.persistence === undefined && granularity === undefined && !needsIt) return {};
  const timeout = read.persistence ?? barePersistence;
  if (read.persistence === undefined) {
    const why = needsIt ? 'all ports need persistence' : 'persistence_granularity brings persistence';
    values.report.explicit(read.node.place, `persistence ${timeout}: ${why}`);
  }
  if (granularity === undefined) return { persistence: timeout };
  if (/^\d{1,3}$/.test(granularity)) {
    const prefix = Number(granularity);
    const isPossible = prefix <= (family === 4 ? 32 : 128) && (family === 4 || prefix > 0);
    if (isPossible) return { persistence: { timeout, prefix } };
  } else if (
    family === 4 &&
    /^\d+\.\d+\.\d+\.\d+$/.test(granularity) &&
    granularity.split('.').every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
  ) {
    return { persistence: { timeout, netmask: granularity } };
  }
  const node = read.node.children.find(({ keyword }) => keyword === 'persistence_granularity') ?? read.node;
  values.wrong(node, `not a mask for IPv${family}`);
  return { persistence: timeout };
}

// Without those that keepalived leaves out.
function serversOf(read: Filled, matched: Matched, family: 4 | 6, values: Values): RealServer[] {
  const seen = new Set<string>();
  return read.servers.filter(server => {
    const { mode } = server.method ?? read.method;
    if (server.address.family !== family && mode !== 'tunnel') {
      values.wrong(server.node, `it is IPv${server.address.family}, and its service IPv${family}`);
      return false;
    }
    const key = serverText(server, read, matched);
    if (seen.has(key)) values.wrong(server.node, 'the same real server stands before it');
    const isNew = !seen.has(key);
    seen.add(key);
    if (isNew) explainPort(server, read, matched, values);
    return isNew;
  });
}

function explainPort(server: RealServer, read: Filled, matched: Matched, { report }: Values): void {
  const { mode } = server.method ?? read.method;
  if (server.port === undefined || portOf(server, read, matched) === server.port || mode === 'nat') return;
  const servicePort = 'port' in matched ? matched.port : 0;
  if (server.port === servicePort) return;
  report.ignored(
    server.place,
    `${shown(server.node)}: port ${server.port}: mode ${mode} keeps the port of the service`,
  );
}

/** Undefined: that of the service. DR and tunnels cannot change the port. */
function portOf({ port, method }: RealServer, read: Filled, matched: Matched): number | undefined {
  const { mode } = method ?? read.method;
  if (mode !== 'nat') return undefined;
  if ('port' in matched && matched.port === 0) return undefined;
  return port;
}

function serverText(server: RealServer, read: Filled, matched: Matched): string {
  const port = portOf(server, read, matched) ?? ('port' in matched ? matched.port : 0);
  return endpointText(server.address.text, port);
}

function namesOf(server: RealServer, names: CheckNames): string[] {
  return [...new Set(server.checkers.flatMap(({ checks, place }) => checks.map(check => names.nameOf(check, place))))];
}

// The checks of most servers are those of the service.
function commonChecks(servers: readonly RealServer[], names: CheckNames): readonly string[] {
  const counts = new Map<string, { checks: string[]; count: number }>();
  for (const server of servers) {
    const checks = namesOf(server, names);
    const key = checks.join(' ');
    counts.set(key, { checks, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  const sorted = [...counts.values()].filter(({ checks }) => checks.length > 0).sort((a, b) => b.count - a.count);
  return sorted[0]?.checks ?? [];
}

function writeServer(
  server: RealServer,
  read: Filled,
  matched: Matched,
  common: readonly string[],
  names: CheckNames,
): From<string | CheckedServerDocument> {
  const { place, upper, lower } = server;
  const weight = server.weight ?? read.weight;
  const method = server.method ?? read.method;
  const checks = namesOf(server, names);
  const health: CheckedDocument | undefined = checks.join(' ') === common.join(' ') ? undefined : { checks };
  const part: CheckedServerDocument = {
    server: serverText(server, read, matched),
    ...(method.mode === read.method.mode ? {} : { mode: method.mode }),
    ...(method.tunnel === undefined ? {} : { tunnel: method.tunnel }),
    ...(weight === 1 ? {} : { weight }),
    ...(upper === 0 ? {} : { upper_threshold: upper }),
    ...(lower === 0 ? {} : { lower_threshold: lower }),
    ...(health === undefined ? {} : { health }),
  };
  return { part: Object.keys(part).length === 1 ? part.server : part, place };
}

function healthOf(
  read: Filled,
  matched: Matched,
  family: 4 | 6,
  servers: readonly RealServer[],
  names: CheckNames,
  values: Values,
): ServiceHealthDocument | undefined {
  const checks = commonChecks(servers, names);
  const sorry = sorryOf(read, matched, family, values);
  if (checks.length === 0 && sorry === undefined) return undefined;
  const ending = sorry === undefined ? ({ none_up: 'none' } as const) : ({ sorry, sorry_when: 'quorum_lost' } as const);
  explainEnding(read, sorry !== undefined, values);
  const quorum = quorumOf(read, servers, values);
  return {
    checks,
    need: 'all',
    on_failure: failureAction(read, servers, values),
    ...quorum,
    ...ending,
    start: startOf(read, servers, values),
  };
}

function explainEnding({ node, quorum }: Filled, hasSorry: boolean, { report }: Values): void {
  if (!hasSorry) report.explicit(node.place, 'none_up none: without a server that is up new flows are refused');
  else {
    const more = quorum > 1 ? ', also those that are up' : '';
    report.explicit(node.place, `sorry_when quorum_lost: the sorry server takes the place of all servers${more}`);
  }
}

function quorumOf(
  read: Filled,
  servers: readonly RealServer[],
  { report }: Values,
): { quorum: number; hysteresis?: number } {
  const total = servers.reduce((sum, server) => sum + (server.weight ?? read.weight), 0);
  const quorum = Math.max(1, Math.min(read.quorum, total));
  if (quorum < read.quorum) {
    report.ignored(read.node.place, `quorum ${read.quorum}: keepalived uses ${quorum}, the weight of all servers`);
  }
  const hysteresis = Math.min(read.hysteresis, quorum - 1);
  return { quorum, ...(hysteresis === 0 ? {} : { hysteresis }) };
}

function failureAction(read: Filled, servers: readonly RealServer[], { report }: Values): 'inhibit' | 'remove' {
  const inhibited = servers.filter(({ inhibit }) => inhibit);
  if (read.inhibit || (inhibited.length > 0 && inhibited.length === servers.length)) return 'inhibit';
  report.explicit(read.node.place, 'on_failure remove, as keepalived without inhibit_on_failure');
  for (const server of inhibited) {
    const node = server.node.children.find(({ keyword }) => keyword === 'inhibit_on_failure');
    const remedy = 'on_failure is one for all servers of a service: use inhibit for all of them';
    report.lost(node?.place ?? server.place, 'inhibit_on_failure of a single real server', remedy);
  }
  return 'remove';
}

function startOf({ node }: Filled, servers: readonly RealServer[], { report }: Values): 'up' | 'down' {
  const checked = servers.filter(({ checkers }) => checkers.length > 0);
  const waiting = checked.filter(({ checkers }) => checkers.some(({ alpha }) => alpha));
  if (checked.length > 0 && waiting.length === checked.length) return 'down';
  if (waiting.length === 0) report.explicit(node.place, 'start up: servers are in service before their first check');
  for (const server of waiting) {
    report.lost(server.place, `${shown(server.node)}: alpha`, 'start is one for all servers of a service: use down');
  }
  return 'up';
}

function sorryOf(read: Filled, matched: Matched, family: 4 | 6, { report }: Values): ServiceHealthDocument['sorry'] {
  if (read.sorry === undefined) return undefined;
  const { address, port, place } = read.sorry;
  const method = read.sorryMethod ?? read.method;
  if (address.family !== family && method.mode !== 'tunnel') {
    report.ignored(place, `sorry_server ${address.text}: it is IPv${address.family}, and its service IPv${family}`);
    return undefined;
  }
  const servicePort = 'port' in matched ? matched.port : 0;
  const server = endpointText(
    address.text,
    method.mode === 'nat' && servicePort !== 0 ? (port ?? servicePort) : servicePort,
  );
  const differs = method.mode !== read.method.mode || method.tunnel !== undefined;
  if (!differs) return server;
  return { server, mode: method.mode, ...(method.tunnel === undefined ? {} : { tunnel: method.tunnel }) };
}
