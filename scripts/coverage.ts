// SPDX-License-Identifier: Apache-2.0
// `npm run coverage`: runs all tests on an instrumented build and prints the coverage of each folder, for TypeScript (V8's
// counts, by c8) and for C++ (gcov's counts, by gcovr).
//
// One build serves both: cmake-js builds the native unit tests and the addon in out/coverage. ctest runs the tests, and
// vitest loads the addon by SLUICE_ADDON, so that native/binding/ is measured, too.
//
// A coverage tool with a wrong setup reports wrong figures without an error. test/coverage/canary.ts has one branch that is
// taken and one that is not. If the report gets one of them wrong, this script fails and prints no figures.
//
// c8's own count of lines is not used. c8 reports a line as uncovered only if the range of code that never ran begins before
// the line's indentation. That is never so here, as tsx removes the indentation. c8 also counts comments as covered. Its
// ranges are right, so this script counts the lines in them.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build } from '../tools/build.ts';
import { Failure, heading, mustRun, parallelJobs, projectRoot, startScript } from '../tools/command.ts';
import { filesUnder } from '../tools/files.ts';
import { ctest } from '../tools/native-tests.ts';
import { type Count, finish, sum as sumOfCounts } from '../tools/results.ts';
import { setup } from '../tools/setup.ts';
import { vitest } from './vitest.ts';

const usage = `
Usage: npm run coverage

Runs the native and the TypeScript tests on an instrumented build and prints how much of each folder's code they reach.
Fails when a test fails, or when the figures are found to be wrong.
`;

const folder = 'coverage';
const out = join(projectRoot, 'out', folder);
const counts = join(out, 'v8');
const reports = join(out, 'report');
const canary = 'test/coverage/canary.ts';

/** The coverage of a folder. */
export interface FolderCoverage {
  readonly folder: string;
  readonly lines: Ratio;
  readonly branches: Ratio;
}

interface Ratio {
  readonly covered: number;
  readonly total: number;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** A file in istanbul's coverage-final.json; only the fields that are read here. A statement is a line. */
export interface IstanbulFile {
  readonly statementMap: Readonly<Record<string, { readonly start: Position }>>;
  readonly s: Readonly<Record<string, number>>;
  readonly branchMap: Readonly<Record<string, { readonly loc: Range }>>;
  readonly b: Readonly<Record<string, readonly number[]>>;
  readonly fnMap: Readonly<Record<string, { readonly loc: Range }>>;
  readonly f: Readonly<Record<string, number>>;
}

// gcovr's JSON summary; only the fields that are read here.
interface GcovrSummary {
  readonly files: readonly {
    readonly filename: string;
    readonly line_covered: number;
    readonly line_total: number;
    readonly branch_covered: number;
    readonly branch_total: number;
  }[];
}

const ratio = (covered: number, total: number): Ratio => ({ covered, total });
const sum = (a: Ratio, b: Ratio): Ratio => ratio(a.covered + b.covered, a.total + b.total);

function byFolder(files: readonly FolderCoverage[]): FolderCoverage[] {
  const folders = new Map<string, FolderCoverage>();
  for (const file of files) {
    const before = folders.get(file.folder);
    folders.set(file.folder, {
      folder: file.folder,
      lines: before === undefined ? file.lines : sum(before.lines, file.lines),
      branches: before === undefined ? file.branches : sum(before.branches, file.branches),
    });
  }
  return [...folders.values()].sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

/**
 * Whether each line of code ran, by line number. Comments and lines of brackets are left out. Lines of types count as run
 * when the file was loaded.
 */
export function linesThatRan(file: IstanbulFile, source: string): Map<number, boolean> {
  const neverRan = [
    ...Object.entries(file.branchMap).filter(([id]) => file.b[id]?.every(count => count === 0)),
    ...Object.entries(file.fnMap).filter(([id]) => file.f[id] === 0),
  ].map(([, { loc }]) => loc);
  const loaded = Object.values(file.s).some(count => count > 0);
  const ran = new Map<number, boolean>();
  for (const [index, text] of source.split('\n').entries()) {
    const code = /^(?<indentation>\s*)(?=\S)(?!\/\/|\/?\*)(?<rest>.*?)[\s;,)}\]]*$/.exec(text)?.groups;
    if (code?.rest === undefined || code.rest === '') continue;
    const start = { line: index + 1, column: code.indentation?.length ?? 0 };
    const end = { line: index + 1, column: start.column + code.rest.length };
    const inside = neverRan.some(range => !isBefore(start, range.start) && !isBefore(range.end, end));
    ran.set(index + 1, loaded && !inside);
  }
  return ran;
}

function isBefore(a: Position, b: Position): boolean {
  return a.line < b.line || (a.line === b.line && a.column < b.column);
}

/** Why the report is wrong; undefined when it is right about the lines of the canary. */
export function canaryError(file: IstanbulFile | undefined, source: string): string | undefined {
  if (file === undefined) return 'the report lacks the canary';
  const ran = linesThatRan(file, source);
  const lineOf = (text: string): number => source.split('\n').findIndex(line => line.includes(text)) + 1;
  if (ran.get(lineOf("return 'covered'")) !== true) return 'the branch that is taken is reported as not covered';
  if (ran.get(lineOf("return 'never covered'")) !== false) return 'the branch never taken is reported as covered';
  return undefined;
}

/** cmake-js gives CMake Node's headers, so that one build holds the native tests and the addon. */
function buildInstrumented(): void {
  const cmakeJs = join(projectRoot, 'node_modules/cmake-js/bin/cmake-js');
  const options = ['-O', join('out', folder), '-B', 'Debug', '-G', 'Ninja', '--CDCOVERAGE=ON'];
  mustRun(process.execPath, [cmakeJs, 'build', '--log-level=warn', ...options, '--parallel', String(parallelJobs)]);
}

function runTests(): Count {
  heading('native tests');
  const native = ctest(folder);
  heading('TypeScript tests');
  const typeScript = vitest({
    // The tests of documents reach no code.
    args: ['--exclude=test/docs/**'],
    env: { SLUICE_ADDON: join(out, 'Debug/sluice.node'), NODE_V8_COVERAGE: counts },
  });
  return sumOfCounts([native, typeScript]);
}

function measureTypeScript(): FolderCoverage[] {
  const c8 = join(projectRoot, 'node_modules/c8/bin/c8.js');
  // Without --exclude c8 would leave out test/ and the canary with it.
  const scope = ['--all', '--src=.', '--include=src/**', `--include=${canary}`, '--exclude=dist/**'];
  const files = [`--temp-directory=${counts}`, `--reports-dir=${reports}`, '--reporter=json'];
  mustRun(process.execPath, [c8, 'report', ...files, ...scope]);
  const report: Readonly<Record<string, IstanbulFile>> = JSON.parse(
    readFileSync(join(reports, 'coverage-final.json'), 'utf8'),
  );
  const canaryPath = join(projectRoot, canary);
  const wrong = canaryError(report[canaryPath], readFileSync(canaryPath, 'utf8'));
  if (wrong !== undefined) throw new Failure(`The coverage report is wrong: ${wrong}.`);
  const measured = Object.entries(report).map(([path, file]) => {
    const lines = [...linesThatRan(file, readFileSync(path, 'utf8')).values()];
    const branches = Object.values(file.b).flat();
    return {
      folder: dirname(relative(projectRoot, path)),
      lines: ratio(lines.filter(ran => ran).length, lines.length),
      branches: ratio(branches.filter(count => count > 0).length, branches.length),
    };
  });
  return byFolder(measured.filter(file => file.folder !== dirname(canary)));
}

function measureNative(): FolderCoverage[] {
  const summary = join(reports, 'native.json');
  const scope = ['--root=.', '--filter=native/', '--exclude=native/test/', '--exclude=native/fuzz/'];
  // A process that ends while its workers run writes inconsistent counts for some lines. gcov then prints a negative count,
  // which gcovr cannot parse. With --gcov-ignore-parse-errors gcovr reports such lines and leaves them out.
  const rules = ['--exclude-throw-branches', '--gcov-ignore-parse-errors'];
  mustRun('gcovr', [...scope, ...rules, '--json-summary', summary, join('out', folder)]);
  const { files }: GcovrSummary = JSON.parse(readFileSync(summary, 'utf8'));
  return byFolder(
    files.map(file => ({
      folder: dirname(file.filename),
      lines: ratio(file.line_covered, file.line_total),
      branches: ratio(file.branch_covered, file.branch_total),
    })),
  );
}

function percent({ covered, total }: Ratio): string {
  const text = total === 0 ? '–' : `${((100 * covered) / total).toFixed(1)} %`;
  return text.padStart(9);
}

/** A table with a row for each folder and one for all of them. */
export function formatCoverage(title: string, folders: readonly FolderCoverage[]): string {
  const all = folders.reduce(
    (before, each) => ({
      folder: 'all',
      lines: sum(before.lines, each.lines),
      branches: sum(before.branches, each.branches),
    }),
    { folder: 'all', lines: ratio(0, 0), branches: ratio(0, 0) },
  );
  const width = Math.max(title.length, ...folders.map(({ folder }) => folder.length));
  const row = ({ folder, lines, branches }: FolderCoverage): string =>
    `${folder.padEnd(width)}  ${percent(lines)}  ${percent(branches)}`;
  return [`${title.padEnd(width)}      lines   branches`, ...folders.map(row), row(all)].join('\n');
}

/** Removes counts, to which a new run would add, and notes (.gcno) of sources that no longer exist, at which gcov fails. */
function removeEarlierRuns(): void {
  for (const path of [counts, reports]) rmSync(path, { recursive: true, force: true });
  for (const path of filesUnder(join('out', folder), name => /\.gc(da|no)$/.test(name))) {
    const source = /\/CMakeFiles\/\w+\.dir\/(?<name>.*)\.gc(?:da|no)$/.exec(path)?.groups?.name ?? '';
    if (path.endsWith('.gcda') || !existsSync(join(projectRoot, 'native', source))) rmSync(join(projectRoot, path));
  }
}

function main(): void {
  setup(['coverage']);
  build();
  buildInstrumented();
  removeEarlierRuns();
  mkdirSync(reports, { recursive: true });
  const count = runTests();
  heading('coverage');
  const tables = [formatCoverage('TypeScript', measureTypeScript()), formatCoverage('C++', measureNative())];
  console.log(`\n${tables.join('\n\n')}`);
  finish('coverage', count);
}

await startScript(import.meta.url, usage, main);
