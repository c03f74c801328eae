// SPDX-License-Identifier: Apache-2.0
// Names of hosts for lists that people read, and hosts that commands name: by /etc/hosts and DNS of this machine.
import { lookup, lookupService } from 'node:dns/promises';

/** A name server that does not answer must not hold up a command: what is not known by then counts as unknown. */
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
  await inTime(lookUpAll());
  isOver = true;
  return address => names.get(address);
}

/** The IPv4 address of the host, where it is known in time. */
export async function hostAddress(name: string): Promise<string | undefined> {
  return await inTime(
    lookup(name, { family: 4 }).then(
      ({ address }) => address,
      () => undefined,
    ),
  );
}

async function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), patienceMilliseconds);
  });
  const result = await Promise.race([work, late]);
  clearTimeout(timer);
  return result;
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
