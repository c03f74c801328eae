// SPDX-License-Identifier: Apache-2.0

/** The entries that have a value. */
export function given<T extends object>(entries: T): { readonly [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as T;
}
