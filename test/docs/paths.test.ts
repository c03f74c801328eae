// SPDX-License-Identifier: Apache-2.0
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  anchors,
  codeSpans,
  documents,
  exists,
  isGenerated,
  localLinks,
  type Mention,
  pathsOfTree,
  sourceTree,
  takeApart,
} from './documents.ts';

const tree = sourceTree();
const topLevel = new Set(tree.map(path => path.split('/')[0]));
const fileName = /^[\w.-]+\.(ts|cc|h|c|md|json|yaml|txt|gyp|pcap|pcapng)$/;

/** Files of users, or files that a build makes. */
const elsewhere = ['sluice.yaml', 'compile_commands.json'];

/** Whether a code span means a file: it begins with a folder of ours, or is called as files are. */
function isPath(text: string): boolean {
  if (!/^[\w.@*/-]+$/.test(text) || text.startsWith('/') || elsewhere.includes(text)) return false;
  return text.includes('/')
    ? topLevel.has(text.split('/')[0]) || fileName.test(text.split('/').at(-1) ?? '')
    : fileName.test(text);
}

/** A word in capitals, as in native/test/NAME_test.cc, stands for any name. */
function isThere(path: string): boolean {
  const pattern = path
    .split(/([A-Z]{3,}|\*)/)
    .map((part, index) => (index % 2 === 1 ? '[^/]*' : part.replace(/[.+?^$()|[\]\\{}]/g, '\\$&')))
    .join('');
  return exists(path) || tree.some(candidate => new RegExp(`^${pattern}/?$`).test(candidate));
}

function missing(paths: readonly Mention[]): string[] {
  return paths
    .filter(path => !isGenerated(path.text) && !isThere(path.text))
    .map(path => `${path.where}: ${path.text}`);
}

describe.each(documents().map(document => [document.path, document] as const))('%s', (_, document) => {
  it('names files and folders that exist', () => {
    expect(missing(codeSpans(document).filter(span => isPath(span.text)))).toEqual([]);
  });

  it('draws a tree of folders that exist', () => {
    const trees = document.blocks.filter(block => block.language === 'tree');
    expect(missing(trees.flatMap(pathsOfTree))).toEqual([]);
  });

  it('links to files and headings that exist', () => {
    const byPath = new Map(documents().map(other => [other.path, other]));
    const broken = localLinks(document).filter(link => {
      const [file = '', anchor] = link.text.split('#');
      const path = file === '' ? document.path : join(dirname(document.path), file);
      const target = byPath.get(path);
      return !exists(path) || (anchor !== undefined && target !== undefined && !anchors(target).includes(anchor));
    });
    expect(broken.map(link => `${link.where}: ${link.text}`)).toEqual([]);
  });
});

describe('the check of the documents itself', () => {
  const document = takeApart(
    'x.md',
    [
      '# A head: line',
      '`native/none.cc` and `TCP/IP`, `native/wire/NAME.h` [a](b.md#c)',
      '```tree',
      'src/',
      '  none/  why',
      '```',
    ].join('\n'),
  );

  it('finds a file that does not exist, and takes no abbreviation for one', () => {
    expect(missing(codeSpans(document).filter(span => isPath(span.text)))).toEqual(['x.md:2: native/none.cc']);
  });

  it('finds a folder of a tree that does not exist', () => {
    const paths = document.blocks.flatMap(pathsOfTree);
    expect(paths.map(path => path.text)).toEqual(['src/', 'src/none/']);
    expect(missing(paths)).toContain('x.md:5: src/none/');
  });

  it('finds links and headings', () => {
    expect(localLinks(document).map(link => link.text)).toEqual(['b.md#c']);
    expect(anchors(document)).toEqual(['a-head-line']);
  });
});
