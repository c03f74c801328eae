// SPDX-License-Identifier: Apache-2.0
// A check as lines of changes show it, in diffs, events and the log: without the values of headers and of variables of a
// script, which may be passwords, cookies or tokens. Checks come as the document writes them.

/** The settings with names that a person has chosen, and values that may be secret. */
const secretSettings: readonly string[] = ['headers', 'environment'];

/** The probes that are a path in their short form. */
const pathProbes: readonly string[] = ['http', 'https'];

/** In place of a value. */
const hidden = '…';

export function withoutSecrets(check: unknown): string {
  return JSON.stringify(check, (key, value: unknown) =>
    secretSettings.includes(key) && isMap(value)
      ? Object.fromEntries(Object.keys(value).map(name => [name, hidden]))
      : value,
  );
}

/** What is different, a setting each: `interval 2 → 5`, `http.headers.Cookie changed`. */
export function differences(before: unknown, after: unknown): string[] {
  const [old, fresh] = [settingsOf(before), settingsOf(after)];
  return [...new Set([...old.keys(), ...fresh.keys()])].flatMap(name => {
    const [was, is] = [old.get(name), fresh.get(name)];
    if (was?.value === is?.value) return [];
    if (!(was ?? is)?.isSecret) return [`${name} ${was?.value ?? 'unset'} → ${is?.value ?? 'unset'}`];
    return [`${name} ${was === undefined ? 'added' : is === undefined ? 'removed' : 'changed'}`];
  });
}

interface Setting {
  readonly value: string;
  readonly isSecret: boolean;
}

/** The settings of a check by their paths: `http.path`. */
function settingsOf(check: unknown): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  const add = (path: readonly string[], value: unknown): void => {
    if (isMap(value)) for (const [key, each] of Object.entries(value)) add([...path, key], each);
    else if (value !== undefined) {
      const isSecret = path.slice(0, -1).some(key => secretSettings.includes(key));
      settings.set(path.join('.'), { value: JSON.stringify(value), isSecret });
    }
  };
  // `tcp` is short for `{ tcp: {} }`, and `{ http: /path }` for `{ http: { path: /path } }`.
  for (const [key, given] of Object.entries(isMap(check) ? check : { [String(check)]: {} })) {
    const value = pathProbes.includes(key) && typeof given === 'string' ? { path: given } : given;
    if (isMap(value)) settings.set(key, { value: 'set', isSecret: false });
    add([key], value);
  }
  return settings;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
