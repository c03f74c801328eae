// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { canaryError, formatCoverage, type IstanbulFile, linesThatRan } from '../../../scripts/coverage.ts';

const source = [
  '// a comment',
  'export function sing(air: string): string {',
  "  if (air === 'clean') {",
  "    return 'covered';",
  '  }',
  '',
  "  return 'never covered';",
  '}',
].join('\n');

const stretch = (line: number, column: number, endLine: number, endColumn: number) => ({
  loc: { start: { line, column }, end: { line: endLine, column: endColumn } },
});

// A report in which all lines ran, but for what the stretches say.
function report(branches: IstanbulFile['branchMap'], hits: IstanbulFile['b'], loaded = true): IstanbulFile {
  return {
    statementMap: { 0: { start: { line: 1, column: 0 } } },
    s: { 0: loaded ? 1 : 0 },
    branchMap: branches,
    b: hits,
    fnMap: { 0: stretch(2, 7, 8, 1) },
    f: { 0: 1 },
  };
}

describe('the lines that ran', () => {
  it('leave out lines in a range that never ran, and lines without code', () => {
    const file = report({ 0: stretch(7, 2, 7, 25), 1: stretch(3, 2, 5, 3) }, { 0: [0], 1: [4] });
    expect([...linesThatRan(file, source)]).toEqual([
      [2, true],
      [3, true],
      [4, true],
      [7, false],
    ]);
  });

  it('are none of a function that was never called, but for its first', () => {
    const file = { ...report({}, {}), f: { 0: 0 } };
    expect([...linesThatRan(file, source).values()]).toEqual([true, false, false, false]);
  });

  it('are none of a file that was never loaded', () => {
    expect([...linesThatRan(report({}, {}, false), source).values()]).toEqual([false, false, false, false]);
  });
});

describe('the canary', () => {
  it.each([
    ['is content with the truth', report({ 0: stretch(7, 2, 7, 25) }, { 0: [0] }), undefined],
    ['is missing', undefined, 'the report lacks the canary'],
    ['sees that nothing was measured', report({}, {}, false), 'the branch that is taken is reported as not covered'],
    ['sees that all is called covered', report({}, {}), 'the branch never taken is reported as covered'],
  ])('%s', (_what, file, complaint) => {
    expect(canaryError(file, source)).toBe(complaint);
  });
});

it('the table has a row for each folder and the sum of all', () => {
  const folders = [
    { folder: 'src/core', lines: { covered: 3, total: 4 }, branches: { covered: 0, total: 0 } },
    { folder: 'src/native', lines: { covered: 4, total: 4 }, branches: { covered: 1, total: 3 } },
  ];
  expect(formatCoverage('TypeScript', folders)).toBe(
    [
      'TypeScript      lines   branches',
      'src/core       75.0 %          –',
      'src/native    100.0 %     33.3 %',
      'all            87.5 %     33.3 %',
    ].join('\n'),
  );
});
