// SPDX-License-Identifier: Apache-2.0
// Runs the host's programs that make and run virtual machines.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export class MachineError extends Error {
  readonly code = 'MACHINE_FAILED';
}

/** The Debian package of each program. */
const packageOf: Record<string, string> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  virtiofsd: 'qemu-system-common',
  busybox: 'busybox-static',
  ipvsadm: 'ipvsadm',
  nft: 'nftables',
  ip: 'iproute2',
  modprobe: 'kmod',
  depmod: 'kmod',
  cpio: 'cpio',
  gcc: 'gcc',
  dpkg: 'dpkg',
};

const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/lib/qemu', '/usr/libexec'];

/** The path of a program. Throws a MachineError with the package to install when the program is missing. */
export function systemProgram(name: string): string {
  const found = folders.find(folder => folder && existsSync(join(folder, name)));
  if (!found) throw new MachineError(`${name} is missing; install it with: apt-get install ${packageOf[name] ?? name}`);
  return join(found, name);
}

/** Runs a program and returns what it prints. */
export function execute(
  name: string,
  args: readonly string[],
  options: { cwd?: string; input?: Uint8Array } = {},
): Buffer {
  try {
    return execFileSync(systemProgram(name), args, { ...options, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (error) {
    if (error instanceof MachineError) throw error;
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new MachineError(`${name} ${args.join(' ')} failed: ${said}`);
  }
}
