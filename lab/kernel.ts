// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Whether the kernel speaks SCTP, by itself or after loading its module. */
export function hasSctp(): boolean {
  if (isListed()) return true;
  spawnSync('modprobe', ['sctp']);
  return isListed();
}

function isListed(): boolean {
  return /^SCTP\b/m.test(readFileSync('/proc/net/protocols', 'utf8'));
}
