// SPDX-License-Identifier: Apache-2.0
// Reads one line of ipvsadm (version 1.31) as a command. The options take effect from left to right, as in ipvsadm:
// `-r` without a port copies the port of the service only if the service stands before `-r`. For a wrong line, the
// message is that of ipvsadm, so that a person can look it up; the place and the remedy are added.
import { type Address, type Family, isMulticast, parseAddress } from '../../core/address.ts';
import { alternatives, suggest } from '../../core/config/suggest.ts';
import {
  defaultPersistence,
  defaultWeight,
  highestWeight,
  hostMask,
  ipipTunnel,
  longestTimeout,
  type Persistence,
  type PersistenceEngine,
  type Protocol,
  persistenceEngines,
  type RealServer,
  type ServiceIdentity,
  type Tunnel,
} from '../model.ts';
import { maskOf } from '../read-service.ts';
import { allFlags, bitsFromFlags, defaultScheduler, flagNames, flagsFromBits, schedulerNames } from '../schedulers.ts';
import { type CommandName, legality, type OptionInfo, optionOrder } from './options.ts';
import { CommandFault, type GivenOption, readOptions, type Token } from './tokens.ts';
import { type InputNames, parseHost4, parseNumber, parseServiceAddress } from './values.ts';

/** The settings of a service that -A and -E give. */
export interface ServiceSettings {
  readonly scheduler: string;
  readonly flags: readonly string[];
  readonly persistence: Persistence | null;
  readonly persistenceEngine: PersistenceEngine | null;
  readonly onePacket: boolean;
}

export type ListFormat = 'services' | 'stats' | 'rate' | 'thresholds' | 'persistent-conn' | 'tun-info';

export type Command =
  | {
      readonly kind: 'add-service' | 'edit-service';
      readonly identity: ServiceIdentity;
      readonly settings: ServiceSettings;
    }
  | { readonly kind: 'delete-service'; readonly identity: ServiceIdentity }
  | { readonly kind: 'flush' }
  | { readonly kind: 'add-server' | 'edit-server'; readonly identity: ServiceIdentity; readonly server: RealServer }
  | {
      readonly kind: 'delete-server';
      readonly identity: ServiceIdentity;
      readonly server: { readonly address: string; readonly port: number };
    }
  | { readonly kind: 'zero'; readonly identity: ServiceIdentity | undefined }
  /** Seconds; 0 leaves the timeout as it is. */
  | { readonly kind: 'set'; readonly tcp: number; readonly tcpFin: number; readonly udp: number }
  | {
      readonly kind: 'list';
      readonly what: 'services' | 'connections' | 'timeouts' | 'daemons';
      readonly identity: ServiceIdentity | undefined;
      readonly format: ListFormat;
      /** Whether --persistent-conn is among the words. */
      readonly persistent: boolean;
      readonly numeric: boolean;
      readonly exact: boolean;
      readonly sorted: boolean;
    }
  | { readonly kind: 'save'; readonly numeric: boolean }
  | { readonly kind: 'restore' | 'help' | 'version' }
  | { readonly kind: 'start-daemon' | 'stop-daemon'; readonly state: 'master' | 'backup' };

/** Reads the words of a line as a command. Throws a CommandFault when the line is wrong. */
export function parseCommand(tokens: readonly Token[], names: InputNames): Command {
  const rest: Token[] = [];
  const options = readOptions(tokens, rest);
  const first = firstOption(options, tokens[0]);
  const name = first.info.command;
  if (name === undefined) throw noCommand(first.token);
  if (name === 'help' || name === 'version') return { kind: name };
  return new LineReader(names).read(name, first, options, rest);
}

/** The command of the words, whatever follows; undefined where they begin with none. */
export function commandOf(words: readonly string[]): OptionInfo['command'] {
  const tokens = words.map((text, index) => ({ text, column: index + 1 }));
  try {
    return firstOption(readOptions(tokens, []), tokens[0]).info.command;
  } catch (fault) {
    if (fault instanceof CommandFault) return undefined;
    throw fault;
  }
}

function firstOption(options: Iterator<GivenOption, void>, word: Token | undefined): GivenOption {
  try {
    const { value } = options.next();
    if (value !== undefined) return value;
  } catch (fault) {
    if (!(fault instanceof CommandFault)) throw fault;
    throw new CommandFault(fault.message, fault.token, fault.remedy, 'command');
  }
  throw noCommand(word);
}

function noCommand(token: Token | undefined): CommandFault {
  return new CommandFault('the line does not begin with a command', token, 'such as -A, -a, -E or -C', 'command');
}

// The options of a line, read from left to right. Each option fills some of these fields.
class LineReader {
  readonly #names: InputNames;
  readonly #given = new Map<string, GivenOption>();
  #protocol: Protocol = 'tcp';
  /** Before the service stands in the line, there is no protocol by which a port has its name. */
  #portsHaveNames = false;
  #address: Address | undefined;
  #port = 0;
  #mark = 0;
  #family: Family = 4;
  #scheduler: Token | undefined;
  #flags: Token | undefined;
  #engine: Token | undefined;
  #timeout: number | undefined;
  #netmask = hostMask(4);
  #onePacket = false;
  #server: { address: Address; port: number } | undefined;
  #mode: 'nat' | 'tunnel' | 'dr' = 'dr';
  #weight = defaultWeight;
  #upper = 0;
  #lower = 0;
  #tunnel: Tunnel = ipipTunnel;

  constructor(names: InputNames) {
    this.#names = names;
  }

  read(command: CommandName, first: GivenOption, options: Iterable<GivenOption>, rest: readonly Token[]): Command {
    const state = command.endsWith('-daemon') ? daemonState(first) : 'master';
    for (const option of options) this.#take(option);
    const times = command === 'set' ? readTimes(first, rest) : [];
    const extra = rest[command === 'set' ? 3 : 0];
    if (extra !== undefined) throw new CommandFault(`unexpected argument ${extra.text}`, extra, 'remove it');
    // An empty name means no name, as in ipvsadm. Any command takes flags this far.
    const scheduler = this.#scheduler?.text || defaultScheduler;
    const flags = this.#flags === undefined ? [] : readFlags(this.#flags, scheduler);
    this.#checkLegality(command, first);
    switch (command) {
      case 'add-service':
      case 'edit-service':
        return { kind: command, identity: this.#identity(), settings: this.#settings(command, scheduler, flags) };
      case 'delete-service':
        return { kind: command, identity: this.#identity() };
      case 'add-server':
      case 'edit-server':
        return { kind: command, identity: this.#identity(), server: this.#realServer() };
      case 'delete-server': {
        const { address, port } = this.#endpoint();
        return { kind: command, identity: this.#identity(), server: { address: address.text, port } };
      }
      case 'zero':
        return { kind: command, identity: this.#given.has('service-address') ? this.#identity() : undefined };
      case 'set':
        return { kind: command, tcp: times[0] ?? 0, tcpFin: times[1] ?? 0, udp: times[2] ?? 0 };
      case 'list':
        return this.#list();
      case 'save':
        return { kind: command, numeric: this.#given.has('numeric') };
      case 'flush':
      case 'restore':
        return { kind: command };
      case 'start-daemon':
      case 'stop-daemon':
        return { kind: command, state };
    }
  }

  #take(option: GivenOption): void {
    const { info, token, name } = option;
    if (info.command !== undefined)
      throw new CommandFault(`invalid option \`${name}'`, token, 'write one command a line');
    // --sort is the default, and -6 belongs to -f: both may be repeated.
    if (info.long !== 'sort' && info.long !== 'ipv6') {
      const group = info.group ?? info.long;
      if (this.#given.has(group))
        throw new CommandFault(`multiple '${group}' options specified`, token, 'write it once');
      this.#given.set(group, option);
    }
    this.#apply(option, option.argument ?? token);
  }

  // `value` is the argument of the option; it is ignored for options without an argument.
  #apply(option: GivenOption, value: Token): void {
    switch (option.info.long) {
      case 'tcp-service':
      case 'udp-service':
      case 'sctp-service':
        this.#takeService(option.info.long.slice(0, -'-service'.length) as Protocol, value);
        return;
      case 'fwmark-service':
        this.#mark = needNumber(value, 1, 0xffff_ffff, `invalid fwmark value \`${value.text}' specified`);
        this.#portsHaveNames = true;
        return;
      case 'ipv6':
        if (this.#mark === 0) throw new CommandFault('-6 used before -f', value, 'write -f MARK -6');
        this.#family = 6;
        this.#netmask = hostMask(6);
        return;
      case 'scheduler':
        this.#scheduler = value;
        return;
      case 'sched-flags':
        this.#flags = value;
        return;
      case 'pe':
        this.#engine = value;
        return;
      case 'persistent':
        this.#timeout = option.argument === undefined ? defaultPersistence : readTimeout(value, 1);
        return;
      case 'netmask':
        this.#netmask = this.#readNetmask(value);
        return;
      case 'ops':
        this.#onePacket = true;
        return;
      case 'real-server':
        this.#takeServer(value);
        return;
      case 'masquerading':
        this.#mode = 'nat';
        return;
      case 'ipip':
        this.#mode = 'tunnel';
        return;
      case 'gatewaying':
        this.#mode = 'dr';
        return;
      case 'weight':
        this.#weight = needNumber(value, 0, highestWeight, 'illegal weight specified');
        return;
      case 'u-threshold':
        this.#upper = needNumber(value, 0, highestWeight, 'illegal u_threshold specified');
        return;
      case 'l-threshold':
        this.#lower = needNumber(value, 0, highestWeight, 'illegal l_threshold specified');
        return;
      case 'tun-type':
        this.#tunnel = { ...this.#tunnel, type: readTunnelType(value) };
        return;
      case 'tun-port':
        this.#tunnel = { ...this.#tunnel, port: needNumber(value, 1, 65535, 'illegal tunnel port specified') };
        return;
      case 'tun-csum':
        this.#tunnel = { ...this.#tunnel, checksum: 'full' };
        return;
      case 'tun-remcsum':
        this.#tunnel = { ...this.#tunnel, checksum: 'remote' };
        return;
      default:
        checkDaemonSetting(option.info.long, value);
    }
  }

  #takeService(protocol: Protocol, value: Token): void {
    const problem = 'illegal virtual server address[:port] specified';
    const parsed = parseServiceAddress(value.text, protocol, this.#names);
    if (typeof parsed === 'string') throw new CommandFault(problem, value, parsed);
    this.#protocol = protocol;
    this.#portsHaveNames = true;
    this.#address = parsed.address;
    this.#port = parsed.port ?? 0;
    this.#family = parsed.address.family;
    if (this.#family === 6) this.#netmask = hostMask(6);
  }

  #takeServer(value: Token): void {
    const names = this.#portsHaveNames ? this.#names : { ...this.#names, port: noPortNames };
    const parsed = parseServiceAddress(value.text, this.#protocol, names);
    if (typeof parsed === 'string') {
      throw new CommandFault('illegal real server address[:port] specified', value, parsed);
    }
    this.#server = { address: parsed.address, port: parsed.port ?? this.#port };
  }

  #readNetmask(value: Token): string {
    if (this.#family === 6) {
      // As atoi(3), which ignores what follows a number.
      const text = /^\s*[+-]?\d+/.exec(value.text)?.[0] ?? value.text;
      return maskOf(6, needNumber({ ...value, text }, 1, 128, 'illegal ipv6 netmask specified'));
    }
    const mask = parseHost4(value.text, this.#names);
    if (mask === undefined) {
      throw new CommandFault('illegal virtual server persistent mask specified', value, 'such as 255.255.255.0');
    }
    return mask.text;
  }

  #checkLegality(command: CommandName, first: GivenOption): void {
    const { needed = [], optional = [], exclusive = [] } = legality[command];
    const complete = needed.every(name => this.#given.has(name));
    const legal = [...this.#given.keys()].every(name => needed.includes(name) || optional.includes(name));
    if (complete && legal) return;
    let chosen: string | undefined;
    for (const name of optionOrder) {
      const given = this.#given.get(name);
      if (given === undefined) {
        if (!needed.includes(name)) continue;
        const remedy = name === 'service-address' ? 'add -t, -u, --sctp-service or -f' : 'add -r ADDRESS[:PORT]';
        throw new CommandFault(
          `You need to supply the '${name}' option for the '${command}' command`,
          first.token,
          remedy,
        );
      }
      if (exclusive.includes(name)) {
        if (chosen !== undefined) {
          const problem = `The option '${name}' conflicts with the '${chosen}' option in the '${command}' command`;
          throw new CommandFault(problem, given.token, 'write one of them');
        }
        chosen = name;
      } else if (!needed.includes(name) && !optional.includes(name)) {
        throw new CommandFault(`Illegal '${name}' option with the '${command}' command`, given.token, 'remove it');
      }
    }
  }

  #identity(): ServiceIdentity {
    if (this.#mark !== 0) return { mark: this.#mark, family: this.#family };
    return { protocol: this.#protocol, address: this.#address?.text ?? '', port: this.#port };
  }

  #settings(command: 'add-service' | 'edit-service', scheduler: string, flags: readonly string[]): ServiceSettings {
    try {
      return this.#checkedSettings(scheduler, flags);
    } catch (fault) {
      if (fault instanceof CommandFault) fault.command = { kind: command, identity: this.#identity() };
      throw fault;
    }
  }

  #checkedSettings(scheduler: string, flags: readonly string[]): ServiceSettings {
    const service = this.#given.get('service-address')?.argument;
    if (this.#mark === 0 && this.#port === 0 && this.#timeout === undefined) {
      throw new CommandFault('Zero port specified for non-persistent service', service, 'write a port, or add -p');
    }
    if (this.#onePacket && this.#mark === 0 && this.#protocol !== 'udp') {
      const token = this.#given.get('ops')?.token;
      throw new CommandFault('One-Packet Scheduling is only for UDP virtual services', token, 'remove -o');
    }
    if (!schedulerNames.includes(scheduler)) {
      const problem = 'Scheduler or persistence engine not found';
      throw new CommandFault(problem, this.#scheduler, suggest(scheduler, schedulerNames), 'kernel');
    }
    const persistenceEngine = this.#persistenceEngine();
    const persistence = this.#timeout === undefined ? null : { timeout: this.#timeout, netmask: this.#netmask };
    return { scheduler, flags, persistence, persistenceEngine, onePacket: this.#onePacket };
  }

  #persistenceEngine(): PersistenceEngine | null {
    const token = this.#engine;
    // An empty name means no engine, as in the kernel.
    if (token === undefined || token.text === '') return null;
    const engine = persistenceEngines.find(known => known === token.text);
    if (engine !== undefined) return engine;
    const remedy = `the persistence engines are ${alternatives(persistenceEngines)}`;
    throw new CommandFault('Scheduler or persistence engine not found', token, remedy, 'kernel');
  }

  #endpoint(): { address: Address; port: number } {
    if (this.#server === undefined) throw new TypeError('the legality of options requires a real server');
    return this.#server;
  }

  #realServer(): RealServer {
    const { address, port } = this.#endpoint();
    if (address.family !== this.#family && this.#mode !== 'tunnel') {
      const problem = 'Different address family is allowed only for tunneling servers';
      const token = this.#given.get('real-server')?.argument;
      throw new CommandFault(problem, token, `write an IPv${this.#family} address, or add -i`);
    }
    this.#checkTunnel();
    // In these modes a packet keeps the destination port that the client wrote, so the server cannot have another port.
    const fixed = this.#mode !== 'nat' && this.#mark === 0;
    return {
      address: address.text,
      port: fixed ? this.#port : port,
      mode: this.#mode,
      tunnel: this.#mode === 'tunnel' ? this.#tunnel : null,
      weight: this.#weight,
      upperThreshold: this.#upper,
      lowerThreshold: this.#lower,
    };
  }

  #checkTunnel(): void {
    const first = tunnelOptions.concat('tun-type').find(name => this.#given.has(name));
    if (this.#mode !== 'tunnel') {
      if (first === undefined) return;
      const token = this.#given.get(first)?.token;
      throw new CommandFault('Tunnel options conflict with forward method', token, 'add -i, or remove them');
    }
    const { type } = this.#tunnel;
    let chosen: string | undefined;
    for (const name of tunnelOptions) {
      const given = this.#given.get(name);
      if (given === undefined) {
        if (name !== 'tun-port' || type !== 'gue') continue;
        const problem = "You need to supply the 'tun-port' option for the 'gue' tunnel type";
        throw new CommandFault(problem, this.#given.get('tun-type')?.argument, 'add --tun-port 6080');
      }
      if (!optionsOfTunnel[type].includes(name)) {
        throw new CommandFault(`Illegal '${name}' option with the '${type}' tunnel type`, given.token, 'remove it');
      }
      if (name === 'tun-port') continue;
      if (chosen !== undefined) {
        const problem = `The option '${name}' conflicts with the '${chosen}' option in the '${type}' tunnel type`;
        throw new CommandFault(problem, given.token, 'write one of them');
      }
      chosen = name;
    }
  }

  #list(): Command {
    const has = (name: string) => this.#given.has(name);
    const conflict =
      (['connection', 'timeout', 'daemon'].some(has) && ['stats', 'rate', 'thresholds'].some(has)) ||
      (['timeout', 'daemon'].some(has) && has('persistent-conn'));
    if (conflict) {
      throw new CommandFault('options conflicts in the list command', undefined, 'ask for one kind of output');
    }
    return {
      kind: 'list',
      what: has('connection') ? 'connections' : has('timeout') ? 'timeouts' : has('daemon') ? 'daemons' : 'services',
      identity: has('service-address') ? this.#identity() : undefined,
      // The first of these flags wins, as in the output of ipvsadm.
      format: (['stats', 'rate', 'thresholds', 'persistent-conn', 'tun-info'] as const).find(has) ?? 'services',
      persistent: has('persistent-conn'),
      numeric: has('numeric'),
      exact: has('exact'),
      sorted: !has('nosort'),
    };
  }
}

const noPortNames: InputNames['port'] = () => undefined;

const tunnelOptions = ['tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'];
const optionsOfTunnel = { ipip: [], gue: tunnelOptions, gre: ['tun-nocsum', 'tun-csum'] } as {
  readonly [Type in Tunnel['type']]: readonly string[];
};

function needNumber(token: Token, minimum: number, maximum: number, problem: string): number {
  const value = parseNumber(token.text, minimum, maximum);
  if (value === undefined) throw new CommandFault(problem, token, `use a number from ${minimum} to ${maximum}`);
  return value;
}

function readTimeout(token: Token, minimum: number): number {
  return needNumber(token, minimum, longestTimeout, `invalid timeout value \`${token.text}' specified`);
}

function readTimes(first: GivenOption, rest: readonly Token[]): number[] {
  const times = rest.slice(0, 3);
  if (times.length < 3) {
    const remedy = 'write seconds for TCP, TCP after FIN, and UDP; 0 keeps what is set';
    throw new CommandFault('--set option requires 3 timeout values', first.token, remedy);
  }
  return times.map(token => readTimeout(token, 0));
}

function readFlags(token: Token, scheduler: string): string[] {
  const flags = token.text.split(',').filter(flag => flag !== '');
  for (const flag of flags) {
    const info = allFlags.get(flag);
    if (info === undefined) {
      throw new CommandFault(`invalid scheduler flag \`${flag}'`, token, suggest(flag, [...allFlags.keys()]));
    }
    if ((info.scheduler ?? scheduler) !== scheduler) {
      const remedy = `${scheduler} takes ${alternatives(flagNames(scheduler))}`;
      throw new CommandFault(`incompatible scheduler flag \`${flag}'`, token, remedy);
    }
  }
  return flagsFromBits(scheduler, bitsFromFlags(flags));
}

function readTunnelType(token: Token): Tunnel['type'] {
  const type = (['ipip', 'gue', 'gre'] as const).find(known => known === token.text);
  if (type === undefined) throw new CommandFault('illegal tunnel type specified', token, 'use ipip, gue or gre');
  return type;
}

function daemonState(option: GivenOption): 'master' | 'backup' {
  const text = option.argument?.text;
  if (text === 'master' || text === 'backup') return text;
  // Both spellings are those of ipvsadm.
  const start = option.info.command === 'start-daemon';
  const problem = start ? 'illegal start-daemon parameter specified' : 'illegal start_daemon specified';
  throw new CommandFault(problem, option.argument, 'use master or backup');
}

// Options without a value, and the options of the synchronisation daemon, whose values are only checked.
function checkDaemonSetting(name: string, value: Token): void {
  if (name === 'mcast-group') checkGroup(value);
  const limits: Readonly<Record<string, readonly [number, number]>> = {
    syncid: [0, 255],
    'mcast-port': [1, 65535],
    'mcast-ttl': [1, 255],
    // The longest UDP payload of IPv4.
    'sync-maxlen': [1, 65535 - 20 - 8],
  };
  const [minimum, maximum] = limits[name] ?? [];
  if (minimum !== undefined && maximum !== undefined) needNumber(value, minimum, maximum, `illegal ${name} specified`);
}

// Names are not looked up.
function checkGroup(value: Token): void {
  const family = value.text.includes(':') ? 6 : 4;
  const address = parseAddress(value.text);
  if (address?.family === family && isMulticast(address)) return;
  const remedy = family === 4 ? 'such as 224.0.0.81' : 'such as ff02::51';
  throw new CommandFault(`invalid IPv${family} mcast-group \`${value.text}'`, value, remedy);
}
