// SPDX-License-Identifier: Apache-2.0
// `sluice connections`: the table of connections of the running process.

import { formatConnections } from '../director/ipvsadm/listing.ts';
import type { Connection } from '../director/live-director.ts';
import { askAndPrint, commonUsage } from './admin-client.ts';
import type { Command } from './command.ts';

const usage = `Usage: sluice connections [OPTION…]

Prints the connections of the running process as \`ipvsadm -Lnc\` does.

${commonUsage}
`;

export const connectionsCommand: Command = {
  usage,
  run: args => askAndPrint<Connection[]>(args, { path: '/connections', text: formatConnections }),
};
