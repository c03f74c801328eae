// SPDX-License-Identifier: Apache-2.0
// Words that findings of several planes share.

/** 1 server, 2 servers. */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

export const mendServers = 'mend the servers that are down: sluice health --down says why they are';
