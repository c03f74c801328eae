// SPDX-License-Identifier: Apache-2.0
// Builds what the package ships: the native module with node-gyp, the JavaScript with tsc. Each part remembers the
// files that it was made of (path, size, time of change) and is left alone while they are the same.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { heading, mustRun, parallelJobs, projectRoot, startScript } from './command.ts';
import { cachedCompiler } from './compiler-cache.ts';
import { filesUnder } from './files.ts';
import { setup } from './setup.ts';

const usage = `
Usage: npm run build [-- --raw-socket]

Builds the native module (build/Release/sluice.node) and the JavaScript (dist/). What is up to date is left alone.

  --raw-socket   also build the npm package raw-socket, which the lab and the benchmarks use
`;

const nodeGyp = join(projectRoot, 'node_modules/node-gyp/bin/node-gyp.js');
const tsc = join(projectRoot, 'node_modules/.bin/tsc');

export function build(): void {
  heading('build');
  buildAddon();
  buildJavaScript();
}

/** Also what native tests and benchmarks link. */
export function buildAddon(): void {
  const configuration = fingerprint(['binding.gyp', 'native/sources.txt'], nodeVersion());
  const sources = filesUnder('native', path => /\.(cc|h)$/.test(path) && !/^native\/(test|fuzz|bench)\//.test(path));
  const configured = ifChanged('configuration', configuration, 'build/Makefile', () => gyp(['configure'], projectRoot));
  const inputs = fingerprint(sources, configuration);
  const compiled = ifChanged('addon', inputs, 'build/Release/sluice.node', () =>
    gyp(['build', `--jobs=${parallelJobs}`], projectRoot),
  );
  if (!configured && !compiled) console.log('native module: up to date');
}

function buildJavaScript(): void {
  const sources = filesUnder('src', path => path.endsWith('.ts'));
  const inputs = fingerprint([...sources, 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']);
  const compiled = ifChanged('javascript', inputs, 'dist', () => {
    rmSync(join(projectRoot, 'dist'), { recursive: true, force: true });
    mustRun(tsc, ['-p', 'tsconfig.build.json']);
    for (const command of commands()) chmodSync(command, 0o755);
  });
  if (!compiled) console.log('JavaScript: up to date');
}

/** Builds the npm package raw-socket, whose own installation is not run by `npm ci`. */
export function buildRawSocket(): void {
  const folder = join(projectRoot, 'node_modules/raw-socket');
  const built = ifChanged('raw-socket', nodeVersion(), 'node_modules/raw-socket/build/Release/raw.node', () =>
    gyp(['rebuild', `--jobs=${parallelJobs}`], folder),
  );
  if (!built) console.log('raw-socket: up to date');
}

function gyp(words: readonly string[], folder: string): void {
  const options = ['--release', `--directory=${folder}`, '--loglevel=warn', ...headers()];
  mustRun(process.execPath, [nodeGyp, ...words, ...options], { env: cachedCompiler() });
}

/** Node's headers lie beside its binary, in its own archives and in distributions' packages; else node-gyp fetches them. */
function headers(): string[] {
  const prefix = resolve(process.execPath, '../..');
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

/** Makes `product` unless it was made from the same inputs before, as out/built-from/PART records; says whether it did. */
function ifChanged(part: string, inputs: string, product: string, make: () => void): boolean {
  const recordPath = join(projectRoot, 'out/built-from', part);
  const isRecorded = existsSync(recordPath) && readFileSync(recordPath, 'utf8') === inputs;
  if (isRecorded && existsSync(join(projectRoot, product))) return false;
  rmSync(recordPath, { force: true });
  make();
  mkdirSync(dirname(recordPath), { recursive: true });
  writeFileSync(recordPath, inputs);
  return true;
}

function fingerprint(paths: readonly string[], also = ''): string {
  const rows = paths.map(path => {
    const { size, mtimeMs } = statSync(join(projectRoot, path));
    return `${path} ${size} ${mtimeMs}\n`;
  });
  return rows.join('') + also;
}

function nodeVersion(): string {
  return `${process.execPath} ${process.version}\n`;
}

/** The files that package.json's `bin` names. tsc writes files that nobody may execute. */
function commands(): string[] {
  const manifest: { bin: Record<string, string> } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
  return Object.values(manifest.bin)
    .map(path => join(projectRoot, path))
    .filter(path => existsSync(path));
}

function main(args: string[]): void {
  const { values } = parseArgs({ args, options: { 'raw-socket': { type: 'boolean', default: false } } });
  setup(['build']);
  build();
  if (values['raw-socket']) buildRawSocket();
}

await startScript(import.meta.url, usage, main);
