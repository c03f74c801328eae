// SPDX-License-Identifier: Apache-2.0

/** The entries that have a value; undefined when none has. */
export function givenAny(entries: object): Record<string, unknown> | undefined {
  const rest = given(entries as Record<string, unknown>);
  return Object.keys(rest).length === 0 ? undefined : rest;
}

/** The entries that have a value. */
export function given<T extends object>(entries: T): { readonly [Key in keyof T]?: NonNullable<T[Key]> } {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as T;
}
