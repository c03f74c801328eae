// SPDX-License-Identifier: Apache-2.0
// A secret by file on its whole way: a plane has its content, and nothing that is written anywhere has. The content is
// random; it is searched for in every file, log, answer and error, in each form in which it could be written. Control
// never has it in its memory.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { controlApply, controlHistory, controlSnapshot } from '../../src/control/api.ts';
import { sha256 } from '../../src/core/config/canonical.ts';
import { describeAsRoot } from '../privileges.ts';
import { sluiceCommand } from './sluice-command.ts';
import { patience, RunningToy } from './toy-plane/running-toy.ts';

vi.setConfig({ testTimeout: 4 * patience, hookTimeout: patience });

let running: RunningToy | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const canary = `canary-${randomBytes(24).toString('hex')}`;

/** What of the canary could be found: itself, and as base64 at each of three offsets, hex and UTF-16. */
const forms: readonly Buffer[] = [
  Buffer.from(canary),
  ...[0, 1, 2].map(offset => Buffer.from(Buffer.from(canary.slice(offset, offset + 30)).toString('base64'))),
  Buffer.from(Buffer.from(canary).toString('hex')),
  Buffer.from(canary, 'utf16le'),
];

function hasCanary(content: Buffer | string): boolean {
  const bytes = Buffer.from(content);
  return forms.some(form => bytes.includes(form));
}

/** Files below the folder that have the canary. */
function filesWithCanary(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .filter(file => hasCanary(readFileSync(file)));
}

/** Whether a process has the canary in memory that it can write to. */
function memoryHasCanary(pid: number): boolean {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8')
      .split('\n')
      .map(line => /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line))
      .filter(match => match !== null)
      .some(([, from = '', to = '']) => rangeHasCanary(memory, Number.parseInt(from, 16), Number.parseInt(to, 16)));
  } finally {
    closeSync(memory);
  }
}

const piece = 16 << 20;

function rangeHasCanary(memory: number, from: number, to: number): boolean {
  const buffer = Buffer.alloc(piece);
  for (let at = from; at < to; at += piece / 2) {
    try {
      const count = readSync(memory, buffer, 0, Math.min(piece, to - at), at);
      if (hasCanary(buffer.subarray(0, count))) return true;
    } catch {
      // Memory that is only reserved.
    }
  }
  return false;
}

describe('the search for the canary', () => {
  it('finds it in each form', () => {
    expect(hasCanary(`x${canary}x`)).toBe(true);
    for (const before of ['', 'a', 'ab']) expect(hasCanary(Buffer.from(before + canary).toString('base64'))).toBe(true);
    expect(hasCanary(canary.slice(1))).toBe(false);
  });
});

describeAsRoot('a secret by file', () => {
  it('reaches its plane and nothing else, whatever happens', async () => {
    const written: string[] = [];
    const toy = new RunningToy('include: [parts/*.yaml]\n', {
      environment: { SLUICE_GREETING: 'hello', SLUICE_OTHER: canary, PASSWORD: canary },
      prepare: folder => {
        mkdirSync(join(folder, 'secrets'), { mode: 0o700 });
        mkdirSync(join(folder, 'parts'));
        writeFileSync(join(folder, 'secrets', 'password'), `${canary}\n`, { mode: 0o600 });
        writeFileSync(join(folder, 'parts', 'toy.yaml'), partOf(folder, 'greeting: ${SLUICE_GREETING}'));
      },
    });
    running = toy;
    await toy.ready();
    const secret = join(toy.folder, 'secrets', 'password');
    const part = join(toy.folder, 'parts', 'toy.yaml');
    expect(await toy.says()).toMatchObject({ greeting: 'hello', fingerprint: sha256(canary) });

    // A change that is refused, by the plane and because the secret cannot be used.
    const refused = async (place: RegExp): Promise<void> => {
      const error: unknown = await toy.reload().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect((error as Error).message).toMatch(place);
      written.push((error as Error).message, JSON.stringify(error), String((error as Error).stack));
    };
    writeFileSync(part, partOf(toy.folder, 'greeting: no\n  prepares: refuses'));
    await refused(/the toy does not say that/);
    writeFileSync(part, partOf(toy.folder, 'greeting: good day'));
    chmodSync(secret, 0o644);
    await refused(/parts\/toy\.yaml:2:21: toy\.password: others than its owner can use the secret: ".*" \(chmod 600 /);
    rmSync(secret);
    await refused(/parts\/toy\.yaml:2:21: toy\.password: cannot read the file: open: ENOENT/);
    expect(await toy.says()).toMatchObject({ greeting: 'hello', fingerprint: sha256(canary) });
    writeFileSync(secret, canary, { mode: 0o600 });

    // A document that names another file of root, over the API.
    const stolen = { toy: { greeting: 'stolen', password: { file: '/etc/shadow' } } };
    await expect(toy.client.call(controlApply, { document: stolen })).rejects.toThrow(
      /toy\.password: the secret is not in the folder/,
    );

    // A crash: the next process reads the secret again.
    const before = await toy.pid('toy');
    process.kill(before, 'SIGSEGV');
    await toy.replaced('toy', before);
    await until(
      'the next process has the secret',
      patience,
      async () => (await toy.says())?.fingerprint === sha256(canary),
    );
    const control = await toy.pid('control');
    process.kill(control, 'SIGSEGV');
    await toy.replaced('control', control);
    written.push(JSON.stringify(await toy.reload()));
    expect(await toy.says()).toMatchObject({ greeting: 'good day', fingerprint: sha256(canary) });

    // Everything that can be asked.
    for (const route of [controlHistory, controlSnapshot])
      written.push(JSON.stringify(await toy.client.call(route, {})));
    written.push(JSON.stringify(await toy.status()), JSON.stringify(await toy.says()));
    const socket = ['--socket', join(toy.folder, 'toy.sock')];
    for (const words of [['status'], ['history'], ['show'], ['show', '--json'], ['export'], ['diff'], ['reload']]) {
      const { stdout, stderr } = run([...words, ...socket]);
      written.push(stdout, stderr);
    }
    const shown = run(['show', ...socket]).stdout;
    expect(shown).toContain(`file: ${secret}`);
    for (const pid of await toy.pids()) {
      const own = `/proc/${pid}`;
      written.push(readFileSync(`${own}/cmdline`, 'utf8'));
      if (pid !== toy.child.pid) written.push(readFileSync(`${own}/environ`, 'utf8'));
    }
    expect(memoryHasCanary(await toy.pid('toy')), 'the search finds the canary where it must be').toBe(true);
    expect(memoryHasCanary(await toy.pid('control'))).toBe(false);

    expect(written.filter(hasCanary)).toEqual([]);
    expect(hasCanary(toy.log)).toBe(false);
    expect(filesWithCanary(toy.folder)).toEqual([secret]);
  });
});

function partOf(folder: string, words: string): string {
  return `toy:\n  password: { file: ${folder}/secrets/password }\n  ${words}\n`;
}

function run(words: readonly string[]): { readonly stdout: string; readonly stderr: string } {
  const [program = '', ...args] = [...sluiceCommand, ...words];
  return spawnSync(program, args, { encoding: 'utf8' });
}
