// SPDX-License-Identifier: Apache-2.0
// The first sluice.yaml of the README is examples/minimal.yaml, and it does what the README says.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { Topology } from '../../lab/topology/topology.ts';
import { documentFormat } from '../../src/daemon/document.ts';
import { documents } from '../docs/documents.ts';
import { describeAsRoot } from '../privileges.ts';
import { sluiceCommand } from './sluice-command.ts';

const readme = documents().find(({ path }) => path === 'README.md');
const [first] = readme?.blocks.filter(({ language }) => language === 'yaml') ?? [];
const text = `${first?.lines.map(line => line.text).join('\n')}\n`;

it('is the smallest example', () => {
  expect(text).toBe(readFileSync(new URL('../../examples/minimal.yaml', import.meta.url), 'utf8'));
  expect(documentFormat.parse(text, 'README.md').director.services).toMatchObject([
    { identity: { protocol: 'tcp', address: '10.0.1.100', port: 80 }, scheduler: 'wlc', servers: [{}, {}] },
  ]);
});

const webServer = (name: string) => ({
  name: 'http',
  command: [
    process.execPath,
    '-e',
    `require('node:http').createServer((_, answer) => answer.end('${name}')).listen(8080)`,
  ] as const,
  ready: { listens: 'tcp:8080' as const },
});
const serverHost = (name: string, address: string) => ({
  interfaces: { eth0: [`${address}/24`] },
  routes: [{ to: 'default', via: '10.0.2.1' }],
  services: [webServer(name)],
});

// The virtual address belongs to no host: Sluice answers ARP for it.
const description = {
  hosts: {
    client: { interfaces: { eth0: ['10.0.1.2/24'] } },
    balancer: { interfaces: { eth0: ['10.0.1.1/24'], eth1: ['10.0.2.1/24'] } },
    s1: serverHost('one', '10.0.2.11'),
    s2: serverHost('two', '10.0.2.12'),
  },
  switches: ['lan'],
  links: [
    { between: ['client:eth0', 'balancer:eth0'] },
    { between: ['balancer:eth1', 'lan'] },
    { between: ['s1:eth0', 'lan'] },
    { between: ['s2:eth0', 'lan'] },
  ],
} as const;

let standing: Topology | undefined;

afterEach(async () => {
  await standing?.down();
  standing = undefined;
});

describeAsRoot('sluice run with this document', () => {
  it('answers for the virtual address and spreads connections over both servers', async () => {
    standing = await Topology.up(description);
    const [client, balancer] = [standing.host('client'), standing.host('balancer')];
    const file = join(balancer.folder, 'sluice.yaml');
    writeFileSync(file, text);
    const places = ['--socket', join(balancer.folder, 'sluice.sock'), '--state', balancer.folder] as const;
    const program = balancer.start('sluice', [...sluiceCommand, 'run', '-c', file, ...places]);
    await program.ready({ prints: '"msg":"ready"' });
    const answers: string[] = [];
    for (let request = 0; request < 4; request++) {
      answers.push(await client.must(['curl', '-sS', '--max-time', '10', 'http://10.0.1.100/']));
    }
    expect(new Set(answers)).toEqual(new Set(['one', 'two']));
  });
});
