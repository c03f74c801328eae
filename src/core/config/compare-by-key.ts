// SPDX-License-Identifier: Apache-2.0
import { canonicalJson } from './canonical.ts';

/** One that came, went or is different. */
export interface KeyedChange<T> {
  readonly key: string;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** What is different between two lists, in each of which a key stands once. */
export function compareByKey<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (one: T) => string,
): KeyedChange<T>[] {
  const [old, fresh] = [before, after].map(list => new Map(list.map(one => [keyOf(one), one])));
  return [...new Set([...(old?.keys() ?? []), ...(fresh?.keys() ?? [])])]
    .map(key => ({ key, before: old?.get(key), after: fresh?.get(key) }))
    .filter(change => canonicalJson(change.before ?? null) !== canonicalJson(change.after ?? null));
}
