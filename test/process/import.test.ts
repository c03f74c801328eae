// SPDX-License-Identifier: Apache-2.0
// `sluice import` as a process: what it writes, where, and how it ends.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runSluice } from './run-sluice.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-import-'));
  writeFileSync(join(folder, 'rules'), '-A -t 10.0.1.1:80 -s rr\n-a -t 10.0.1.1:80 -r 10.0.2.1:80 -m -w 3\n');
  writeFileSync(
    join(folder, 'good.conf'),
    'virtual_server 10.0.1.1 80 {\nprotocol TCP\nlb_algo rr\nlb_kind NAT\nreal_server 10.0.2.1 80 {\n}\n}\n',
  );
  writeFileSync(join(folder, 'vrrp.conf'), 'vrrp_instance V {\nstate MASTER\n}\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...words: string[]) => runSluice(['import', ...words], { folder });

it('rules of ipvsadm become a document that sluice check finds valid', async () => {
  expect(await run('ipvsadm', 'rules', '--output', 'rules.yaml')).toMatchObject({ status: 0, stdout: '' });
  expect(readFileSync(join(folder, 'rules.yaml'), 'utf8')).toContain('{ server: 10.0.2.1:80, weight: 3 } # rules:2');
  expect(await runSluice(['check', 'rules.yaml'], { folder })).toMatchObject({ status: 0 });
});

it('a configuration of keepalived without checks is valid, and a file is not overwritten without --force', async () => {
  expect(await run('keepalived', 'good.conf', '--output', 'good.yaml')).toMatchObject({ status: 0 });
  expect(await runSluice(['check', 'good.yaml'], { folder })).toMatchObject({ status: 0 });
  const again = await run('keepalived', 'good.conf', '--output', 'good.yaml');
  expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('--force') });
  expect(await run('keepalived', 'good.conf', '--output', 'good.yaml', '--force')).toMatchObject({ status: 0 });
});

it('what is not carried over makes the status 1, and with --strict nothing is written', async () => {
  const { status, stdout, stderr } = await run('keepalived', 'vrrp.conf');
  expect([status, stdout.includes('director:')]).toEqual([1, true]);
  expect(stderr).toContain('vrrp.conf:1: not carried over: vrrp_instance V');
  expect(await run('keepalived', 'vrrp.conf', '--strict')).toMatchObject({ status: 1, stdout: '' });
  const { stdout: json } = await run('keepalived', 'vrrp.conf', '--json', '--strict');
  expect(JSON.parse(json)).toMatchObject({ entries: [{ kind: 'lost', place: { file: 'vrrp.conf', line: 1 } }] });
});

it.each([[[]], [['haproxy', 'x']], [['keepalived']], [['ipvsadm', 'rules', '--id', 'a']], [['keepalived', 'a', 'b']]])(
  'misuse ends with status 2: %j',
  async words => {
    expect(await run(...words)).toMatchObject({ status: 2, stdout: '' });
  },
);

it('a file that is missing is named', async () => {
  expect(await run('keepalived', 'none.conf')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('none.conf'),
  });
});
