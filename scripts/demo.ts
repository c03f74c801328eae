// SPDX-License-Identifier: Apache-2.0
// Shows what works today: live traffic between namespaces for root, and captures through the director for everybody.
import { parseArgs } from 'node:util';
import { build } from '../tools/build.ts';
import { isRoot, startScript } from '../tools/command.ts';
import { setup } from '../tools/setup.ts';
import { showLive } from './demo/live.ts';
import { showReplay } from './demo/replay.ts';

const usage = `
Usage: npm run demo [-- --replay]

As root: makes a client, a balancer and three real servers in network namespaces, runs \`sluice run\` with services of modes
NAT, FULLNAT, DR and tunnel, has one of the servers fail and come back, and shows connections and rates until Ctrl-C, which
removes everything. Without a terminal it ends by itself. What a killed demo has left, the next start removes.

As an ordinary user, or with --replay: passes the captures of examples/demo through the director and prints the verdict on
each packet, the table of connections, and the explanation of one packet. The sent packets are written to out/demo.

Builds first what is not up to date.
`;

await startScript(import.meta.url, usage, async args => {
  const { values } = parseArgs({ args, options: { replay: { type: 'boolean', default: false } } });
  const isLive = isRoot && !values.replay;
  setup([isLive ? 'lab' : 'build']);
  build();
  await (isLive ? showLive() : showReplay());
  if (!isRoot) console.log('\nAs root the demo shows live traffic in all modes: sudo npm run demo');
});
