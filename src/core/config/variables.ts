// SPDX-License-Identifier: Apache-2.0
// Variables of the environment in texts of a document: `${SLUICE_NAME}` and `${SLUICE_NAME:-default}`. `$${` writes `${`.
// A name must begin with SLUICE_, so that a document cannot take anything else from the environment of root.

/** Values by names. */
export type Variables = Readonly<Record<string, string>>;

/** What a text becomes, or what is wrong with it. */
export type Expanded =
  | { readonly text: string }
  | { readonly problem: string; readonly value: string; readonly remedy: string };

const begin = '${';
const escaped = `$${begin}`;

/** An escape, or the beginning of a variable; with a name where all of it is well-formed. */
const references = /\$\$\{|\$\{(?:(SLUICE_\w+)(?::-([^{}]*))?\})?/g;

/** Whether `expand` has anything to do. */
export function hasVariables(text: string): boolean {
  return text.includes(begin);
}

/** Puts the values in. As in a shell, a default stands for a variable that is empty, too. */
export function expand(text: string, variables: Variables): Expanded {
  let wrong: Exclude<Expanded, { text: string }> | undefined;
  const result = text.replaceAll(references, (found, name: string | undefined, otherwise?: string, at = 0) => {
    if (found === escaped) return begin;
    if (name === undefined) {
      wrong ??= malformed(text.slice(Number(at)));
      return '';
    }
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (otherwise !== undefined) return value === undefined || value === '' ? otherwise : value;
    if (value !== undefined) return value;
    const remedy = `set ${name} where sluice is started, or write \${${name}:-DEFAULT}`;
    wrong ??= { problem: 'the environment has no such variable', value: name, remedy };
    return '';
  });
  return wrong ?? { text: result };
}

/** The text of a scalar that means this text. */
export function escapeVariables(text: string): string {
  return text.replaceAll(begin, () => escaped);
}

/** Those of the environment that the text of a document uses. The text need not be valid. */
export function variablesOf(text: string, environment: Readonly<Record<string, string | undefined>>): Variables {
  const names = new Set([...text.matchAll(/\$\{(SLUICE_\w+)/g)].map(([, name = '']) => name));
  const used: Record<string, string> = {};
  for (const name of names) {
    const value = environment[name];
    if (value !== undefined) used[name] = value;
  }
  return used;
}

function malformed(rest: string): Exclude<Expanded, { text: string }> {
  const [value, name = ''] = /^\$\{([^}]*)\}?/.exec(rest) ?? [rest];
  const word = /^[A-Za-z_]\w*/.exec(name)?.[0];
  return word !== undefined && !word.startsWith('SLUICE_')
    ? {
        problem: 'a document cannot use this variable',
        value: word,
        remedy: `name it SLUICE_${word}, or write $\${ where no variable is meant`,
      }
    : {
        problem: 'this is no variable',
        value,
        remedy: 'write ${SLUICE_NAME} or ${SLUICE_NAME:-DEFAULT}, or $${ where no variable is meant',
      };
}
