// SPDX-License-Identifier: Apache-2.0

export interface SharedEnds {
  /** So many items at the beginning are the same in both lists. */
  readonly first: number;
  /** So many at the end, none of which counts as first. */
  readonly behind: number;
}

/** What two lists share. A list that was made from another one has the same items but for those that were changed. */
export function sharedEnds(before: readonly unknown[], after: readonly unknown[]): SharedEnds {
  const shorter = Math.min(before.length, after.length);
  let first = 0;
  while (first < shorter && before[first] === after[first]) first++;
  const most = shorter - first;
  let behind = 0;
  while (behind < most && before[before.length - 1 - behind] === after[after.length - 1 - behind]) behind++;
  return { first, behind };
}
