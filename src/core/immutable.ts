// SPDX-License-Identifier: Apache-2.0

/** A value that the receiver does not change: what a handler returns may be frozen. */
export type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T;
