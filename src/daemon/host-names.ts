// SPDX-License-Identifier: Apache-2.0
// Names of hosts for lists that people read: by /etc/hosts and DNS of this machine.
import { lookupService } from 'node:dns/promises';

/** A name server that does not answer must not hold up a list: addresses without a name by then are printed as numbers. */
const patienceMilliseconds = 2000;
/** A look-up may hold a thread of Node's pool for seconds, and writing the history needs one, too. */
const atOnce = 2;

/** The names that are known in time. */
export async function hostNames(addresses: readonly string[]): Promise<(address: string) => string | undefined> {
  const names = new Map<string, string>();
  const waiting = [...addresses];
  let isOver = false;
  const work = async (): Promise<void> => {
    for (let address = waiting.pop(); address !== undefined && !isOver; address = waiting.pop()) {
      const found = await lookupService(address, 0).catch(() => undefined);
      if (found !== undefined && found.hostname !== address) names.set(address, found.hostname);
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>(resolve => {
    timer = setTimeout(resolve, patienceMilliseconds);
  });
  await Promise.race([Promise.all(Array.from({ length: atOnce }, work)), late]);
  clearTimeout(timer);
  isOver = true;
  return address => names.get(address);
}
