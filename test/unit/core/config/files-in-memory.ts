// SPDX-License-Identifier: Apache-2.0
import { dirname } from 'node:path';
import { byText } from '../../../../src/core/config/canonical.ts';
import type { DocumentFiles } from '../../../../src/core/config/includes.ts';
import { variablesOf } from '../../../../src/core/config/variables.ts';
import { ConfigError } from '../../../../src/core/errors.ts';
import { matchesName } from '../../../../src/daemon/file-patterns.ts';

/** Files by their paths. Wildcards stand in the name of a file only. */
export function filesInMemory(
  texts: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): DocumentFiles {
  return {
    async read(file) {
      const text = texts[file];
      if (text === undefined) throw new ConfigError('SLUICE_CONFIG_INVALID', 'there is no such file', { value: file });
      return { text, identity: file, variables: variablesOf(text, environment) };
    },
    async matches(pattern) {
      if (!/[*?]/.test(pattern)) return [pattern];
      return Object.keys(texts)
        .filter(file => dirname(file) === dirname(pattern) && matchesName(pattern, file))
        .toSorted(byText);
    },
    checkSecret: async () => undefined,
  };
}
