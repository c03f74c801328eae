// SPDX-License-Identifier: Apache-2.0
// Parses the project's documents: the files that they name, their blocks and links, each with its line.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Built or downloaded folders, which a fresh clone does not have. */
const generated = ['.git', 'node_modules', 'build', 'out', 'dist', 'coverage'];

/** Something that a document says. */
export interface Mention {
  /** FILE:LINE, for the name of the test. */
  where: string;
  text: string;
}

export interface Block {
  /** What follows the fence's backticks: sh, text, tree, mermaid. */
  language: string;
  /** FILE:LINE of the first line inside. */
  where: string;
  lines: Mention[];
}

export interface Document {
  path: string;
  text: string;
  blocks: Block[];
  /** Lines outside of the blocks. */
  prose: Mention[];
}

export function isGenerated(path: string): boolean {
  return generated.includes(path.replace(/^\.\//, '').split('/')[0] ?? '');
}

/** Every file and, with a slash at the end, every folder of the source tree. */
export function sourceTree(): string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(join(projectRoot, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (isGenerated(path)) continue;
      found.push(entry.isDirectory() ? `${path}/` : path);
      if (entry.isDirectory()) visit(path);
    }
  };
  visit('.');
  return found;
}

export function documents(): Document[] {
  const paths = sourceTree().filter(path => /^(docs\/.*|[A-Z]+)\.md$/.test(path));
  return paths.sort().map(path => takeApart(path, readFileSync(join(projectRoot, path), 'utf8')));
}

export function takeApart(path: string, text: string): Document {
  const document: Document = { path, text, blocks: [], prose: [] };
  let block: Block | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const mention = { where: `${path}:${index + 1}`, text: line };
    const fence = /^\s*```(\w*)/.exec(line);
    if (fence && block) {
      block = undefined;
    } else if (fence) {
      block = { language: fence[1] ?? '', where: `${path}:${index + 2}`, lines: [] };
      document.blocks.push(block);
    } else {
      (block?.lines ?? document.prose).push(mention);
    }
  }
  return document;
}

/** The code spans outside of blocks. */
export function codeSpans(document: Document): Mention[] {
  return document.prose.flatMap(({ where, text }) =>
    [...text.matchAll(/`([^`]+)`/g)].map(match => ({ where, text: match[1] ?? '' })),
  );
}

/** The targets of links within the project. */
export function localLinks(document: Document): Mention[] {
  return document.prose.flatMap(({ where, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(match => ({ where, text: match[1] ?? '' }))
      .filter(link => !/^[a-z]+:/.test(link.text)),
  );
}

/** The anchors that a renderer makes of the headings. */
export function anchors(document: Document): string[] {
  return document.prose
    .filter(line => /^#+ /.test(line.text))
    .map(line =>
      line.text
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
}

/** The paths in a block with the language `tree`: two spaces of indentation a level, a remark after two spaces. */
export function pathsOfTree(block: Block): Mention[] {
  const above: string[] = [];
  return block.lines
    .filter(line => line.text.trim() !== '')
    .flatMap(({ where, text }) => {
      const [indentation = '', names = ''] = [/^ */.exec(text)?.[0], text.trim().split(/ {2,}/)[0]];
      const depth = indentation.length / 2;
      const paths = names.split(' ').map(name => [...above.slice(0, depth), name].join(''));
      above[depth] = names;
      return paths.map(path => ({ where, text: path }));
    });
}

export function exists(path: string): boolean {
  return existsSync(join(projectRoot, path));
}
