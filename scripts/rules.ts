// SPDX-License-Identifier: Apache-2.0
// The rules of CONTRIBUTING.md that a program can check and no linter knows.
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { projectRoot } from './command.ts';
import { ownFiles } from './files.ts';
import { brokenFloors } from './native-floors.ts';

/** Longer files are two files. */
const mostLines = 600;

/** More scripts than this nobody remembers. */
const mostScripts = 15;

/** Folders of src/ that any capability may import; `daemon` and `cli` may import everything. */
const sharedFolders = ['core', 'native', 'health', 'store'];
const compositionRoots = ['daemon', 'cli'];

const emptyNames = /(^|[-_])(utils?|helpers?|managers?|common|misc)([-_.]|$)/;

interface Source {
  path: string;
  text: string;
}

type Rule = (source: Source) => string | undefined;

const isCode = (path: string): boolean => /\.(ts|cc|h)$/.test(path);

const rules: readonly Rule[] = [
  function staysShort({ path, text }) {
    const lines = text.split('\n').length - 1;
    // Nobody reads what a program wrote.
    return isCode(path) && !path.includes('.generated.') && lines > mostLines
      ? `${lines} lines, more than ${mostLines}: split it`
      : undefined;
  },

  function saysItsLicense({ path, text }) {
    const isSaid = text.startsWith('// SPDX-License-Identifier: Apache-2.0\n') || text.startsWith('#!');
    return isCode(path) && !isSaid ? 'the first line is not the SPDX one-liner' : undefined;
  },

  function isNamedForWhatItIs({ path }) {
    return emptyNames.test(basename(path)) ? 'a name that says nothing: name what is in it' : undefined;
  },

  function keepsNodeApiInTheBinding({ path, text }) {
    const isOutside = path.startsWith('native/') && !path.startsWith('native/binding/');
    return isOutside && /#include <napi\.h>/.test(text) ? 'includes napi.h outside of native/binding/' : undefined;
  },

  function importsNoOtherCapability({ path, text }) {
    const capability = /^src\/([^/]+)\//.exec(path)?.[1];
    if (capability === undefined || compositionRoots.includes(capability)) return undefined;
    const imported = [...text.matchAll(/from '(\.\.?\/[^']+)'/g)].map(match => join(dirname(path), match[1] ?? ''));
    const folders = imported.flatMap(file => /^src\/([^/]+)\//.exec(file)?.[1] ?? []);
    const foreign = folders.filter(folder => folder !== capability && !sharedFolders.includes(folder));
    return foreign.length > 0 ? `imports another capability: ${foreign.join(', ')}` : undefined;
  },

  function hasFewScripts({ path, text }) {
    if (path !== 'package.json') return undefined;
    const manifest: { scripts: Record<string, string> } = JSON.parse(text);
    const count = Object.keys(manifest.scripts).length;
    return count > mostScripts ? `${count} scripts, more than ${mostScripts}` : undefined;
  },
];

/** One line for each file and each rule that it breaks. */
export function brokenRules(): string[] {
  return ownFiles()
    .filter(path => isCode(path) || path === 'package.json')
    .map(path => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }))
    .flatMap(source =>
      [...rules.flatMap(rule => rule(source) ?? []), ...brokenFloors(source)].map(
        complaint => `${source.path}: ${complaint}`,
      ),
    );
}
