// SPDX-License-Identifier: Apache-2.0
// The rules of CONTRIBUTING.md that a program can check and linters do not.
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { projectRoot } from '../tools/command.ts';
import { ownFiles } from '../tools/files.ts';
import { brokenLayers } from './native-layers.ts';

/** A longer file should be split. */
const mostLines = 600;

/** Nobody remembers more scripts than this. */
const mostScripts = 15;

/** Folders of src/ that any capability may import. The others may import everything; `import` writes the sections of all. */
const sharedFolders = ['core', 'native', 'wire', 'capture'];
const compositionRoots = ['daemon', 'cli', 'import'];

/** The only folder that may include Node's headers. */
const bindingFolder = 'native/binding';
const nativeTests = 'native/test';

const vagueNames = /(^|[-_])(utils?|helpers?|managers?|common|misc)([-_.]|$)/;

/** The first line of a C++ definition, and definitions that are not visible to other sources. */
const definition = /^[a-z_][\w:<>,&* ]*[ *&]\w/;
const hasNoName = /^(const|constexpr|static|using|namespace) |\boperator (new|delete)\b/;

interface Source {
  path: string;
  text: string;
}

type Rule = (source: Source) => string | undefined;

const isCode = (path: string): boolean => /\.(ts|cc|h)$/.test(path);

const rules: readonly Rule[] = [
  function staysShort({ path, text }) {
    const lines = text.split('\n').length - 1;
    // Generated files are not read by people.
    return isCode(path) && !path.includes('.generated.') && lines > mostLines
      ? `${lines} lines, more than ${mostLines}: split it`
      : undefined;
  },

  function saysItsLicense({ path, text }) {
    const isSaid = text.startsWith('// SPDX-License-Identifier: Apache-2.0\n') || text.startsWith('#!');
    return isCode(path) && !isSaid ? 'the first line is not the SPDX one-liner' : undefined;
  },

  function isNamedForWhatItIs({ path }) {
    return vagueNames.test(basename(path)) ? 'the name is vague: name the content of the file' : undefined;
  },

  function keepsNodeApiInTheBinding({ path, text }) {
    const isOutside = path.startsWith('native/') && !path.startsWith(`${bindingFolder}/`);
    return isOutside && /#include <napi\.h>/.test(text) ? `includes napi.h outside of ${bindingFolder}/` : undefined;
  },

  // The tests of a folder are linked into one program, in which equal names of two tests would collide.
  function keepsItsNamesToItself({ path, text }) {
    if (!path.startsWith(`${nativeTests}/`) || !path.endsWith('_test.cc')) return undefined;
    const outside = text.replace(/^namespace \{$[\s\S]*?^\} {2}\/\/ namespace$/gm, '');
    const defined = outside.split('\n').find(line => definition.test(line) && !hasNoName.test(line));
    return defined === undefined ? undefined : `defines outside of an anonymous namespace: ${defined}`;
  },

  function importsNoOtherCapability({ path, text }) {
    const capability = /^src\/([^/]+)\//.exec(path)?.[1];
    if (capability === undefined || compositionRoots.includes(capability)) return undefined;
    const imported = [...text.matchAll(/from '(\.\.?\/[^']+)'/g)].map(match => join(dirname(path), match[1] ?? ''));
    const folders = imported.flatMap(file => /^src\/([^/]+)\//.exec(file)?.[1] ?? []);
    const foreign = folders.filter(folder => folder !== capability && !sharedFolders.includes(folder));
    return foreign.length > 0 ? `imports another capability: ${foreign.join(', ')}` : undefined;
  },

  // To avoid circular imports, scripts/ may import lab/ and bench/, and all three may import tools/, but not the reverse.
  function usesNoScripts({ path, text }) {
    const folder = /^(lab|bench|tools)\//.exec(path)?.[1];
    if (folder === undefined) return undefined;
    const imported = [...text.matchAll(/from '(\.\.?\/[^']+)'/g)].map(match => join(dirname(path), match[1] ?? ''));
    const others = folder === 'tools' ? ['scripts/', 'lab/', 'bench/'] : ['scripts/'];
    const upwards = imported.find(file => others.some(other => file.startsWith(other)));
    return upwards === undefined ? undefined : `imports ${upwards}: move what both need to tools/`;
  },

  function hasFewScripts({ path, text }) {
    if (path !== 'package.json') return undefined;
    const manifest: { scripts: Record<string, string> } = JSON.parse(text);
    const count = Object.keys(manifest.scripts).length;
    return count > mostScripts ? `${count} scripts, more than ${mostScripts}` : undefined;
  },
];

/** A rule about a folder that does not exist would always pass. */
function rulesAboutNothing(): string[] {
  const folders = ['lab', 'bench', 'tools'];
  const sources = [...sharedFolders, ...compositionRoots].map(name => join('src', name));
  return [...sources, ...folders, bindingFolder, nativeTests]
    .filter(folder => !existsSync(join(projectRoot, folder)))
    .map(folder => `scripts/rules.ts: names ${folder}, which does not exist`);
}

/** One line for each file and each rule that it breaks. */
export function brokenRules(): string[] {
  const broken = ownFiles()
    .filter(path => isCode(path) || path === 'package.json')
    .map(path => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }))
    .flatMap(source =>
      [...rules.flatMap(rule => rule(source) ?? []), ...brokenLayers(source)].map(
        complaint => `${source.path}: ${complaint}`,
      ),
    );
  return [...rulesAboutNothing(), ...broken];
}
