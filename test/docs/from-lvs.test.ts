// SPDX-License-Identifier: Apache-2.0
// Runs docs/from-lvs.md from its first command to its last, in a network as it describes, and compares what the commands
// print with what the document shows.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { describeAsRoot } from '../privileges.ts';
import { stepsOf } from './console-steps.ts';
import { DocumentedNetwork, patience } from './documented-network.ts';
import { documents } from './documents.ts';

vi.setConfig({ testTimeout: 2 * patience, hookTimeout: 2 * patience });

const path = 'docs/from-lvs.md';
const steps = stepsOf(path);

describeAsRoot(path, () => {
  let network: DocumentedNetwork;

  beforeAll(async () => {
    network = await DocumentedNetwork.up();
    const blocks = documents().find(document => document.path === path)?.blocks;
    const conf = blocks?.find(({ language }) => language === 'conf')?.lines.map(({ text }) => text);
    writeFileSync(join(network.folder, 'keepalived.conf'), `${conf?.join('\n')}\n`);
  });
  afterAll(() => network?.down());

  /** What happens between the commands, as the document says in words. */
  const before: Readonly<Record<string, () => Promise<void>>> = {
    'sluice health --down': () => network.stopServer('r1'),
    'sluice explain server 10.2.0.11 again': () => network.startServer('r1'),
  };

  it('has commands', () => {
    expect(steps.length).toBeGreaterThan(15);
  });

  const seen = new Set<string>();
  it.each(steps)('$where: $command', async step => {
    const name = seen.has(step.command) ? `${step.command} again` : step.command;
    seen.add(step.command);
    await before[name]?.();
    await network.run(step);
  });
});
