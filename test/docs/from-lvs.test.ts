// SPDX-License-Identifier: Apache-2.0
// Runs docs/from-lvs.md from its first command to its last, in a network as it describes, and compares what the commands
// print with what the document shows.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Host } from '../../lab/topology/host.ts';
import type { Program } from '../../lab/topology/program.ts';
import { Topology } from '../../lab/topology/topology.ts';
import { describeAsRoot } from '../privileges.ts';
import { sluiceCommand } from '../process/sluice-command.ts';
import { documents, projectRoot } from './documents.ts';

const patience = 30_000;
vi.setConfig({ testTimeout: 2 * patience, hookTimeout: 2 * patience });

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
    r1: server('10.2.0.11'),
    r2: server('10.2.0.12'),
  },
  switches: ['lan'],
  links: [
    { between: ['client:eth0', 'balancer:eth0'] },
    { between: ['balancer:eth1', 'lan'] },
    { between: ['r1:eth0', 'lan'] },
    { between: ['r2:eth0', 'lan'] },
  ],
} as const;

interface Step {
  readonly where: string;
  readonly host: 'balancer' | 'client';
  readonly command: string;
  /** Lines; … stands for any text, and a line of … alone for any lines. */
  readonly printed: readonly string[];
}

const document = documents().find(({ path }) => path === 'docs/from-lvs.md');

function stepsIn(lines: readonly { where: string; text: string }[]): Step[] {
  const steps: { where: string; host: Step['host']; command: string; printed: string[]; end: string | undefined }[] =
    [];
  for (const { where, text } of lines) {
    const [, host, command = ''] = /^(balancer|client)[#$] (.*)$/.exec(text) ?? [];
    const last = steps.at(-1);
    if (host === 'balancer' || host === 'client') {
      steps.push({ where, host, command, printed: [], end: /<<'(\w+)'$/.exec(command)?.[1] });
    } else if (last?.end !== undefined) {
      last.command += `\n${text}`;
      if (text === last.end) last.end = undefined;
    } else last?.printed.push(text);
  }
  return steps;
}

const steps = (document?.blocks ?? [])
  .filter(({ language }) => language === 'console')
  .flatMap(({ lines }) => stepsIn(lines));

function patternOf(printed: readonly string[]): RegExp {
  const lines = printed.map(line => {
    if (line === '…') return '(?:.*\\n)*';
    return `${line.split('…').map(escapeText).join('.*')}\\n`;
  });
  return new RegExp(`^${lines.join('')}$`);
}

function escapeText(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

describeAsRoot('docs/from-lvs.md', () => {
  let topology: Topology;
  const hosts = new Map<string, Host>();
  const servers = new Map<string, Program>();
  let environment = '';

  const startServer = async (name: 'r1' | 'r2', address: string): Promise<void> => {
    const program = topology.host(name).start('http', [process.execPath, '-e', serverProgram(address)]);
    servers.set(name, program);
    await program.ready({ listens: 'tcp:8080' });
  };

  beforeAll(async () => {
    topology = await Topology.up(description);
    for (const name of ['client', 'balancer']) hosts.set(name, topology.host(name));
    await startServer('r1', '10.2.0.11');
    await startServer('r2', '10.2.0.12');
    const folder = topology.host('balancer').folder;
    const programs = join(folder, 'bin');
    mkdirSync(programs);
    const socket = join(folder, 'sluice.sock');
    // Commands that ask a running Sluice get its socket, so that the document needs none.
    writeFileSync(
      join(programs, 'sluice'),
      `#!/bin/sh\ncase $1 in check|import) ;; *) set -- "$@" --socket ${socket} ;; esac\nexec ${sluiceCommand.join(' ')} "$@"\n`,
      { mode: 0o755 },
    );
    symlinkSync(join(projectRoot, 'build/Release/sluice-ipvsadm'), join(programs, 'ipvsadm'));
    environment = `cd ${folder} && export PATH=${programs}:$PATH SLUICE_SOCKET=${socket}`;
    const conf = document?.blocks.find(({ language }) => language === 'conf')?.lines.map(({ text }) => text);
    writeFileSync(join(folder, 'keepalived.conf'), `${conf?.join('\n')}\n`);
  });
  afterAll(() => topology?.down());

  /** What happens between the commands, as the document says in words. */
  const before: Readonly<Record<string, () => Promise<void>>> = {
    'sluice health --down': async () => servers.get('r1')?.stop(),
    'sluice explain server 10.2.0.11 again': () => startServer('r1', '10.2.0.11'),
  };

  it('has commands', () => {
    expect(steps.length).toBeGreaterThan(15);
  });

  const seen = new Set<string>();
  it.each(steps)('$where: $command', async ({ host, command, printed }) => {
    const name = seen.has(command) ? `${command} again` : command;
    seen.add(command);
    await before[name]?.();
    const at = hosts.get(host);
    const inShell = `${environment} && ${command.replace(/ &$/, '')}`;
    if (command.endsWith(' &')) {
      await at?.start('shell', ['bash', '-c', inShell]).ready({ prints: '"msg":"ready"' });
      return;
    }
    // A question is asked again until its answer is that of the document: checks take their time.
    const isQuestion = /^(curl|sluice (health|status|explain)|ipvsadm -L)/.test(command);
    const pattern = patternOf(printed);
    const deadline = Date.now() + patience;
    let output = '';
    do {
      const ending = await at?.run(['bash', '-c', inShell]);
      output = `${ending?.stdout}${ending?.stderr}`;
      if (pattern.test(output)) return;
    } while (isQuestion && Date.now() < deadline);
    expect(output).toMatch(pattern);
  });
});
