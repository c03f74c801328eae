// SPDX-License-Identifier: Apache-2.0
// A snapshot is immutable and addressed by its content: equal values have one canonical text, one order and one hash.
import { createHash } from 'node:crypto';
import { oncePerValue } from './once.ts';

/** A value that JSON can express. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * The value as JSON in the form of RFC 8785: keys sorted by their UTF-16 code units, no spaces, numbers and texts as
 * ECMAScript writes them. Keys whose value is undefined are left out.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) {
    // Texts have one form. A list of the digests of ten thousand parts is written at once.
    const areTexts = value.every(item => typeof item === 'string');
    return areTexts ? JSON.stringify(value) : `[${value.map(canonicalJson).join(',')}]`;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${value} has no canonical form`);
  if (typeof value !== 'object' || value === null) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`a ${typeof value} has no canonical form`);
    return text;
  }
  const parts: string[] = [];
  const record = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(record).sort()) {
    if (record[key] !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalJson(record[key])}`);
  }
  return `{${parts.join(',')}}`;
}

/** Compares texts by their UTF-16 code units: the order is the same on every machine. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

const digestOnce = oncePerValue((value: object) => sha256(canonicalJson(value)));

/** The hash of the canonical text of a deeply frozen value. It is computed once for each object. */
export function digestOf(value: object): string {
  if (!Object.isFrozen(value)) throw new TypeError('only a frozen value has a lasting digest');
  return digestOnce(value);
}

/** Freezes a value and everything in it. A value that is frozen already counts as frozen throughout. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
