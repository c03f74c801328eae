// SPDX-License-Identifier: Apache-2.0
// The API over TCP as the network sees it: curl from another host, by the commands and the document of
// docs/network-access.md, with and without token, certificate and TLS; what a change, a refused change and a crash of
// control do to it.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import type { controlHistory } from '../../src/control/api.ts';
import type { AnswerOf } from '../../src/core/api/route.ts';
import { documents } from '../docs/documents.ts';
import { describeAsRoot } from '../privileges.ts';
import { RunningSluice } from './running-sluice.ts';

const patience = 60_000;
vi.setConfig({ testTimeout: 3 * patience, hookTimeout: patience });

const page = documents().find(({ path }) => path === 'docs/network-access.md');
const services = 'director: { services: [{ tcp: 192.0.2.10:80, servers: [10.2.0.2:8080] }] }\n';

let folder = '';
let running: RunningSluice | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-listeners-'));
  chmodSync(folder, 0o755);
  for (const command of shown('sh')[0] ?? []) {
    const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
    expect({ status, command }, stderr).toEqual({ status: 0, command });
  }
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  rmSync(folder, { recursive: true });
});

/** The lines of the blocks of the page, with the address and the folder of this test. */
function shown(language: string): string[][] {
  const blocks = page?.blocks.filter(block => block.language === language) ?? [];
  return blocks.map(({ lines }) => lines.map(({ text }) => here(text)));
}

const here = (text: string): string => text.replaceAll('10.0.0.5', '10.1.0.1').replaceAll('/etc/sluice', folder);

const certificate = (): string => here('/etc/sluice/api.pem');
const token = (): string => readFileSync(here('/etc/sluice/secrets/control/deploy'), 'utf8').trim();
const bearer = (): string[] => ['--header', `Authorization: Bearer ${token()}`];

/** Both ports of the page. */
function listeners(): string {
  const [metrics = [], [, , ...everything] = []] = shown('yaml');
  return `${services}${[...metrics, ...everything].join('\n')}\n`;
}

const start = (): Promise<RunningSluice> =>
  RunningSluice.startBy(listeners(), '--secrets', here('/etc/sluice/secrets'));

/** From the client: the status and the body. */
async function ask(sluice: RunningSluice, url: string, ...more: string[]): Promise<string> {
  const words = [
    'curl',
    '-sS',
    '--max-time',
    '10',
    '--cacert',
    certificate(),
    '-w',
    '\n%{http_code}',
    ...more,
  ] as const;
  const { stdout, stderr } = await sluice.client.run([...words, url]);
  return stderr === '' ? stdout : stderr;
}

describeAsRoot('the API over TCP', () => {
  it('answers metrics to everybody, and the rest over TLS to those who know a token', async () => {
    running = await start();
    const sluice = running;
    const [metrics, api] = ['http://10.1.0.1:9843', 'https://10.1.0.1:9844'];
    expect(await ask(sluice, `${metrics}/metrics`)).toMatch(/^sluice_snapshot_info\{/m);
    expect(await ask(sluice, `${metrics}/control/status`)).toMatch(/there is no such question[\s\S]*\n404$/);
    expect(await ask(sluice, `${api}/metrics`)).toMatch(/this port wants a token[\s\S]*\n401$/);
    expect(await ask(sluice, `${api}/metrics`, '--header', 'Authorization: Bearer x')).toMatch(/\n401$/);
    expect(await ask(sluice, 'http://10.1.0.1:9844/metrics', ...bearer())).toMatch(/curl: \(\d+\)/);
    expect(await ask(sluice, `${api}/control/status`, ...bearer())).toMatch(/"snapshot":[\s\S]*\n200$/);
    expect(await ask(sluice, `${api}/director/services`, ...bearer())).toMatch(/192\.0\.2\.10[\s\S]*\n200$/);

    // The commands of the page.
    for (const command of shown('sh')[1] ?? []) {
      const { status, stdout, stderr } = await sluice.client.run(['sh', '-c', command]);
      expect({ status, command }, stderr).toEqual({ status: 0, command });
      expect(stdout).not.toContain('"error"');
    }

    // The author is the token's name, whatever the client says.
    sluice.configure(`${listeners()}process: {}\n`.replace('8080', '8081'));
    const said = '{"author":"root","reason":"another port"}';
    const form = ['--header', 'Content-Type: application/json', '--data', said];
    expect(await ask(sluice, `${api}/control/reload`, ...bearer(), ...form)).toMatch(/\n200$/);
    const { entries } = await sluice.ask<AnswerOf<typeof controlHistory>>('history');
    expect(entries[0]).toMatchObject({ author: 'token deploy@10.1.0.2', reason: 'another port' });
    for (const text of [sluice.program.stdout, sluice.program.stderr, (await sluice.command('show')).stdout])
      expect(text).not.toContain(token());

    // Control crashes: the next one opens the ports again.
    const pid = await sluice.pid('control');
    process.kill(pid, 'SIGKILL');
    await until('the next control answers over TCP', patience, async () =>
      (await ask(sluice, `${api}/control/status`, ...bearer())).endsWith('\n200'),
    );
    expect(await sluice.pid('control')).not.toBe(pid);
    expect(await ask(sluice, `${metrics}/metrics`)).toMatch(/\n200$/);
  });

  it('stays as it is when a change is refused, and is closed when the section is gone', async () => {
    running = await start();
    const sluice = running;
    const status = (): Promise<string> => ask(sluice, 'https://10.1.0.1:9844/control/status', ...bearer());
    const refused = async (problem: RegExp): Promise<void> => {
      const { status: ended, stderr } = await sluice.command('reload');
      expect(stderr).toMatch(problem);
      expect(ended).not.toBe(0);
      expect(await status()).toMatch(/\n200$/);
    };
    const instead = (text: string, other: string): void => sluice.configure(listeners().replace(text, other));
    instead('10.1.0.1:9844', '10.9.9.9:9844');
    await refused(
      /cannot listen for the API: listen: EADDRNOTAVAIL.*"10\.9\.9\.9:9844" \(write an address that the host has\)/,
    );
    instead('10.1.0.1:9844', `10.1.0.1:${await portInUse(sluice)}`);
    await refused(/cannot listen for the API: listen: EADDRINUSE/);
    instead('10.1.0.1:9844', '10.1.0.1:443');
    await refused(/api\.listen\[1\]\.address has a port that root alone can open/);
    writeFileSync(join(folder, 'broken.pem'), 'no certificate');
    instead(certificate(), join(folder, 'broken.pem'));
    await refused(/broken\.pem: this is no certificate/);

    sluice.configure(services);
    expect((await sluice.command('reload')).status).toBe(0);
    expect(await ask(sluice, 'http://10.1.0.1:9843/metrics')).toMatch(/curl: \(7\)/);
  });

  it('does not take the admin socket away when it is flooded', async () => {
    running = await start();
    const sluice = running;
    const pid = await sluice.pid('control');
    const floods = sluice.client.start('flood', [process.execPath, '-e', flood]);
    await floods.ready({ prints: 'begun' });
    for (let count = 0; count < 5; count++) expect((await sluice.command('status')).status).toBe(0);
    expect(floods.hasEnded).toBe(false);
    await floods.stop();
    await until('there is room again', patience, async () =>
      (await ask(sluice, 'https://10.1.0.1:9844/control/status', ...bearer())).endsWith('\n200'),
    );
    expect(await sluice.pid('control')).toBe(pid);
  });
});

/** Connections without end: garbage, half a request, nothing at all, and handshakes, on both ports. */
const flood = `
const { connect } = require('node:net');
const tls = require('node:tls');
const open = () => {
  const port = Math.random() < 0.5 ? 9843 : 9844;
  const options = { host: '10.1.0.1', port, rejectUnauthorized: false };
  const socket = Math.random() < 0.3 ? tls.connect(options) : connect(options);
  const bytes = ['', 'GET /metrics HTTP/1.1\\r\\n', 'GET /metrics HTTP/1.1\\r\\n\\r\\n', 'x'.repeat(50000)];
  socket.on('error', () => {}).on('close', () => setTimeout(open, 10)).resume();
  socket.write(bytes[Math.floor(Math.random() * bytes.length)] || '\\x16');
};
for (let count = 0; count < 200; count++) open();
setTimeout(() => console.log('begun'), 1000);`;

/** Of another program on the balancer. */
async function portInUse(sluice: RunningSluice): Promise<number> {
  const program = "require('node:net').createServer().listen(9900, () => console.log('listens'))";
  await sluice.balancer.start('other', [process.execPath, '-e', program]).ready({ prints: 'listens' });
  return 9900;
}
