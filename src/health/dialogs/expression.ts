// SPDX-License-Identifier: Apache-2.0
// Regular expressions of people on texts of targets. V8 goes back over what it has tried, so some expressions take
// exponential time on some texts: `^(a+)+$` on forty a and a b takes hours. V8's engine without that
// (--enable-experimental-regexp-engine-on-excessive-backtracks) knows no flag u, so a search is given a time instead,
// after which V8 stops it.
import { type Context, createContext, Script } from 'node:vm';

/** The process does nothing else meanwhile. An ordinary search takes microseconds. */
const mostMilliseconds = 250;

const tooLong = `the search for a match took more than ${mostMilliseconds} ms: write the expression without repetitions inside of repetitions`;

/** Hundreds of targets may send the same text: after so many overruns in a row the expression rests, and fails without a search. */
const mostOverruns = 3;
const restMilliseconds = 5000;
/** The overruns in a row, and when the expression may search again. */
const overruns = new WeakMap<RegExp, { readonly count: number; readonly until: number }>();

// Both are made when they are needed: most checks have no expression.
let context: Context | undefined;
let search: Script | undefined;

/** Whether the expression matches a part of the text; a problem in words if that takes too long. */
export function matchWithin(expression: RegExp, text: string): boolean | string {
  const { count, until } = overruns.get(expression) ?? { count: 0, until: 0 };
  if (performance.now() < until) return tooLong;
  context ??= createContext(Object.create(null));
  search ??= new Script('expression.test(text)');
  context.expression = expression;
  context.text = text;
  try {
    const matches = search.runInContext(context, { timeout: mostMilliseconds }) === true;
    overruns.delete(expression);
    return matches;
  } catch (error) {
    // The error is of the other context, whose Error is not the one here.
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      const rests = count + 1 >= mostOverruns;
      overruns.set(expression, {
        count: rests ? 0 : count + 1,
        until: rests ? performance.now() + restMilliseconds : 0,
      });
      return tooLong;
    }
    return `the search for a match failed: ${message}`;
  } finally {
    context.text = '';
  }
}
