// SPDX-License-Identifier: Apache-2.0
// Tries the Debian package on a Debian with systemd, in a machine of its own: packaging/trial.sh installs, starts, upgrades
// and removes it there.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFolder } from '../lab/guest/debian-package.ts';
import { MachineError } from '../lab/guest/system-program.ts';
import { removeOnSignals } from '../lab/topology/signals.ts';
import { UserModeMachine } from '../lab/user-mode/user-mode-machine.ts';
import { heading, mustRun, projectRoot } from '../tools/command.ts';
import type { Count } from '../tools/results.ts';
import { setup } from '../tools/setup.ts';
import { makePackage } from './debian-package.ts';

const release = 'bookworm';
/** What the trial needs besides a small Debian. */
const inside = ['systemd', 'systemd-sysv', 'iproute2', 'busybox-static', 'curl', 'kmod', 'nftables'];
const timeoutSeconds = 1800;

/** A Debian with these packages, which later runs use again. */
function debian(): string {
  const root = join(packageFolder, `debian-${release}`);
  const record = `${root}.packages`;
  const packages = inside.join(',');
  if (existsSync(record) && readFileSync(record, 'utf8') === packages) return root;
  rmSync(root, { recursive: true, force: true });
  mustRun('mmdebstrap', ['--quiet', '--variant=minbase', `--include=${packages}`, release, root]);
  writeFileSync(record, packages);
  return root;
}

export async function tryPackage(): Promise<Count> {
  setup(['package', 'oracle', 'trial']);
  removeOnSignals();
  const out = mkdtempSync(join(tmpdir(), 'sluice-trial-'));
  try {
    const files = {
      'old.deb': await makePackage({ out, fast: true }),
      'new.deb': await makePackage({ out, fast: true, version: '999.0.0' }),
    };
    const root = debian();
    heading('the package on a Debian with systemd');
    const script = readFileSync(join(projectRoot, 'packaging/trial.sh'), 'utf8');
    const options = { root, boot: 'systemd', memory: '3G', files } as const;
    const { output, errors, status } = await new UserModeMachine().run(script, timeoutSeconds, options);
    process.stdout.write(output);
    const [passed = 0, failed = 0] = [/^ok /gm, /^not ok /gm].map(kind => [...output.matchAll(kind)].length);
    const steps = [...script.matchAll(/^step /gm)].length;
    if (status !== 0 || passed + failed !== steps) {
      throw new MachineError(
        `the trial ended early, with ${status}, after ${passed + failed} of ${steps} steps: ${errors}`,
      );
    }
    if (failed > 0) process.stdout.write(`the journal of the service:\n${errors}`);
    return { passed, failed, skipped: 0 };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}
