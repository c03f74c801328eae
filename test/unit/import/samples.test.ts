// SPDX-License-Identifier: Apache-2.0
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how keepalived writes references
// keepalived's own example configurations, and keepalived itself, decide what an import has to explain.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { documentFormat } from '../../../src/daemon/document.ts';
import { hostFiles } from '../../../src/import/keepalived/files.ts';
import { importKeepalived } from '../../../src/import/keepalived/import.ts';
import { documentText } from '../../../src/import/write.ts';
import { describeIf } from '../../privileges.ts';
import { hasKeepalived, keepalivedLog, sampleFiles, unknownLines } from './keepalived-package.ts';

const options = { files: hostFiles, id: 'none', environment: {} };

/** The lines with more than comments and braces. */
function keywordLines(file: string): number[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return [...lines.keys()]
    .map(index => index + 1)
    .filter(line => /^[^#!{}]*[^#!{}\s]/.test(lines[line - 1]?.trim() ?? ''));
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-import-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describeIf(hasKeepalived, "needs Debian's package of keepalived", "keepalived's own examples", () => {
  for (const file of hasKeepalived ? sampleFiles() : []) {
    it(`${basename(file)} is imported without an unexplained line`, () => {
      const { report } = importKeepalived(file, options);
      expect(keywordLines(file).filter(line => !report.explains({ file, line }))).toEqual([]);
    });

    it(`${basename(file)} becomes a document that the schemas allow`, () => {
      const { document } = importKeepalived(file, options);
      const text = documentText(document, []);
      const { director } = parse(text) as { director: { services?: unknown[] } };
      expect(documentFormat.parse(text).director.services).toHaveLength((director.services ?? []).length);
    });
  }

  it.each([
    [
      'misspelt keywords',
      ['virtual_server 10.0.0.1 80 {', 'foo bar', 'real_server 10.0.0.2 80 {', 'wieght 5', '}', '}', 'qux'],
    ],
    [
      'a block of an unknown keyword ends the block around it',
      [
        'virtual_server 10.0.0.1 80 {',
        'real_server 10.0.0.2 80 {',
        'TCP_CHECK {',
        'bogus { a b',
        '}',
        '}',
        '}',
        'weight 3',
        'real_server 10.0.0.3 80 {',
        '}',
        '}',
      ],
    ],
    ['definitions', ['$A=x', '$B=$A ${A}y', 'k1 $B', '${A}k2', '$UNDEFINED', 'k3${A}']],
    ['definitions of several lines', ['$M= \\', 'a1 \\', ' a2 \\', 'a3', '$M', 'b $M', '$M c']],
    ['a blank line ends a definition', ['$M= \\', 'a1 \\', '', 'a2', '$M']],
    [
      'loops',
      [
        '~SEQ(N, 1, 3) k$N',
        '~SEQ(K,2) ~LST(V, a, b) l${K}${V}',
        '~SEQ(Q, 3, 1, 2) m$Q',
        '~LST({X,Y}, {1,2}, {3,4}) n${X}${Y}',
      ],
    ],
    ['conditions', ['@none k1', '@other k2', '@^none k3', '@^other k4', '@none', '@']],
    ['comments and quotes', ['k1 # k2', 'k3 "a # b" !c', '"k4 k5"', "'k6 k7'", 'k8"k9"', 'k10\\#k11']],
    [
      'braces on lines of their own',
      ['virtual_server 10.0.0.1 80', '{', 'real_server 10.0.0.2 80 { weight 1 } k1', '}', '}', 'k2'],
    ],
  ])('keepalived does not know the same lines: %s', (name, lines) => {
    const file = join(folder, `${name.replaceAll(' ', '-')}.conf`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    const { report } = importKeepalived(file, options);
    const unknown = report.entries().filter(({ what }) => /no such keyword|(opens|closes) no block/.test(what));
    expect([...new Set(unknown.map(({ place }) => place.line))]).toEqual(unknownLines(keepalivedLog(file)));
  });
});
