// SPDX-License-Identifier: Apache-2.0
// `sluice clean`: removes what a killed process has left on the host.
import { cleanHost } from '../director/live-director.ts';
import { type Command, parseOptions } from './command.ts';

const usage = `Usage: sluice clean

Removes the rules by which a killed \`sluice run\` kept packets from the host's stack. Not needed after one that ended by
a signal, nor before the next \`sluice run\`. Do not use it while one runs: the host would answer in its place.
`;

export const cleanCommand: Command = {
  usage,
  run: async args => {
    parseOptions(args, {});
    cleanHost();
    return 0;
  },
};
