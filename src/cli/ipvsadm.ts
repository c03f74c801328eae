// SPDX-License-Identifier: Apache-2.0
// `sluice ipvsadm`: runs sluice-ipvsadm (native/client/ipvsadm.cc), which asks a running Sluice.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { SystemError } from '../core/errors.ts';
import { packageRoot } from '../core/package-root.ts';
import { rebuild } from '../native/addon.ts';
import type { Command, ExitStatus } from './command.ts';

const client = join(packageRoot, 'build/Release/sluice-ipvsadm');

const usage = `Usage: sluice ipvsadm [COMMAND [OPTION…]]

Does what ipvsadm(8) does with the same words, with the services of a running Sluice. -h prints ipvsadm's own usage.
`;

export const ipvsadmCommand: Command = {
  usage,
  answersHelp: true,
  async run(args) {
    const { status, error } = spawnSync(client, args, { stdio: 'inherit' });
    if (error !== undefined)
      throw SystemError.from(error, 'cannot run sluice-ipvsadm', { value: client, remedy: rebuild });
    return (status ?? 1) as ExitStatus;
  },
};
