// SPDX-License-Identifier: Apache-2.0
// Events on their way to a receiver on another host, over HTTPS, by the document of docs/events.md: what crashes of
// control, a restart and a receiver that is away do to them.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Program } from '../../lab/topology/program.ts';
import { until } from '../../lab/topology/until.ts';
import type { Status } from '../../src/cli/status.ts';
import type { SluiceEvent } from '../../src/core/events/event.ts';
import { documents } from '../docs/documents.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice } from './running-sluice.ts';

const patience = 60_000;
vi.setConfig({ testTimeout: 4 * patience, hookTimeout: patience });

const page = documents().find(({ path }) => path === 'docs/events.md');
const [block] = page?.blocks.filter(({ language }) => language === 'yaml') ?? [];

let folder = '';
let running: RunningSluice | undefined;

const here = (text: string): string => text.replaceAll('10.0.0.9', '10.1.0.2').replaceAll('/etc/sluice', folder);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-webhooks-'));
  chmodSync(folder, 0o755);
  mkdirSync(here('/etc/sluice/secrets/control'), { recursive: true });
  writeFileSync(here('/etc/sluice/secrets/control/alerts'), 'opensesame\n', { mode: 0o600 });
  const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=alerts -keyout key.pem';
  const names = ['-addext', 'subjectAltName=IP:10.1.0.2', '-out', 'ca.pem'];
  expect(spawnSync('openssl', [...words.split(' '), ...names], { cwd: folder }).status).toBe(0);
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  rmSync(folder, { recursive: true });
});

/** Prints a line for each request: its token and its body. */
const receiver = `
const { readFileSync } = require('node:fs');
const options = { key: readFileSync('key.pem'), cert: readFileSync('ca.pem') };
require('node:https').createServer(options, (request, answer) => {
  let body = '';
  request.on('data', part => { body += part; });
  request.on('end', () => { console.log(request.headers.authorization + '\\t' + body); answer.end(); });
}).listen(8443, () => console.log('listens'));`;

async function startReceiver(sluice: RunningSluice): Promise<Program> {
  const command = `cd ${folder} && exec "$0" -e "$1"`;
  const program = sluice.client.start('receiver', ['sh', '-c', command, process.execPath, receiver]);
  await program.ready({ prints: 'listens' });
  return program;
}

function eventsOf(...programs: readonly Program[]): SluiceEvent[] {
  return programs
    .flatMap(({ stdout }) => stdout.split('\n'))
    .filter(line => line.includes('\t'))
    .flatMap(line => JSON.parse(line.slice(line.indexOf('\t'))).events);
}

async function untilIt(has: string, programs: readonly Program[], count = 1): Promise<void> {
  await until(`the receiver has ${has}`, patience, async () => {
    return eventsOf(...programs).filter(({ kind }) => kind === has).length >= count;
  });
}

describeAsRoot('a webhook', () => {
  it('sends all events, over crashes, a restart and an absence of the receiver', async () => {
    const text = `${block?.lines.map(line => here(line.text)).join('\n')}\n`;
    const document = `director: { services: [{ tcp: 192.0.2.10:80, servers: [10.2.0.2:8080] }] }\n${text}`;
    const secrets = ['--secrets', here('/etc/sluice/secrets')];
    const sluice = await RunningSluice.startBy(document, ...secrets);
    running = sluice;
    const problems = async (): Promise<string> => JSON.stringify((await sluice.ask<Status>('status')).problems);

    // Nobody listens yet.
    sluice.configure('no document');
    expect((await sluice.command('reload')).status).not.toBe(0);
    await until('the status says so', patience, async () => (await problems()).includes('events are not delivered to'));
    expect(await problems()).toMatch(/webhook alerts.*ECONNREFUSED/);
    const first = await startReceiver(sluice);
    await untilIt('snapshot.refused', [first]);
    expect(first.stdout).toMatch(/^Bearer opensesame\t\{"host":/m);
    await until('all is well', patience, async () => !(await problems()).includes('webhook'));

    // Control crashes while nobody listens.
    await first.stop();
    const pid = await sluice.pid('control');
    process.kill(pid, 'SIGKILL');
    await until('the next control works', patience, async () => {
      return (await sluice.pid('control').catch(() => pid)) !== pid;
    });
    const second = await startReceiver(sluice);
    await untilIt('process.started-again', [second]);

    // A restart.
    sluice.configure(document);
    await sluice.program.stop();
    await sluice.startAgain('--config', join(sluice.balancer.folder, 'configuration'), ...secrets);
    await untilIt('sluice.started', [second]);
    const kinds = eventsOf(first, second).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(
      new Set(['snapshot.refused', 'process.crashed', 'process.started-again', 'sluice.ended', 'sluice.started']),
    );
    const { stdout } = await sluice.command('events', '--json');
    expect(stdout).toContain('sluice.started');
    for (const said of [sluice.program.stderr, await problems()]) expect(said).not.toContain('opensesame');
  });
});
