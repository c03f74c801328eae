// SPDX-License-Identifier: Apache-2.0
// `npm run coverage`: runs the whole suite on an instrumented build and prints what it covered, folder by folder, for
// TypeScript (V8's counts, through c8) and for C++ (gcov's, through gcovr).
//
// One build serves both: cmake-js makes the native unit tests and the addon in out/coverage; ctest runs the former,
// SLUICE_ADDON gives the latter to vitest, so that native/binding/ is measured as well.
//
// A coverage tool that is set up wrongly reports nonsense without complaint. test/coverage/canary.ts has one branch
// that is taken and one that never is; unless the report knows both, the figures are not printed and this fails.
//
// c8's own count of lines is not used. It calls a line uncovered only if the stretch of code that never ran begins
// before its indentation, which code that tsx has stripped of white space never does; and it counts comments as
// covered. Its stretches are right, so the lines that lie in them are counted here.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'out/coverage');
const reports = join(out, 'report');
const canary = 'test/coverage/canary.ts';

/** How much of a folder's code ran. */
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

interface Stretch {
  readonly start: Position;
  readonly end: Position;
}

/** The parts of a file in istanbul's coverage-final.json that are read here. A statement is a line. */
export interface IstanbulFile {
  readonly statementMap: Readonly<Record<string, { readonly start: Position }>>;
  readonly s: Readonly<Record<string, number>>;
  readonly branchMap: Readonly<Record<string, { readonly loc: Stretch }>>;
  readonly b: Readonly<Record<string, readonly number[]>>;
  readonly fnMap: Readonly<Record<string, { readonly loc: Stretch }>>;
  readonly f: Readonly<Record<string, number>>;
}

// The parts of gcovr's JSON summary that are read here.
interface GcovrSummary {
  readonly files: readonly {
    readonly filename: string;
    readonly line_covered: number;
    readonly line_total: number;
    readonly branch_covered: number;
    readonly branch_total: number;
  }[];
}

function run(command: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): void {
  console.log(`$ ${command} ${args.join(' ')}`);
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ended with status ${status}`);
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
 * Whether each line of code ran, by its number. Comments and lines of brackets are not in the answer; types, of which
 * nothing is left when the program runs, count with the file around them.
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
    const inside = neverRan.some(stretch => !isBefore(start, stretch.start) && !isBefore(stretch.end, end));
    ran.set(index + 1, loaded && !inside);
  }
  return ran;
}

function isBefore(a: Position, b: Position): boolean {
  return a.line < b.line || (a.line === b.line && a.column < b.column);
}

/** Why the report cannot be believed; nothing when it knows the lines of the canary that ran and those that did not. */
export function canaryComplaint(file: IstanbulFile | undefined, source: string): string | undefined {
  if (file === undefined) return 'the report does not know the canary';
  const ran = linesThatRan(file, source);
  const lineOf = (text: string): number => source.split('\n').findIndex(line => line.includes(text)) + 1;
  if (ran.get(lineOf("return 'covered'")) !== true) return 'the branch that is taken is reported as not covered';
  if (ran.get(lineOf("return 'never covered'")) !== false) return 'the branch never taken is reported as covered';
  return undefined;
}

function measureTypeScript(): FolderCoverage[] {
  // c8 leaves out test/ unless it is told what else to leave out.
  const scope = ['--all', '--src', root, '--include', 'src/**', '--include', canary, '--exclude', 'dist/**'];
  const c8 = ['--reporter', 'json', '--reports-dir', reports, '--temp-directory', join(out, 'v8')];
  run('npx', ['c8', ...c8, ...scope, 'npx', 'vitest', 'run'], { SLUICE_ADDON: builtAddon() });
  const report: Readonly<Record<string, IstanbulFile>> = JSON.parse(
    readFileSync(join(reports, 'coverage-final.json'), 'utf8'),
  );
  const complaint = canaryComplaint(report[join(root, canary)], readFileSync(join(root, canary), 'utf8'));
  if (complaint !== undefined) throw new Error(`the coverage is not true: ${complaint}`);
  const files = Object.entries(report).map(([path, file]) => {
    const lines = [...linesThatRan(file, readFileSync(path, 'utf8')).values()];
    const branches = Object.values(file.b).flat();
    return {
      folder: dirname(relative(root, path)),
      lines: ratio(lines.filter(ran => ran).length, lines.length),
      branches: ratio(branches.filter(count => count > 0).length, branches.length),
    };
  });
  return byFolder(files.filter(({ folder }) => folder !== dirname(canary)));
}

function builtAddon(): string {
  const name = 'sluice.node';
  const found = readdirSync(out, { recursive: true, encoding: 'utf8' }).find(path => path.endsWith(`/${name}`));
  if (found === undefined) throw new Error(`the build left no ${name} in ${out}`);
  return resolve(out, found);
}

function buildNative(): void {
  run('npx', ['cmake-js', 'build', '--out', out, '--config', 'Debug', '--parallel', '2', '--CDCOVERAGE=ON']);
  // Counts of earlier runs would be added to.
  for (const path of readdirSync(out, { recursive: true, encoding: 'utf8' })) {
    if (path.endsWith('.gcda')) rmSync(join(out, path));
  }
  run('ctest', ['--test-dir', out, '--output-on-failure', '-j2']);
}

function measureNative(): FolderCoverage[] {
  const summary = join(reports, 'native.json');
  const leaveOut = ['--exclude', 'native/test/', '--exclude', 'native/fuzz/', '--exclude-throw-branches'];
  run('gcovr', ['--root', root, '--filter', 'native/', ...leaveOut, '--json-summary', summary, out]);
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  buildNative();
  const typescript = measureTypeScript();
  console.log(`\n${formatCoverage('TypeScript', typescript)}\n\n${formatCoverage('C++', measureNative())}`);
}
