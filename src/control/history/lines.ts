// SPDX-License-Identifier: Apache-2.0
// A line of a file of the history: a checksum, a blank and one JSON value. A line that was not written to its end, or
// that was damaged, does not have its checksum.
import { sha256 } from '../../core/config/canonical.ts';

const checksumLength = 16;

export function writeLine(value: unknown): string {
  const text = JSON.stringify(value);
  return `${checksumOf(text)} ${text}\n`;
}

export interface Lines {
  /** The values of the lines before the first that is damaged. */
  readonly values: readonly unknown[];
  /** The bytes that these lines take. */
  readonly length: number;
  /** The number of the first damaged line, counted from 1; undefined when the text ends after a good line. */
  readonly damaged: number | undefined;
}

export function readLines(text: string): Lines {
  const values: unknown[] = [];
  let at = 0;
  while (at < text.length) {
    const end = text.indexOf('\n', at);
    const line = end < 0 ? undefined : text.slice(at, end);
    const value = line === undefined ? undefined : readLine(line);
    if (value === undefined) {
      return { values, length: Buffer.byteLength(text.slice(0, at)), damaged: values.length + 1 };
    }
    values.push(value);
    at = end + 1;
  }
  return { values, length: Buffer.byteLength(text), damaged: undefined };
}

/** The value of one line, without its end; undefined for a line that is damaged. */
export function readLine(line: string): unknown {
  const text = line.slice(checksumLength + 1);
  return line === `${checksumOf(text)} ${text}` ? JSON.parse(text) : undefined;
}

function checksumOf(text: string): string {
  return sha256(text).slice(0, checksumLength);
}
