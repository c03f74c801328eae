// SPDX-License-Identifier: Apache-2.0
// The options of ipvsadm 1.31 and which commands take them.

export type CommandName =
  | 'add-service'
  | 'edit-service'
  | 'delete-service'
  | 'flush'
  | 'list'
  | 'add-server'
  | 'delete-server'
  | 'edit-server'
  | 'set'
  | 'start-daemon'
  | 'stop-daemon'
  | 'restore'
  | 'save'
  | 'zero';

type Argument = 'none' | 'needed' | 'optional';

export interface OptionInfo {
  readonly long: string;
  readonly short?: string;
  readonly argument: Argument;
  /** Options of the same group exclude each other. Messages use this name for the group. */
  readonly group?: string;
  /** True for the options that begin a line (-A, -E, …). */
  readonly command?: CommandName | 'help' | 'version';
}

const commandOptions: readonly OptionInfo[] = [
  { long: 'add-service', short: 'A', argument: 'none', command: 'add-service' },
  { long: 'edit-service', short: 'E', argument: 'none', command: 'edit-service' },
  { long: 'delete-service', short: 'D', argument: 'none', command: 'delete-service' },
  { long: 'clear', short: 'C', argument: 'none', command: 'flush' },
  { long: 'list', short: 'L', argument: 'none', command: 'list' },
  { long: 'list', short: 'l', argument: 'none', command: 'list' },
  { long: 'zero', short: 'Z', argument: 'none', command: 'zero' },
  { long: 'add-server', short: 'a', argument: 'none', command: 'add-server' },
  { long: 'edit-server', short: 'e', argument: 'none', command: 'edit-server' },
  { long: 'delete-server', short: 'd', argument: 'none', command: 'delete-server' },
  { long: 'set', argument: 'none', command: 'set' },
  { long: 'restore', short: 'R', argument: 'none', command: 'restore' },
  { long: 'save', short: 'S', argument: 'none', command: 'save' },
  { long: 'start-daemon', argument: 'needed', command: 'start-daemon' },
  { long: 'stop-daemon', argument: 'needed', command: 'stop-daemon' },
  { long: 'help', short: 'h', argument: 'none', command: 'help' },
  { long: 'version', short: 'v', argument: 'none', command: 'version' },
];

const service = { argument: 'needed', group: 'service-address' } as const;
const forwarding = { argument: 'none', group: 'forwarding-method' } as const;

const otherOptions: readonly OptionInfo[] = [
  { long: 'tcp-service', short: 't', ...service },
  { long: 'udp-service', short: 'u', ...service },
  { long: 'sctp-service', ...service },
  { long: 'fwmark-service', short: 'f', ...service },
  { long: 'scheduler', short: 's', argument: 'needed' },
  { long: 'persistent', short: 'p', argument: 'optional' },
  { long: 'netmask', short: 'M', argument: 'needed' },
  { long: 'real-server', short: 'r', argument: 'needed' },
  { long: 'masquerading', short: 'm', ...forwarding },
  { long: 'ipip', short: 'i', ...forwarding },
  { long: 'gatewaying', short: 'g', ...forwarding },
  { long: 'weight', short: 'w', argument: 'needed' },
  { long: 'u-threshold', short: 'x', argument: 'needed' },
  { long: 'l-threshold', short: 'y', argument: 'needed' },
  { long: 'numeric', short: 'n', argument: 'none' },
  { long: 'connection', short: 'c', argument: 'none' },
  { long: 'mcast-interface', argument: 'needed' },
  { long: 'syncid', argument: 'needed' },
  { long: 'sync-maxlen', argument: 'needed' },
  { long: 'mcast-group', argument: 'needed' },
  { long: 'mcast-port', argument: 'needed' },
  { long: 'mcast-ttl', argument: 'needed' },
  { long: 'timeout', argument: 'none' },
  { long: 'daemon', argument: 'none' },
  { long: 'stats', argument: 'none' },
  { long: 'rate', argument: 'none' },
  { long: 'thresholds', argument: 'none' },
  { long: 'persistent-conn', argument: 'none' },
  { long: 'nosort', argument: 'none' },
  { long: 'sort', argument: 'none' },
  { long: 'exact', short: 'X', argument: 'none' },
  { long: 'ipv6', short: '6', argument: 'none' },
  { long: 'ops', short: 'o', argument: 'none' },
  { long: 'pe', argument: 'needed' },
  { long: 'sched-flags', short: 'b', argument: 'needed' },
  { long: 'tun-info', argument: 'none' },
  { long: 'tun-type', argument: 'needed' },
  { long: 'tun-port', argument: 'needed' },
  { long: 'tun-nocsum', argument: 'none' },
  { long: 'tun-csum', argument: 'none' },
  { long: 'tun-remcsum', argument: 'none' },
];

const all = [...commandOptions, ...otherOptions];

export const longOptions: ReadonlyMap<string, OptionInfo> = new Map(all.map(option => [option.long, option]));
export const shortOptions: ReadonlyMap<string, OptionInfo> = new Map(
  all.flatMap(option => (option.short === undefined ? [] : [[option.short, option] as const])),
);

/** The options that a command needs, may have, and may have one of. All other options are illegal with the command. */
interface Legality {
  readonly needed?: readonly string[];
  readonly optional?: readonly string[];
  readonly exclusive?: readonly string[];
}

const serviceSettings = ['scheduler', 'persistent', 'netmask', 'ops', 'pe', 'sched-flags'];
const tunnelSettings = ['tun-type', 'tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'];
const serverSettings = ['forwarding-method', 'weight', 'u-threshold', 'l-threshold', ...tunnelSettings];
const listFormats = ['stats', 'rate', 'thresholds', 'persistent-conn', 'nosort', 'exact', 'tun-info'];
const daemonSettings = ['mcast-interface', 'syncid', 'mcast-group', 'mcast-port', 'mcast-ttl', 'sync-maxlen'];

export const legality: Readonly<Record<CommandName, Legality>> = {
  'add-service': { needed: ['service-address'], optional: serviceSettings },
  'edit-service': { needed: ['service-address'], optional: serviceSettings },
  'delete-service': { needed: ['service-address'] },
  flush: {},
  list: { optional: ['numeric', ...listFormats], exclusive: ['connection', 'service-address', 'timeout', 'daemon'] },
  'add-server': { needed: ['service-address', 'real-server'], optional: serverSettings },
  'delete-server': { needed: ['service-address', 'real-server'] },
  'edit-server': { needed: ['service-address', 'real-server'], optional: serverSettings },
  set: {},
  'start-daemon': { optional: daemonSettings },
  'stop-daemon': { optional: ['syncid'] },
  restore: {},
  save: { optional: ['numeric'] },
  zero: { optional: ['service-address'] },
};

/** The order in which ipvsadm checks options, which decides which mistake it reports. */
export const optionOrder: readonly string[] = [
  'numeric',
  'connection',
  'service-address',
  'scheduler',
  'persistent',
  'netmask',
  'real-server',
  'forwarding-method',
  'weight',
  'u-threshold',
  'l-threshold',
  'mcast-interface',
  'timeout',
  'daemon',
  'stats',
  'rate',
  'thresholds',
  'persistent-conn',
  'nosort',
  'syncid',
  'exact',
  'ops',
  'pe',
  'sched-flags',
  'mcast-group',
  'mcast-port',
  'mcast-ttl',
  'sync-maxlen',
  'tun-info',
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
];
