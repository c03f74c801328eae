// SPDX-License-Identifier: Apache-2.0
// Names of hosts for lists that people read: by /etc/hosts and DNS of this machine.
import { lookupService } from 'node:dns/promises';

/** A name server that does not answer must not hold up a list: addresses without a name by then are printed as numbers. */
const patienceMilliseconds = 2000;
/**
 * Of all calls together: a look-up may hold a thread of Node's pool for seconds, and writing the history needs a thread of the
 * four, too.
 */
const mostUnderWay = 2;
const underWay = new Set<Promise<void>>();

/** The names that are known in time. */
export async function hostNames(addresses: readonly string[]): Promise<(address: string) => string | undefined> {
  const names = new Map<string, string>();
  let isOver = false;
  const lookUpAll = async (): Promise<void> => {
    const own: Promise<void>[] = [];
    for (const address of addresses) {
      while (underWay.size >= mostUnderWay) await Promise.race(underWay);
      if (isOver) return;
      own.push(lookUp(address, names));
    }
    await Promise.all(own);
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>(resolve => {
    timer = setTimeout(resolve, patienceMilliseconds);
  });
  await Promise.race([lookUpAll(), late]);
  clearTimeout(timer);
  isOver = true;
  return address => names.get(address);
}

function lookUp(address: string, names: Map<string, string>): Promise<void> {
  const work = lookupService(address, 0)
    .then(
      ({ hostname }) => {
        if (hostname !== address) names.set(address, hostname);
      },
      () => undefined,
    )
    .finally(() => underWay.delete(work));
  underWay.add(work);
  return work;
}
