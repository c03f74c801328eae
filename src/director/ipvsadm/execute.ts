// SPDX-License-Identifier: Apache-2.0
// Does what ipvsadm 1.31 does with its arguments, and gives what it prints and its exit status. The commands of one call
// change a table; whoever calls brings the table's model into force at the end, so a restored file is one change.
import type { Address } from '../../core/address.ts';
import { type DirectorModel, type Service, serviceKey } from '../model.ts';
import { type Command, commandOf, parseCommand } from './grammar.ts';
import { type ConnectionRow, formatConnections, formatServices, formatTimeouts, type ServiceView } from './listing.ts';
import { formatRules } from './save.ts';
import { invalidOperation, ServiceTable } from './table.ts';
import { CommandFault, splitLine, type Token } from './tokens.ts';
import { usageText, versionLine } from './usage.ts';
import { type InputNames, type Names, type NamesOfHosts, namesOfPorts, systemPortNames } from './values.ts';

/** What a call of ipvsadm works on. */
export interface Kernel {
  readonly model: DirectorModel;
  /** Services of the model with their counts: all, or one. */
  views(services: readonly Service[]): Promise<readonly ServiceView[]>;
  connections(): Promise<readonly ConnectionRow[]>;
  /** Looks up the names of hosts with these addresses. */
  hostNames(addresses: readonly string[]): Promise<NamesOfHosts>;
  /** Looks up the IPv4 address of a host. */
  hostAddress(name: string): Promise<string | undefined>;
  /** Whether an interface of this host has the address as its broadcast address. */
  readonly isBroadcast?: (address: Address) => boolean;
  /** Begins to count anew: all services, or one. */
  zero(service: Extract<Command, { kind: 'zero' }>['identity']): Promise<void>;
}

export interface Reply {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
  /** What is to be in force; the model before where nothing changes. */
  readonly model: DirectorModel;
}

/** Whether the words only ask: they change nothing, whatever is wrong with them. */
export function onlyAsks(args: readonly string[]): boolean {
  const command = commandOf(args);
  return args.length === 0 || command === 'list' || command === 'save';
}

const failed = 255;
const misplacedFamily = '-6 used before -f';
const tryHelp = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n";

/** `input`: what -R reads. */
export async function executeIpvsadm(args: readonly string[], input: string, kernel: Kernel): Promise<Reply> {
  const call = new Call(kernel);
  const status = await call.run(args.length === 0 ? ['-L'] : args, input);
  return { ...call.printed, status, model: call.model };
}

class Call {
  readonly #kernel: Kernel;
  readonly #names: InputNames;
  /** The names of hosts that were looked up. */
  readonly #hosts = new Map<string, string | undefined>();
  /** Names that the last words have, and that are not looked up yet. */
  readonly #unknownHosts = new Set<string>();
  #table: ServiceTable;
  #stdout = '';
  #stderr = '';
  /** A mistake or a word that ends a restored file. */
  #isOver = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#table = new ServiceTable(kernel.model, kernel.isBroadcast);
    const host = (name: string): string | undefined => {
      if (!this.#hosts.has(name)) this.#unknownHosts.add(name);
      return this.#hosts.get(name);
    };
    this.#names = { port: systemPortNames(), host };
  }

  get printed(): { readonly stdout: string; readonly stderr: string } {
    return { stdout: this.#stdout, stderr: this.#stderr };
  }

  get model(): DirectorModel {
    return this.#table.model();
  }

  async run(args: readonly string[], input: string): Promise<number> {
    const command = await this.#parse(args.map((text, index) => ({ text, column: index + 1 })));
    if (typeof command === 'number') return command;
    return command.kind === 'restore' ? await this.#restore(input) : await this.#carryOut(command);
  }

  /** The status where the words are no command. */
  async #parse(tokens: readonly Token[]): Promise<Command | number> {
    let read = this.#attempt(tokens);
    while (this.#unknownHosts.size > 0) {
      const names = [...this.#unknownHosts];
      this.#unknownHosts.clear();
      for (const name of names) this.#hosts.set(name, await this.#kernel.hostAddress(name));
      read = this.#attempt(tokens);
    }
    return read instanceof CommandFault ? this.#complain(read) : read;
  }

  #attempt(tokens: readonly Token[]): Command | CommandFault {
    try {
      return parseCommand(tokens, this.#names);
    } catch (fault) {
      if (fault instanceof CommandFault) return fault;
      throw fault;
    }
  }

  #complain(fault: CommandFault): number {
    if (fault.kind === 'kernel') return this.#refuse(this.#kernelSays(fault));
    this.#isOver = fault.kind === 'check' || fault.kind === 'command';
    this.#stderr += fault.kind === 'command' ? tryHelp : `${fault.message}\n`;
    // One of its own messages ends with a line of its own.
    if (fault.message === misplacedFamily) this.#stderr += '\n';
    return fault.kind === 'check' ? 2 : failed;
  }

  #kernelSays({ message, command }: CommandFault): string {
    if (command === undefined) return message;
    const isThere = this.#table.has(command.identity);
    if (command.kind === 'add-service') return isThere ? 'Service already exists' : message;
    return isThere ? message : 'No such service';
  }

  // A line that the kernel refuses, or whose options are unknown, is passed over. The last line decides on the status.
  async #restore(input: string): Promise<number> {
    let status = 0;
    for (const line of input.split('\n')) {
      const words = splitLine(line).filter(({ text }) => text !== 'ipvsadm');
      if (words.length === 0) continue;
      const command = await this.#parse(words);
      status = typeof command === 'number' ? command : await this.#carryOut(command);
      if (this.#isOver) break;
    }
    return status;
  }

  async #carryOut(command: Command): Promise<number> {
    switch (command.kind) {
      case 'list':
        return await this.#list(command);
      case 'save':
        this.#stdout += await this.#rules(command.numeric);
        return 0;
      case 'start-daemon':
        return this.#refuse(this.#table.hasMixedFamilies ? invalidOperation : 'No such device');
      case 'stop-daemon':
        return this.#refuse('No daemon is running');
      case 'version':
        this.#stdout += versionLine();
        this.#isOver = true;
        return 0;
      case 'help':
        this.#stdout += usageText();
        this.#isOver = true;
        return 0;
      case 'restore':
        // In a restored file.
        this.#stderr += tryHelp;
        this.#isOver = true;
        return failed;
      default: {
        const refusal = this.#table.apply(command);
        if (refusal !== undefined) return this.#refuse(refusal.inIpvsadm ?? refusal.problem);
        if (command.kind === 'zero') await this.#kernel.zero(command.identity);
        return 0;
      }
    }
  }

  #refuse(problem: string): number {
    this.#stderr += `${problem}\n`;
    return failed;
  }

  async #rules(isNumeric: boolean): Promise<string> {
    const model = this.#table.model();
    const names = isNumeric ? undefined : await this.#namesFor(addressesOf(model.services));
    return formatRules(model, { names }).text;
  }

  async #namesFor(addresses: Iterable<string>): Promise<Names> {
    return { port: namesOfPorts(), host: await this.#kernel.hostNames([...new Set(addresses)]) };
  }

  async #list(command: Extract<Command, { kind: 'list' }>): Promise<number> {
    const { what, identity, format, exact, sorted, numeric } = command;
    const model = this.#table.model();
    if (what === 'timeouts') {
      const { tcp, udp } = model.timeouts;
      this.#stdout += formatTimeouts(tcp.established, tcp.fin_wait, udp.normal);
      return 0;
    }
    // No daemon runs.
    if (what === 'daemons') return 0;
    if (what === 'connections') {
      const rows = await this.#kernel.connections();
      const ends = rows.flatMap(({ client, virtual, server }) => [client.address, virtual.address, server.address]);
      const names = numeric ? undefined : await this.#namesFor(ends);
      this.#stdout += formatConnections(rows, { names, withEngine: command.persistent });
      return 0;
    }
    const key = identity === undefined ? undefined : serviceKey(identity);
    const listed = key === undefined ? model.services : model.services.filter(one => serviceKey(one.identity) === key);
    if (key !== undefined && listed.length === 0) {
      this.#stderr += 'No such service\n';
      this.#isOver = true;
      return 1;
    }
    const names = numeric ? undefined : await this.#namesFor(addressesOf(listed));
    const views = await this.#kernel.views(listed);
    this.#stdout += formatServices(views, { format, exact, sorted, names, single: key !== undefined });
    return 0;
  }
}

function addressesOf(services: readonly Service[]): string[] {
  return services.flatMap(({ identity, servers }) => [
    ...('mark' in identity ? [] : [identity.address]),
    ...servers.map(({ address }) => address),
  ]);
}
