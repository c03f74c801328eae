// SPDX-License-Identifier: Apache-2.0
// Which secrets the processes get: an attacker who has taken one asks for others.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LocalFiles } from '../../../src/daemon/document-files.ts';
import { SupervisorAnswers } from '../../../src/daemon/supervisor-answers.ts';

let folder = '';
let answers: SupervisorAnswers;
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
  mkdirSync(at('control'));
  for (const name of ['password', 'control/token']) writeFileSync(at(name), name, { mode: 0o600 });
  symlinkSync(at('password'), at('control/link'));
  const files = new LocalFiles({ source: {}, secretsFolder: folder });
  answers = new SupervisorAnswers({ files, secretsFolder: folder });
});

afterAll(() => rmSync(folder, { recursive: true }));

const content = (text: string) => ({ answer: { secret: Buffer.from(text).toString('base64') } });
const refusal = { error: { message: expect.any(String) } };

describe('control', () => {
  const ask = (secret: string) => answers.answer('control', true, { secret });

  it('gets the secrets of its own folder', async () => {
    expect(await ask(at('control/token'))).toEqual(content('control/token'));
  });

  it.each(['password', 'control/link', 'control/../password', 'control', 'missing'])('does not get %s', async name => {
    expect(await ask(`${folder}/${name}`)).toMatchObject(refusal);
  });
});

describe('a plane', () => {
  it('gets the secrets that control has granted to it, and no others', async () => {
    const ask = (plane: string) => answers.answer(plane, false, { secret: at('password') });
    expect(await ask('health')).toMatchObject(refusal);
    expect(await answers.answer('control', true, { grant: { plane: 'health', file: at('password') } })).toEqual({
      answer: {},
    });
    expect(await ask('health')).toEqual(content('password'));
    expect(await ask('director')).toMatchObject(refusal);
  });
});
