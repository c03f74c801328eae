// SPDX-License-Identifier: Apache-2.0
// Which files a document may include, as it is read from a disk: whatever else stands behind a name is refused.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, SluiceError } from '../../../src/core/errors.ts';
import { documentFormat } from '../../../src/daemon/document.ts';
import { LocalFiles } from '../../../src/daemon/document-files.ts';
import { matchesName } from '../../../src/daemon/file-patterns.ts';
import { longestSecret, readSecret } from '../../../src/daemon/secret-files.ts';
import { describeAsRoot } from '../../privileges.ts';

let folder = '';
const path = (name: string): string => join(folder, 'config', name);

function write(name: string, text: string | Buffer): void {
  mkdirSync(dirname(path(name)), { recursive: true });
  writeFileSync(path(name), text);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-files-'));
  write('sluice.yaml', 'include: [parts/*.yaml]\n');
  mkdirSync(path('parts'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const load = async (main = path('sluice.yaml')) =>
  await documentFormat.load(main, new LocalFiles({ source: { config: main } }));

async function wrong(): Promise<string> {
  const error: unknown = await load().catch((reason: unknown) => reason);
  if (!(error instanceof SluiceError)) throw error;
  expect(error).toBeInstanceOf(ConfigError);
  return error.message;
}

const warn = 'process: { log_level: warn }\n';

describe('a file that a document includes', () => {
  it('is read from its folder, also through symbolic links that stay in it', async () => {
    write('parts/..data/real.yaml', warn);
    symlinkSync('..data/real.yaml', path('parts/link.yaml'));
    expect((await load()).process.logLevel).toBe('warn');
  });

  it('counts once under two names', async () => {
    write('parts/a.yaml', warn);
    symlinkSync('a.yaml', path('parts/b.yaml'));
    expect((await load()).process.logLevel).toBe('warn');
  });

  it('is found where the main file is named by a relative path', async () => {
    write('parts/a.yaml', warn);
    const before = process.cwd();
    process.chdir(join(folder, 'config'));
    try {
      expect((await load('sluice.yaml')).process.logLevel).toBe('warn');
    } finally {
      process.chdir(before);
    }
  });

  it.each<[string, () => void, RegExp]>([
    ['a pipe', () => spawnSync('mkfifo', [path('parts/a.yaml')]), /parts\/a\.yaml: this is no regular file/],
    ['a folder', () => mkdirSync(path('parts/a.yaml')), /parts\/a\.yaml: this is no regular file/],
    [
      'a link to a device without an end',
      () => symlinkSync('/dev/zero', path('parts/a.yaml')),
      /not in the folder of the main file/,
    ],
    [
      'a link out of the folder',
      () => {
        writeFileSync(join(folder, 'outside.yaml'), warn);
        symlinkSync('../../outside.yaml', path('parts/a.yaml'));
      },
      /the file is not in the folder of the main file: ".*\/outside\.yaml"/,
    ],
    [
      'a link to a file with another kind of name',
      () => {
        write('key.pem', 'x');
        symlinkSync('../key.pem', path('parts/a.yaml'));
      },
      /does not end in \.yaml or \.yml: ".*\/key\.pem"/,
    ],
    ['a link to nothing', () => symlinkSync('nothing', path('parts/a.yaml')), /parts\/a\.yaml: .*ENOENT, no such file/],
    ['a link to itself', () => symlinkSync('a.yaml', path('parts/a.yaml')), /parts\/a\.yaml: .*ELOOP/],
    ['a file of another encoding', () => write('parts/a.yaml', Buffer.from([0x61, 0xe9, 0x0a])), /not UTF-8/],
    [
      'a file of 100 MB',
      () => {
        write('parts/a.yaml', '');
        truncateSync(path('parts/a.yaml'), 100_000_000);
      },
      /too long/,
    ],
    [
      'a path above the folder',
      () => write('sluice.yaml', 'include: [../outside.yaml]\n'),
      /not in the folder of the main file/,
    ],
    ['a pattern above the folder', () => write('sluice.yaml', 'include: [parts/../../*.yaml]\n'), /not in the folder/],
    ['a name of another kind', () => write('sluice.yaml', 'include: [key.pem]\n'), /does not end in \.yaml or \.yml/],
    [
      'a folder that is not there',
      () => write('sluice.yaml', 'include: [none/*.yaml]\n'),
      /cannot read the folder .*none: .*ENOENT/,
    ],
    ['a name that is too long', () => write('sluice.yaml', `include: [${'x'.repeat(300)}.yaml]\n`), /ENAMETOOLONG/],
  ])('is refused with its place when it is %s', async (_what, make, message) => {
    make();
    expect(await wrong()).toMatch(message);
    expect(await wrong()).toContain(`${path('sluice.yaml')}:1:11: cannot include `);
  });

  it('may be one of ten thousand', async () => {
    for (let index = 0; index < 10_000; index++) {
      const service = `director: { services: [{ tcp: "10.1.${index >> 8}.${index & 255}:80", servers: [10.0.2.1] }] }\n`;
      writeFileSync(path(`parts/${index}.yaml`), service);
    }
    expect((await load()).director.services).toHaveLength(10_000);
  }, 300_000);

  it('is not there for a document from standard input', async () => {
    const files = new LocalFiles({ source: { config: '/dev/stdin' } });
    await expect(files.matches('/dev/a.yaml')).rejects.toThrow(/standard input has no folder/);
  });
});

describe('a main file', () => {
  it('of 100 MB is refused at once', async () => {
    truncateSync(path('sluice.yaml'), 100_000_000);
    await expect(load()).rejects.toThrow(/too long/);
  });

  it('has the variables that it uses, and no others', async () => {
    process.env.SLUICE_TEST_LEVEL = 'warn';
    process.env.SLUICE_TEST_OTHER = 'other';
    write('sluice.yaml', 'process: { log_level: "${SLUICE_TEST_LEVEL}" }\n');
    const files = new LocalFiles({ source: { config: path('sluice.yaml') } });
    expect((await files.read(path('sluice.yaml'))).variables).toEqual({ SLUICE_TEST_LEVEL: 'warn' });
    expect((await load()).process.logLevel).toBe('warn');
  });
});

describe('a name', () => {
  it.each([
    ['*', 'a', true],
    ['*', '', true],
    ['a*c', 'abbc', true],
    ['a*c', 'abbd', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['*.yaml', 'x.yaml', true],
    ['*.yaml', 'x.yaml.bak', false],
    ['*a*b', 'xaxbxab', true],
    ['[a].yaml', 'a.yaml', false],
    ['[a].yaml', '[a].yaml', true],
    ['', '', true],
    ['', 'a', false],
  ])('%s stands for %s: %s', (pattern, name, matches) => {
    expect(matchesName(pattern, name)).toBe(matches);
  });

  it('is compared in no time, however many wildcards there are', () => {
    const begin = performance.now();
    expect(matchesName(`${'*a'.repeat(500)}b`, 'a'.repeat(255))).toBe(false);
    expect(performance.now() - begin).toBeLessThan(1000);
  });
});

describe('a secret', () => {
  const secret = (): string => join(folder, 'secrets', 'password');
  const content = 'correct horse\n';
  beforeEach(() => {
    mkdirSync(join(folder, 'secrets'));
    writeFileSync(secret(), content, { mode: 0o600 });
  });
  const read = () => readSecret(secret(), join(folder, 'secrets'));

  it('is read as it is', async () => {
    expect((await read()).toString()).toBe(content);
  });

  it.each<[string, () => void, RegExp]>([
    ['can be read by others', () => chmodSync(secret(), 0o604), /others than its owner can use the secret.*chmod 600 /],
    ['can be read by its group', () => chmodSync(secret(), 0o640), /others than its owner can use the secret/],
    ['is too long', () => truncateSync(secret(), longestSecret + 1), /the file is too long.*64 KiB/],
    ['is not there', () => rmSync(secret()), /ENOENT, no such file/],
    [
      'is a pipe',
      () => {
        rmSync(secret());
        spawnSync('mkfifo', ['-m', '600', secret()]);
      },
      /no regular file/,
    ],
    [
      'is a link out of the folder of secrets',
      () => {
        rmSync(secret());
        writeFileSync(join(folder, 'key'), content, { mode: 0o600 });
        symlinkSync('../key', secret());
      },
      /the secret is not in the folder .*--secrets DIR/,
    ],
  ])('is refused when it %s, and what it has is not said', async (_what, make, message) => {
    make();
    const error = await read().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SluiceError);
    expect((error as Error).message).toMatch(message);
    expect(JSON.stringify(error)).not.toContain('horse');
  });

  describeAsRoot('of another user', () => {
    it('is refused', async () => {
      chownSync(secret(), 65_534, 65_534);
      await expect(read()).rejects.toThrow(/the secret is not owned by root.*chown root/);
    });
  });

  it('is refused where it is not in the folder of secrets', async () => {
    await expect(readSecret('/etc/shadow', join(folder, 'secrets'))).rejects.toThrow(/the secret is not in the folder/);
    await expect(readSecret(join(folder, 'secrets/../x'), join(folder, 'secrets'))).rejects.toThrow(
      /not in the folder/,
    );
  });
});
