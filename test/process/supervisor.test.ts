// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createLogger } from '../../src/core/logger.ts';
import { LocalFiles } from '../../src/daemon/document-files.ts';
import { Hangups } from '../../src/daemon/hangups.ts';
import { controlPolicy } from '../../src/daemon/process-policy.ts';
import { Supervisor } from '../../src/daemon/supervisor.ts';
import { SupervisorAnswers } from '../../src/daemon/supervisor-answers.ts';
import { SystemdNotices } from '../../src/daemon/systemd-notices.ts';
import { programCommand } from './run-program.ts';

it('tells each plane its own token, and control alone where planes answer and what each wants to be told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-supervisor-'));
  try {
    const runtimeFolder = join(folder, 'run');
    const supervisor = new Supervisor({
      control: controlPolicy,
      planes: ['one', 'two'].map(name => ({ ...controlPolicy, name })),
      command: name => [...programCommand('record-work'), name, folder],
      user: undefined,
      adminSocket: join(folder, 'admin.sock'),
      runtimeFolder,
      log: 2,
      folders: { history: undefined, crashes: undefined },
      stateFolder: folder,
      before: undefined,
      build: 'of this test',
      answers: new SupervisorAnswers({ files: new LocalFiles({ source: {} }), secretsFolder: folder }),
      clock: systemClock,
      hangups: new Hangups(),
      systemd: new SystemdNotices({ environment: {}, pid: 0, clock: systemClock, tell: () => false }),
      logger: createLogger({ level: 'silent' }),
    });
    expect(await supervisor.run()).toEqual({ exitStatus: 1, message: 'enough' });
    const told = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
    const tokens = { one: told('one').token, two: told('two').token };
    expect(new Set(Object.values(tokens)).size).toBe(2);
    expect(told('one')).toEqual({ crashState: 'keep', replaces: false, token: tokens.one, planes: {} });
    expect(told('control')).toEqual({
      crashState: 'keep',
      replaces: false,
      planes: {
        one: { path: join(runtimeFolder, 'one.sock'), token: tokens.one },
        two: { path: join(runtimeFolder, 'two.sock'), token: tokens.two },
      },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
