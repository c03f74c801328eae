// SPDX-License-Identifier: Apache-2.0
// Makes the Debian package, or tries it.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot, startScript } from '../tools/command.ts';
import { finish } from '../tools/results.ts';
import { makePackage } from './debian-package.ts';
import { tryPackage } from './package-trial.ts';

const usage = `
Usage: npm run package [-- [--out FOLDER] [--version VERSION] [--fast] | --try]

Builds Sluice and makes the Debian package sluice_VERSION_ARCHITECTURE.deb of it, with Node inside: this one, ${process.version}.

  --out FOLDER        where the package goes; out/package unless given
  --version VERSION   the version of the package; that of package.json unless given
  --fast              compresses little: for tests
  --try               installs, starts, upgrades and removes it instead, on a Debian with systemd in a machine of its own;
                      needs root and takes some ten minutes
`;

async function main(args: string[]): Promise<void> {
  const options = {
    out: { type: 'string', default: join(projectRoot, 'out/package') },
    version: { type: 'string' },
    fast: { type: 'boolean', default: false },
    try: { type: 'boolean', default: false },
  } as const;
  const { out, version, fast, try: isTrial } = parseArgs({ args, options }).values;
  if (!isTrial) {
    console.log(await makePackage({ out, version, fast }));
    return;
  }
  finish('package', await tryPackage());
}

await startScript(import.meta.url, usage, main);
