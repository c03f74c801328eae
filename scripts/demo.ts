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

As root: raises a client, a balancer and three real servers in network namespaces, lets \`sluice run\` forward by NAT, DR,
tunnel and FULLNAT between them, and shows its connections and rates until Ctrl-C, which removes everything. Without a
terminal it ends by itself.

As an ordinary user, or with --replay: sends the captures of examples/demo through the director and prints what happened to
each packet, the table of connections, and why one packet was forwarded as it was. What was sent is in out/demo.

Builds what is not up to date first.
`;

await startScript(import.meta.url, usage, async args => {
  const { values } = parseArgs({ args, options: { replay: { type: 'boolean', default: false } } });
  const isLive = isRoot && !values.replay;
  setup([isLive ? 'lab' : 'build']);
  build();
  await (isLive ? showLive() : showReplay());
  if (!isRoot) console.log('\nRoot sees more, live traffic in all modes: sudo npm run demo');
});
