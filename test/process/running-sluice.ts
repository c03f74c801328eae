// SPDX-License-Identifier: Apache-2.0
// A running Sluice with a client and a server, and its commands, run as a person runs them.
//
//   client 10.1.0.2 ── eth0 balancer eth1 ── server 10.2.0.2, HTTP on 8080
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../lab/topology/host.ts';
import type { Program } from '../../lab/topology/program.ts';
import { Topology } from '../../lab/topology/topology.ts';
import type { Status } from '../../src/cli/status.ts';
import { sluiceCommand as sluice } from './sluice-command.ts';

export const virtual = '192.0.2.10';
const greeting = 'hello';
const server = `require('node:http').createServer((_, answer) => answer.end('${greeting}')).listen(8080)`;

const description = {
  hosts: {
    client: { interfaces: { eth0: ['10.1.0.2/24'] }, routes: [{ to: 'default', via: '10.1.0.1' }] },
    balancer: { interfaces: { eth0: ['10.1.0.1/24'], eth1: ['10.2.0.1/24'] }, forwards: true },
    server: {
      interfaces: { eth0: ['10.2.0.2/24'] },
      routes: [{ to: 'default', via: '10.2.0.1' }],
      services: [{ name: 'http', command: [process.execPath, '-e', server], ready: { listens: 'tcp:8080' } }],
    },
  },
  links: [{ between: ['client:eth0', 'balancer:eth0'] }, { between: ['balancer:eth1', 'server:eth0'] }],
} as const;

const rules = `-A -t ${virtual}:80 -s rr\n-a -t ${virtual}:80 -r 10.2.0.2:8080 -m\n`;

type Source = '--rules' | '--config';

export class RunningSluice {
  readonly client: Host;
  readonly balancer: Host;
  readonly server: Host;
  program: Program;
  readonly #topology: Topology;
  /** The admin socket. */
  readonly socket: string;
  readonly #file: string;

  private constructor(
    topology: Topology,
    source: Source | undefined,
    text: string,
    options: readonly string[],
    under: readonly string[],
  ) {
    this.#topology = topology;
    [this.client, this.balancer] = [topology.host('client'), topology.host('balancer')];
    this.server = topology.host('server');
    this.socket = join(this.balancer.folder, 'sluice.sock');
    this.#file = join(this.balancer.folder, 'configuration');
    this.configure(text);
    this.program = this.#run(under, ...(source === undefined ? [] : [source, this.#file]), ...options);
  }

  /** Starts it with additional options of `sluice run`. */
  static start(...options: readonly string[]): Promise<RunningSluice> {
    return RunningSluice.#start('--rules', rules, options);
  }

  /** Starts it with these rules. */
  static startWith(rulesText: string, ...options: readonly string[]): Promise<RunningSluice> {
    return RunningSluice.#start('--rules', rulesText, options);
  }

  /** Starts it with this sluice.yaml. */
  static startBy(document: string, ...options: readonly string[]): Promise<RunningSluice> {
    return RunningSluice.#start('--config', document, options);
  }

  /** Starts it without a configuration. */
  static startEmpty(...options: readonly string[]): Promise<RunningSluice> {
    return RunningSluice.#start(undefined, '', options);
  }

  /** The same by a program that gets the command as its last words. */
  static startUnder(under: readonly string[], ...options: readonly string[]): Promise<RunningSluice> {
    return RunningSluice.#start(undefined, '', options, under);
  }

  static async #start(
    source: Source | undefined,
    text: string,
    options: readonly string[],
    under: readonly string[] = [],
  ): Promise<RunningSluice> {
    const topology = await Topology.up(description);
    try {
      const running = new RunningSluice(topology, source, text, options, under);
      await running.program.ready({ prints: '"msg":"ready"' });
      return running;
    } catch (error) {
      await topology.down();
      throw error;
    }
  }

  /** After the program has ended: starts it with these options. */
  async startAgain(...options: readonly string[]): Promise<void> {
    this.program = this.#run([], ...options);
    await this.program.ready({ prints: '"msg":"ready"' });
  }

  #run(under: readonly string[], ...options: readonly string[]): Program {
    const [program, ...words] = [...under, ...sluice, 'run', '--socket', this.socket, ...options];
    return this.balancer.start('sluice', [program ?? '', ...words]);
  }

  /** The number of a process. */
  async pid(name: string): Promise<number> {
    const { processes } = await this.ask<Status>('status');
    const pid = processes.find(each => each.name === name)?.pid;
    if (pid === undefined) throw new Error(`${name} has no process`);
    return pid;
  }

  /** Writes the configuration that the next SIGHUP applies. */
  configure(text: string): void {
    writeFileSync(this.#file, text);
  }

  /** Runs a command, with any exit status, and returns its output. */
  command(...words: string[]) {
    return this.balancer.run([...sluice, ...words, '--socket', this.socket]);
  }

  /** As startCommand(), with a terminal, whose keys are what is written to the program. */
  startOnTerminal(...words: string[]): Program {
    const command = [...sluice, ...words, '--socket', this.socket].join(' ');
    const onTerminal = ['script', '--quiet', '--flush', '--return', '--command', command, '/dev/null'] as const;
    return this.balancer.start('command', onTerminal, { open: true });
  }

  startCommand(...words: string[]): Program {
    return this.balancer.start('command', [...sluice, ...words, '--socket', this.socket]);
  }

  async ask<Answer>(...words: string[]): Promise<Answer> {
    return JSON.parse(await this.balancer.must([...sluice, ...words, '--json', '--socket', this.socket]));
  }

  /** Sends requests, each over a connection of its own. Fails unless all are answered. */
  async request(count = 1): Promise<void> {
    const urls = Array.from({ length: count }, () => `http://${virtual}/`);
    await this.client.must(['curl', '-sS', '--max-time', '5', '--header', 'Connection: close', ...urls]);
  }

  async stop(): Promise<void> {
    await this.#topology.down();
  }
}
