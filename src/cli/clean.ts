// SPDX-License-Identifier: Apache-2.0
// `sluice clean`: removes the rules that a killed `sluice run` has left on the host.
import { cleanHost } from '../director/live-director.ts';
import { type Command, parseOptions } from './command.ts';

const usage = `Usage: sluice clean

Removes the rules by which a killed \`sluice run\` kept packets from the host's stack. This is not needed when
\`sluice run\` ended by SIGINT or SIGTERM, nor before the next \`sluice run\`. Do not use it while \`sluice run\` runs: the
host's stack would answer packets of services.
`;

export const cleanCommand: Command = {
  usage,
  run: async args => {
    parseOptions(args, {});
    cleanHost();
    return 0;
  },
};
