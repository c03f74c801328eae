// SPDX-License-Identifier: Apache-2.0
// The network of the documents whose commands run in tests: a client, a balancer, and two servers of HTTP.
//
//   client 10.1.0.2 ── eth0 10.1.0.1 balancer eth1 10.2.0.1 ── lan ── r1 10.2.0.11, r2 10.2.0.12: HTTP on 8080
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Host } from '../../lab/topology/host.ts';
import type { Program } from '../../lab/topology/program.ts';
import { Topology } from '../../lab/topology/topology.ts';
import { sluiceCommand } from '../process/sluice-command.ts';
import { patternOf, type Step } from './console-steps.ts';
import { projectRoot } from './documents.ts';

/** For a command, and for a question to get the answer that a document shows. */
export const patience = 30_000;

const addresses = { r1: '10.2.0.11', r2: '10.2.0.12' } as const;
export type ServerName = keyof typeof addresses;

const serverProgram = (address: string): string =>
  `require('node:http').createServer((_, answer) => answer.end('served by ${address}\\n')).listen(8080)`;
const server = (address: string) => ({
  interfaces: { eth0: [`${address}/24`] },
  routes: [{ to: 'default', via: '10.2.0.1' }],
});
const description = {
  hosts: {
    client: { interfaces: { eth0: ['10.1.0.2/24'] }, routes: [{ to: 'default', via: '10.1.0.1' }] },
    balancer: { interfaces: { eth0: ['10.1.0.1/24'], eth1: ['10.2.0.1/24'] }, forwards: true },
    r1: server(addresses.r1),
    r2: server(addresses.r2),
  },
  switches: ['lan'],
  links: [
    { between: ['client:eth0', 'balancer:eth0'] },
    { between: ['balancer:eth1', 'lan'] },
    { between: ['r1:eth0', 'lan'] },
    { between: ['r2:eth0', 'lan'] },
  ],
} as const;

/** These only ask: they are asked again until their answer is that of the document, since checks take their time. */
const questions = /^(curl|sluice (health|status|explain|events|history)|ipvsadm -L)/;

export class DocumentedNetwork {
  readonly #topology: Topology;
  readonly #servers = new Map<ServerName, Program>();
  readonly #environment: string;

  private constructor(topology: Topology) {
    this.#topology = topology;
    const programs = join(this.folder, 'bin');
    mkdirSync(programs);
    const socket = join(this.folder, 'sluice.sock');
    // Commands that ask a running Sluice get its socket, so that the document needs none.
    writeFileSync(
      join(programs, 'sluice'),
      `#!/bin/sh\ncase $1 in check|import) ;; *) set -- "$@" --socket ${socket} ;; esac\nexec ${sluiceCommand.join(' ')} "$@"\n`,
      { mode: 0o755 },
    );
    symlinkSync(join(projectRoot, 'build/Release/sluice-ipvsadm'), join(programs, 'ipvsadm'));
    this.#environment = `cd ${this.folder} && export PATH=${programs}:$PATH SLUICE_SOCKET=${socket}`;
  }

  static async up(): Promise<DocumentedNetwork> {
    const topology = await Topology.up(description);
    const network = new DocumentedNetwork(topology);
    await network.startServer('r1');
    await network.startServer('r2');
    return network;
  }

  async down(): Promise<void> {
    await this.#topology.down();
  }

  /** Where the commands of the balancer run. */
  get folder(): string {
    return this.host('balancer').folder;
  }

  host(name: keyof typeof description.hosts): Host {
    return this.#topology.host(name);
  }

  async startServer(name: ServerName): Promise<void> {
    const program = this.host(name).start('http', [process.execPath, '-e', serverProgram(addresses[name])]);
    this.#servers.set(name, program);
    await program.ready({ listens: 'tcp:8080' });
  }

  async stopServer(name: ServerName): Promise<void> {
    await this.#servers.get(name)?.stop();
  }

  /** Runs a command, and fails unless it prints what the document shows. */
  async run({ host, command, printed }: Step): Promise<void> {
    const at = this.host(host);
    const inShell = `${this.#environment} && ${command.replace(/ &$/, '')}`;
    if (command.endsWith(' &')) {
      await at.start('shell', ['bash', '-c', inShell]).ready({ prints: '"msg":"ready"' });
      return;
    }
    const pattern = patternOf(printed);
    const deadline = Date.now() + patience;
    let output = '';
    do {
      const { stdout, stderr } = await at.run(['bash', '-c', inShell]);
      output = `${stdout}${stderr}`;
      if (pattern.test(output)) return;
    } while (questions.test(command) && Date.now() < deadline);
    expect(output).toMatch(pattern);
  }
}
