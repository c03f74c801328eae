// SPDX-License-Identifier: Apache-2.0
// The life of a configuration as a person sees it: check, apply, diff, history, rollback, confirm, export, and a restart.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice, virtual } from './running-sluice.ts';
import { sluiceCommand } from './sluice-command.ts';

const document = (ports: readonly number[]): string =>
  `director:\n  services:\n${ports
    .map(port => `    - { tcp: "${virtual}:${port}", scheduler: rr, servers: ["10.2.0.2:8080"] }\n`)
    .join('')}`;

let running: RunningSluice | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function start(...options: string[]): Promise<RunningSluice> {
  running = await RunningSluice.startEmpty(...options);
  return running;
}

function fileWith(sluice: RunningSluice, text: string, name = 'next.yaml'): string {
  const file = join(sluice.balancer.folder, name);
  writeFileSync(file, text);
  return file;
}

interface History {
  readonly entries: readonly { readonly action: string; readonly author: string; readonly reason?: string }[];
}

describeAsRoot('sluice run without a configuration', () => {
  it('begins with no service, takes what is applied, and goes back', async () => {
    const sluice = await start();
    const file = fileWith(sluice, document([80]));
    expect((await sluice.balancer.run([...sluiceCommand, 'check', file])).stdout).toContain('is valid: snapshot');
    const diff = await sluice.command('diff', file);
    expect(diff.stdout).toMatch(/^\+ .*192\.0\.2\.10:80/);

    const tried = await sluice.command('apply', file, '--dry-run');
    expect(tried).toMatchObject({ status: 0, stdout: expect.stringContaining('could come into force') });
    const applied = await sluice.command('apply', file, '--reason', 'the first service');
    expect(applied).toMatchObject({ status: 0, stderr: '' });
    await sluice.request(3);
    expect((await sluice.command('diff', file)).stdout).toBe('nothing is different\n');

    const { entries } = await sluice.ask<History>('history');
    expect(entries).toMatchObject([{ action: 'apply', reason: 'the first service' }, { action: 'start' }]);
    expect((await sluice.command('history')).stdout).toMatch(/\*2 .*apply.*the first service\n/);

    const exported = join(sluice.balancer.folder, 'exported.yaml');
    expect(await sluice.command('export', exported)).toMatchObject({ status: 0, stderr: '' });
    expect((await sluice.command('diff', exported)).stdout).toBe('nothing is different\n');
    expect((await sluice.command('export', exported)).stderr).toContain('--force');

    expect((await sluice.command('rollback')).stdout).toContain('192.0.2.10:80');
    await expect(sluice.request()).rejects.toThrow();
    expect((await sluice.command('show', '2')).stdout).toContain('192.0.2.10:80');
  });

  it('undoes what nobody confirms, and keeps what somebody does', async () => {
    const sluice = await start();
    const file = fileWith(sluice, document([80]));
    await sluice.command('apply', file, '--confirm', '2s');
    await until('the change is undone', 30_000, async () => {
      const { entries } = await sluice.ask<History>('history');
      return entries[0]?.action === 'expired';
    });
    await sluice.command('apply', file, '--confirm', '60s');
    expect((await sluice.command('apply', file)).stderr).toContain('sluice confirm');
    expect((await sluice.command('confirm')).stdout).toContain('stays in force');
    await sluice.request();
  });

  it('names the line of what is wrong with a file, and nothing changes', async () => {
    const sluice = await start();
    await sluice.command('apply', fileWith(sluice, document([80])));
    const wrong = fileWith(sluice, document([80]).replace('rr', 'rrr'), 'wrong.yaml');
    const { status, stderr } = await sluice.command('apply', wrong);
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringMatching(/wrong\.yaml:3:\d+: .*rrr/) });
    await sluice.request();
  });

  it('goes on by what was in force last when it is started again with --resume', async () => {
    const sluice = await start();
    await sluice.command('apply', fileWith(sluice, document([80])));
    sluice.program.kill('SIGTERM');
    await sluice.program.ending;
    await sluice.startAgain('--resume');
    await sluice.request();
    const { entries } = await sluice.ask<History>('history');
    expect(entries.map(({ action }) => action)).toEqual(['apply', 'start']);
  });

  it('refuses changes while the disk is full, keeps what runs, and takes them when there is room again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-small-'));
    const mount = `mount -t tmpfs -o size=64k none ${folder} && exec "$@"`;
    running = await RunningSluice.startUnder(['unshare', '--mount', 'sh', '-c', mount, 'sh'], '--state', folder);
    const sluice = running;
    await sluice.command('apply', fileWith(sluice, document([80])));
    const filler = `/proc/${await sluice.pid('supervisor')}/root${folder}/filler`;
    expect(() => writeFileSync(filler, Buffer.alloc(65_536))).toThrow('ENOSPC');
    const many = document(Array.from({ length: 200 }, (_, index) => 80 + index));
    const refused = await sluice.command('apply', fileWith(sluice, many));
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('cannot write the history') });
    await sluice.request();
    rmSync(filler);
    expect(await sluice.command('apply', fileWith(sluice, many))).toMatchObject({ status: 0, stderr: '' });
    rmSync(folder, { recursive: true });
  });

  it('is refused a second time on the same state folder', async () => {
    const sluice = await start();
    const folder = `${sluice.socket}.state`;
    const words = ['run', '--state', folder, '--socket', `${sluice.socket}2`];
    const second = await sluice.balancer.run([...sluiceCommand, ...words]);
    expect(second).toMatchObject({ status: 1, stderr: expect.stringContaining('another sluice keeps its history') });
  });
});
