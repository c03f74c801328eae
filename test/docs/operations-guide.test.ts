// SPDX-License-Identifier: Apache-2.0
// Runs docs/operations-guide.md from its first command to its last: the test breaks what the document says is broken, and
// compares what the commands print with what the document shows.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { describeAsRoot } from '../privileges.ts';
import { stepsOf } from './console-steps.ts';
import { DocumentedNetwork, patience } from './documented-network.ts';

vi.setConfig({ testTimeout: 2 * patience, hookTimeout: 2 * patience });

const path = 'docs/operations-guide.md';
const steps = stepsOf(path);

describeAsRoot(path, () => {
  let network: DocumentedNetwork;
  beforeAll(async () => {
    network = await DocumentedNetwork.up();
  });
  afterAll(() => network?.down());

  const both = (does: (name: 'r1' | 'r2') => Promise<void>) => Promise.all([does('r1'), does('r2')]);
  const on = (name: 'balancer' | 'r1' | 'r2', ...commands: string[]) =>
    network.host(name).must(['sh', '-ec', commands.join('\n')]);

  /** What happens before a command, as the document says in words; by the command, and how often it was there before. */
  const before: Readonly<Record<string, () => Promise<unknown>>> = {
    'sluice status 1': () => network.stopServer('r1'),
    'sluice status 2': () => network.startServer('r1'),
    'sluice status 3': () => both(name => network.stopServer(name)),
    'sluice status 4': () => both(name => network.startServer(name)),
    'sluice doctor --state state 0': () => on('r1', 'ip address add 192.0.2.20/32 dev lo'),
    'sluice doctor --state state 1': () =>
      on('r1', 'sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2'),
    'sluice explain server 10.2.0.12 0': async () => {
      await on('r2', 'ip link set eth0 down');
      await on('balancer', 'ip neigh flush to 10.2.0.12');
    },
    'sluice status 8': () => on('r2', 'ip link set eth0 up', 'ip route replace default via 10.2.0.1'),
  };

  it('has commands', () => {
    expect(steps.length).toBeGreaterThan(25);
  });

  const seen = new Map<string, number>();
  it.each(steps)('$where: $command', async step => {
    const times = seen.get(step.command) ?? 0;
    seen.set(step.command, times + 1);
    await before[`${step.command} ${times}`]?.();
    await network.run(step);
  });
});
