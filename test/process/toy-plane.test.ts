// SPDX-License-Identifier: Apache-2.0
// `sluice run` with a plane that follows docs/adding-a-plane.md: its processes, and transactions in which the plane refuses,
// hangs or dies. The real planes have tests of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { controlReload, controlStatus } from '../../src/control/api.ts';
import { ApiClient } from '../../src/core/api/client.ts';
import { describeAsRoot } from '../privileges.ts';
import { toyGreeting } from './toy-plane/plane.ts';

const program = fileURLToPath(new URL('toy-plane/run.ts', import.meta.url));
const patience = 30_000;

class Toy {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-toy-'));
  readonly file = join(this.folder, 'toy.yaml');
  readonly client = new ApiClient(join(this.folder, 'toy.sock'));
  readonly child: ChildProcess;
  log = '';

  constructor(text: string) {
    this.configure(text);
    const words = [`--import=${import.meta.resolve('tsx')}`, program, this.file, join(this.folder, 'toy.sock')];
    this.child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr?.setEncoding('utf8').on('data', part => {
      this.log += part;
    });
  }

  configure(text: string): void {
    writeFileSync(this.file, text);
  }

  async ready(): Promise<this> {
    await until('the toy answers', patience, async () => (await this.says()) !== undefined);
    return this;
  }

  /** The plane's answer and its process; undefined while it does not answer. */
  async says() {
    return await this.client.call(toyGreeting, {}).catch(() => undefined);
  }

  async status() {
    return await this.client.call(controlStatus, {});
  }

  async plane() {
    return (await this.status()).planes.find(({ name }) => name === 'toy');
  }

  reload() {
    return this.client.call(controlReload, {});
  }

  ended(): Promise<number | null> {
    const { child } = this;
    if (child.exitCode !== null) return Promise.resolve(child.exitCode);
    return new Promise(resolve => child.once('exit', status => resolve(status)));
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.ended();
    rmSync(this.folder, { recursive: true });
  }
}

let running: Toy | undefined;

async function start(text: string): Promise<Toy> {
  running = new Toy(text);
  return await running.ready();
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

function titleOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', '').trim();
}

/** A line of /proc/PID/status, as numbers in hexadecimal digits. */
function statusLine(pid: number, name: string): string[] {
  const line =
    readFileSync(`/proc/${pid}/status`, 'utf8')
      .split('\n')
      .find(each => each.startsWith(`${name}:`)) ?? '';
  return line.split(/\s+/).slice(1);
}

describeAsRoot('a plane beside control', () => {
  it('is given its part, answers through control, and is given another part on SIGHUP', async () => {
    const toy = await start('toy: { greeting: hello }');
    expect(await toy.says()).toMatchObject({ greeting: 'hello' });
    toy.configure('toy: { greeting: good day }');
    toy.child.kill('SIGHUP');
    await until('the plane says good day', patience, async () => (await toy.says())?.greeting === 'good day');
    expect(await toy.plane()).toMatchObject({ state: 'running', restarts: 0 });
  });

  it('keeps a SIGHUP that comes before everything is ready', async () => {
    const toy = new Toy('toy: { greeting: hello }');
    running = toy;
    await until('the supervisor has begun', patience, async () => titleOf(toy.child.pid) === 'sluice: supervisor');
    toy.child.kill('SIGHUP');
    await toy.ready();
    await until('the reload is reported', patience, async () => toy.log.includes('configuration applied'));
    expect(await toy.says()).toMatchObject({ greeting: 'hello' });
  });

  it('that refuses leaves everything as it was, and its words reach the person with place and code', async () => {
    const toy = await start('toy: { greeting: hello }');
    const { snapshot } = await toy.status();
    toy.configure('toy: { greeting: no, prepares: refuses }');
    await expect(toy.reload()).rejects.toMatchObject({
      code: 'SLUICE_CONFIG_INVALID',
      message: 'the toy does not say that: "no"',
    });
    expect(await toy.status()).toMatchObject({ snapshot });
    expect(await toy.says()).toMatchObject({ greeting: 'hello' });
  });

  it('that hangs has refused when the deadline is over, and takes the next change', async () => {
    const toy = await start('toy: { greeting: hello }');
    toy.configure('toy: { greeting: slow, prepares: hangs }');
    await expect(toy.reload()).rejects.toMatchObject({ code: 'SLUICE_PLANE_TIMEOUT' });
    expect(await toy.says()).toMatchObject({ greeting: 'hello' });
    toy.configure('toy: { greeting: quick }');
    await toy.reload();
    expect(await toy.says()).toMatchObject({ greeting: 'quick' });
  });

  it('that dies between prepare and commit is given the new snapshot in its next process', async () => {
    const toy = await start('toy: { greeting: hello }');
    const before = await toy.says();
    const once = join(toy.folder, 'once');
    writeFileSync(once, '');
    // The plane's process is an ordinary user's, and it must remove the file.
    chmodSync(toy.folder, 0o777);
    toy.configure(`toy: { greeting: again, prepares: dies, once: ${once} }`);
    const { id } = await toy.reload();
    expect(await toy.status()).toMatchObject({ snapshot: id });
    await until('the next process says again', patience, async () => (await toy.says())?.greeting === 'again');
    expect((await toy.says())?.pid).not.toBe(before?.pid);
    expect(await toy.plane()).toMatchObject({ restarts: 1, state: 'running' });
  });

  it('goes on when control crashes, and the next control goes on with the snapshot in force', async () => {
    const toy = await start('toy: { greeting: hello }');
    const [status, before] = [await toy.status(), await toy.says()];
    // The present content of the file was never applied.
    toy.configure('toy: { greeting: changed }');
    process.kill(status.pid, 'SIGKILL');
    await until('another control answers', patience, async () => {
      const next = await toy.status().catch(() => undefined);
      return next !== undefined && next.pid !== status.pid;
    });
    expect(await toy.status()).toMatchObject({ snapshot: status.snapshot });
    expect(await toy.says()).toEqual(before);
  });

  it('runs as an ordinary user without powers, as control does; the supervisor alone keeps those of root', async () => {
    const toy = await start('toy: { greeting: hello }');
    const { pid, planes } = await toy.status();
    for (const process of [pid, ...planes.flatMap(plane => plane.pid ?? [])]) {
      expect({ process, effective: statusLine(process, 'CapEff') }).toEqual({
        process,
        effective: ['0000000000000000'],
      });
      expect(statusLine(process, 'CapBnd')).toEqual(['0000000000000000']);
      expect(statusLine(process, 'NoNewPrivs')).toEqual(['1']);
    }
  });

  it('cannot be asked but by control', async () => {
    const toy = await start('toy: { greeting: hello }');
    const direct = new ApiClient(`/run/sluice-${toy.child.pid}/toy.sock`);
    await expect(direct.call(toyGreeting, {})).rejects.toMatchObject({
      message: expect.stringContaining('for other processes'),
    });
  });

  it('ends with the others when sluice is asked to end, and leaves no socket behind', async () => {
    const toy = await start('toy: { greeting: hello }');
    const { pid, planes } = await toy.status();
    toy.child.kill('SIGTERM');
    expect(await toy.ended()).toBe(0);
    for (const process of [pid, ...planes.flatMap(plane => plane.pid ?? [])]) {
      expect(() => statusLine(process, 'CapEff')).toThrow(/ENOENT/);
    }
    expect(() => readFileSync(`/run/sluice-${toy.child.pid}`)).toThrow(/ENOENT/);
  });

  it('that cannot do what is asked for at the start ends sluice with its words', async () => {
    const toy = new Toy('toy: { greeting: no, prepares: refuses }');
    running = toy;
    expect(await toy.ended()).toBe(1);
    expect(toy.log).toContain('toy: the toy does not say that: "no"');
  });
});
