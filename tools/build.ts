// SPDX-License-Identifier: Apache-2.0
// Builds the package: the native module and sluice-ipvsadm with node-gyp, the JavaScript with esbuild, its types with tsc. A
// record of each part lists its inputs (path, size, time of change); the part is built again only when they have changed.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildSync } from 'esbuild';
import { bundling } from './bundling.ts';
import { heading, mustRun, parallelJobs, projectRoot, startScript } from './command.ts';
import { cachedCompiler } from './compiler-cache.ts';
import { filesUnder } from './files.ts';
import { setup } from './setup.ts';

const usage = `
Usage: npm run build [-- --raw-socket]

Builds the native module (build/Release/sluice.node) and the JavaScript (dist/), if they are not up to date.

  --raw-socket   also build the npm package raw-socket, which the lab and the benchmarks use
`;

const nodeGyp = join(projectRoot, 'node_modules/node-gyp/bin/node-gyp.js');
const tsc = join(projectRoot, 'node_modules/.bin/tsc');

// What is started or imported from outside. They share the rest of the code, libraries included.
const programs = ['src/cli/main.ts', 'src/daemon/process.ts', 'src/index.ts'] as const;

export function build(): void {
  heading('build');
  buildAddon();
  buildJavaScript();
}

/** Builds the native module. Native tests and benchmarks link its objects. */
export function buildAddon(): void {
  const configuration = fingerprint(['binding.gyp', 'native/sources.txt'], nodeVersion());
  const sources = filesUnder(
    'native',
    path => /\.(cc|h|inc)$/.test(path) && !/^native\/(test|fuzz|bench)\//.test(path),
  );
  const configured = ifChanged('configuration', configuration, 'build/Makefile', () => gyp(['configure'], projectRoot));
  const inputs = fingerprint(sources, configuration);
  const compiled = ifChanged('addon', inputs, 'build/Release/sluice.node', () =>
    gyp(['build', `--jobs=${parallelJobs}`], projectRoot),
  );
  if (!configured && !compiled) console.log('native module: up to date');
}

function buildJavaScript(): void {
  const sources = filesUnder('src', path => path.endsWith('.ts'));
  const inputs = fingerprint(
    [...sources, 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'],
    JSON.stringify(bundling),
  );
  const compiled = ifChanged('javascript', inputs, 'dist', () => {
    rmSync(join(projectRoot, 'dist'), { recursive: true, force: true });
    mustRun(tsc, ['-p', 'tsconfig.build.json']);
    buildSync({ ...bundling, entryPoints: [...programs], outbase: 'src', outdir: 'dist', absWorkingDir: projectRoot });
    for (const command of commands()) chmodSync(command, 0o755);
  });
  if (!compiled) console.log('JavaScript: up to date');
}

/** Builds the npm package raw-socket, as `npm ci` runs no installation scripts. */
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

/** Node's headers, if they are next to its binary, as in Node's archives and most packages. Else node-gyp downloads them. */
function headers(): string[] {
  const prefix = resolve(process.execPath, '../..');
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

/** Makes `product`, unless out/built-from/PART records that it was made from the same inputs. Returns whether it did. */
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

/** The files that package.json's `bin` names. They must be made executable, which tsc does not do. */
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
