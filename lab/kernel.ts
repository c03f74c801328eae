// SPDX-License-Identifier: Apache-2.0
// Whether this host's kernel supports a protocol, after loading its module if necessary.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

export function hasSctp(): boolean {
  return hasAfterLoading('sctp', () => /^SCTP\b/m.test(readFileSync('/proc/net/protocols', 'utf8')));
}

export function hasIpvs(): boolean {
  return hasAfterLoading('ip_vs', () => existsSync('/proc/net/ip_vs'));
}

function hasAfterLoading(module: string, has: () => boolean): boolean {
  if (has()) return true;
  spawnSync('modprobe', [module]);
  return has();
}
