// SPDX-License-Identifier: Apache-2.0
// Which metrics and labels an expression of PromQL uses. promtool says whether it is one; this says what is in it.

export interface Selector {
  readonly metric: string;
  /** Those that the selector matches. */
  readonly labels: readonly string[];
}

export interface Uses {
  readonly selectors: readonly Selector[];
  /** Those that the expression groups, matches or joins by. */
  readonly labels: readonly string[];
}

const words = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\[[^\]]*\]|[a-zA-Z_:][a-zA-Z0-9_:]*|[0-9][0-9a-z.]*|\S/g;

/** Their lists in parentheses are of labels. */
const listing = ['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'];
const operators = ['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan'];

export function usesOf(expression: string): Uses {
  const tokens = (expression.match(words) ?? []).filter(token => !token.startsWith('['));
  const selectors: Selector[] = [];
  const labels: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? '';
    const next = tokens[at + 1];
    if (!/^[a-zA-Z_:]/.test(token) || operators.includes(token)) continue;
    if (listing.includes(token)) {
      if (next !== '(') continue;
      const end = tokens.indexOf(')', at);
      labels.push(...tokens.slice(at + 2, end).filter(each => each !== ','));
      at = end;
    } else if (next === '{') {
      const end = tokens.indexOf('}', at);
      const matched = tokens
        .slice(at + 2, end)
        .filter((each, index, all) => /^[=!]$/.test(all[index + 1] ?? '') && /^\w/.test(each));
      selectors.push({ metric: token, labels: matched });
      at = end;
    } else if (next !== '(' && next !== 'by' && next !== 'without') {
      selectors.push({ metric: token, labels: [] });
    }
  }
  return { selectors, labels };
}
