// SPDX-License-Identifier: Apache-2.0
import { styleText } from 'node:util';

/** Columns of the output; most terminals have more. */
export const width = 100;

export const isTerminal = process.stdout.isTTY === true;

const isColoured = isTerminal && (process.env.NO_COLOR ?? '') === '';

export type Style = Parameters<typeof styleText>[0];

export function styled(style: Style, text: string): string {
  return isColoured ? styleText(style, text) : text;
}
