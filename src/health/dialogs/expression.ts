// SPDX-License-Identifier: Apache-2.0
// Regular expressions of people on texts of targets. V8 goes back over what it has tried, so some expressions take
// exponential time on some texts: `^(a+)+$` on forty a and a b takes hours. V8's engine without that
// (--enable-experimental-regexp-engine-on-excessive-backtracks) knows no flag u, so a search is given a time instead,
// after which V8 stops it.
import { type Context, createContext, Script } from 'node:vm';

/** The process does nothing else meanwhile. An ordinary search takes microseconds. */
const mostMilliseconds = 50;

const tooLong = `the search for a match took more than ${mostMilliseconds} ms: write the expression without repetitions inside of repetitions`;

// Both are made when they are needed: most checks have no expression.
let context: Context | undefined;
let search: Script | undefined;

/** Whether the expression matches a part of the text; a problem in words if that takes too long. */
export function matchWithin(expression: RegExp, text: string): boolean | string {
  context ??= createContext(Object.create(null));
  search ??= new Script('expression.test(text)');
  context.expression = expression;
  context.text = text;
  try {
    return search.runInContext(context, { timeout: mostMilliseconds }) === true;
  } catch (error) {
    // The error is of the other context, whose Error is not the one here.
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return tooLong;
    return `the search for a match failed: ${message}`;
  } finally {
    context.text = '';
  }
}
