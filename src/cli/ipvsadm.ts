// SPDX-License-Identifier: Apache-2.0
// `sluice ipvsadm`: ipvsadm's own words, output and exit status, on a running Sluice.
import { readFileSync } from 'node:fs';
import { defaultSocket } from '../control/api.ts';
import { ApiClient } from '../core/api/client.ts';
import { ipvsadmRoute } from '../director/api.ts';
import { type Command, type ExitStatus, print } from './command.ts';
import { author } from './terms.ts';

const standardInput = 0;

const usage = `Usage: sluice ipvsadm [COMMAND [OPTION…]]

Does what ipvsadm(8) does with the same words, with the services of a running Sluice: -A, -E, -D, -C, -R, -S, -a, -e, -d, -L, -Z,
--set. What a command changes is in force when it returns, and an entry of the history (sluice history).

The running Sluice is found by its socket: the variable SLUICE_SOCKET, or ${defaultSocket}.
`;

export const ipvsadmCommand: Command = {
  usage,
  async run(args) {
    const client = new ApiClient(process.env.SLUICE_SOCKET ?? defaultSocket);
    const restores = args[0] === '-R' || args[0] === '--restore';
    const input = restores ? { input: readFileSync(standardInput, 'utf8') } : {};
    const { stdout, stderr, status } = await client.call(ipvsadmRoute, { args: [...args], author: author(), ...input });
    print(stdout);
    process.stderr.write(stderr);
    return status as ExitStatus;
  },
};
