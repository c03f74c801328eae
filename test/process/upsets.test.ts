// SPDX-License-Identifier: Apache-2.0
// What becomes of `sluice run` when its processes die, hang, say what does not fit or are signalled, with two planes at
// once. The planes are toys (docs/adding-a-plane.md).
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { encodeFrame } from '../../src/core/message-frames.ts';
import { messageVersion } from '../../src/core/messages.ts';
import { addonPath } from '../../src/native/addon.ts';
import { describeAsRoot } from '../privileges.ts';
import { commandLine, patience, RunningToy, statusLine, type ToyOptions } from './toy-plane/running-toy.ts';

vi.setConfig({ testTimeout: 3 * patience, hookTimeout: patience });

let running: RunningToy | undefined;

async function start(text: string, options?: ToyOptions): Promise<RunningToy> {
  running = new RunningToy(text, options);
  return await running.ready();
}

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const both = (toy: string, other: string): string => `toy: { greeting: ${toy} }\nother: { greeting: ${other} }\n`;

const said = (kind: string, fields: unknown): Buffer => encodeFrame({ version: messageVersion, kind, fields }, 1 << 20);

describeAsRoot('two planes', () => {
  it('get a change both or neither', async () => {
    const toy = await start(both('hello', 'bonjour'));
    expect([await toy.says(), await toy.otherSays()]).toMatchObject([{ greeting: 'hello' }, { greeting: 'bonjour' }]);
    toy.configure(both('hi', 'salut'));
    await toy.reload();
    expect([await toy.says(), await toy.otherSays()]).toMatchObject([{ greeting: 'hi' }, { greeting: 'salut' }]);
    toy.configure('toy: { greeting: good day }\nother: { greeting: no, prepares: refuses }\n');
    await expect(toy.reload()).rejects.toMatchObject({ code: 'SLUICE_CONFIG_INVALID' });
    expect([await toy.says(), await toy.otherSays()]).toMatchObject([{ greeting: 'hi' }, { greeting: 'salut' }]);
  });

  it('go on one without the other: one that dies is replaced by the one that stands by', async () => {
    const toy = await start(both('hello', 'bonjour'));
    await until('one stands by', patience, async () => (await toy.process('other')).standsBy !== undefined);
    const [before, { pid = 0, standsBy }] = [await toy.says(), await toy.process('other')];
    process.kill(pid, 'SIGKILL');
    await toy.replaced('other', pid);
    expect(await toy.otherSays()).toEqual({ greeting: 'bonjour', pid: standsBy });
    expect(await toy.says()).toEqual(before);
  });

  it('are carried on by their next processes while control is not there', async () => {
    const toy = await start(both('hello', 'bonjour'));
    const [control, plane] = [await toy.pid('control'), await toy.pid('toy')];
    // Control lives, and does nothing.
    process.kill(control, 'SIGSTOP');
    process.kill(plane, 'SIGKILL');
    await toy.logs('goes on by the part that was in force');
    process.kill(control, 'SIGCONT');
    await toy.replaced('toy', plane);
    expect(await toy.says()).toMatchObject({ greeting: 'hello' });
    expect(await toy.pid('control')).toBe(control);
  });

  it('of which one is added by a reload and dies of it leave the other, and the snapshot, as they were', async () => {
    const toy = await start('toy: { greeting: hello }');
    const [{ snapshot }, before] = [await toy.status(), await toy.says()];
    toy.configure('toy: { greeting: hi }\nother: { greeting: bonjour, prepares: dies-preparing }\n');
    await expect(toy.reload()).rejects.toThrow();
    expect(await toy.status()).toMatchObject({ snapshot });
    expect(await toy.says()).toEqual(before);
    await until('the other is stopped', patience, async () => (await toy.process('other')).state === 'stopped');
    toy.configure(both('hi', 'bonjour'));
    await toy.reload();
    expect(await toy.otherSays()).toMatchObject({ greeting: 'bonjour' });
  });

  it('of which one is added by a reload and dies when it commits: the next process is given the new snapshot', async () => {
    const toy = await start('toy: { greeting: hello }');
    toy.configure(`toy: { greeting: hi }\nother: { greeting: bonjour, prepares: dies, once: ${toy.once()} }\n`);
    const { id } = await toy.reload();
    expect(await toy.status()).toMatchObject({ snapshot: id });
    await until('the other says bonjour', patience, async () => (await toy.otherSays())?.greeting === 'bonjour');
    expect(await toy.says()).toMatchObject({ greeting: 'hi' });
  });
});

describeAsRoot('the supervisor', () => {
  it('goes on when the file has become a pipe that nobody writes to, and so do changes', async () => {
    const toy = await start('toy: { greeting: hello }');
    rmSync(toy.file);
    spawnSync('mkfifo', [toy.file]);
    await expect(toy.reload()).rejects.toMatchObject({ message: expect.stringContaining('no regular file') });
    const plane = await toy.pid('toy');
    process.kill(plane, 'SIGKILL');
    await toy.replaced('toy', plane);
    rmSync(toy.file);
    toy.configure('toy: { greeting: hi }');
    await toy.reload();
    expect(await toy.says()).toMatchObject({ greeting: 'hi' });
  });

  it('has processes in which nobody can open a debugger', async () => {
    const toy = await start('toy: { greeting: hello }');
    const plane = await toy.pid('toy');
    process.kill(plane, 'SIGUSR1');
    expect(await toy.says()).toMatchObject({ greeting: 'hello', pid: plane });
    const { stdout } = spawnSync('ss', ['--no-header', '--listening', '--tcp', '--processes'], { encoding: 'utf8' });
    expect(stdout).not.toContain(`pid=${plane},`);
  });

  it('survives whatever bytes come from a plane, kills that and replaces it', async () => {
    const toy = await start(both('hello', 'bonjour'));
    const supervisor = await toy.process('supervisor');
    for (const bytes of [
      Buffer.from('{"cmd":"NODE_HANDLE","type":"net.Socket"}\n{{{\n'),
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0, 0, 0, 1, 0x7b]),
      // Brackets in brackets, and spaces without end.
      Buffer.concat([Buffer.from([0, 0, 0xff, 0]), Buffer.alloc(0xff00, '[')]),
      said('please', ' '.repeat(60_000)),
      Buffer.concat([...Array<Buffer>(1000).fill(said('ready', {})), said('x', {})]),
    ]) {
      const { pid = 0, restarts } = await toy.process('other');
      const harm = `prepares: babbles, once: ${toy.once()}, bytes: "${bytes.toString('base64')}"`;
      toy.configure(`toy: { greeting: hello }\nother: { greeting: bonjour, ${harm} }\n`);
      // The plane may be killed before or after it has confirmed.
      await toy.reload().catch(() => undefined);
      await toy.replaced('other', pid);
      // Until the plane has caught up, the status says why it runs by no snapshot.
      await until('the reason of its end is told', patience, async () => {
        const { lastError } = await toy.process('other');
        return lastError?.message === `process ${pid} said something that does not fit and was killed`;
      });
      expect((await toy.process('other')).restarts).toBe(restarts + 1);
    }
    expect(await toy.process('supervisor')).toEqual(supervisor);
  });

  it('finds out that a plane hangs, and the one that stands by takes its place', async () => {
    const toy = await start(both('hello', 'bonjour'));
    await until('one stands by', patience, async () => (await toy.process('other')).standsBy !== undefined);
    const { pid = 0, standsBy } = await toy.process('other');
    toy.configure(`toy: { greeting: hello }\nother: { greeting: salut, prepares: spins, once: ${toy.once()} }\n`);
    await toy.reload().catch(() => undefined);
    await toy.replaced('other', pid);
    await until('the reason of its end is told', patience, async () => {
      return (await toy.process('other')).lastError?.message.includes('did not react') === true;
    });
    expect((await toy.process('other')).pid).toBe(standsBy);
    await until('the other says salut', patience, async () => (await toy.otherSays())?.greeting === 'salut');
  });

  it('starts processes with no variables but those that it names, whose memory no other process of their user can read', async () => {
    const toy = await start(both('hello', 'bonjour'), { environment: { SECRET_OF_ROOT: 'x', TZ: 'UTC' } });
    for (const pid of (await toy.pids()).filter(each => each !== toy.child.pid)) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      expect(environment).toContain('TZ=UTC');
      expect(environment.filter(each => each.startsWith('SECRET'))).toEqual([]);
    }
    const nobody = ['--reuid=nobody', '--regid=nogroup', '--clear-groups', '--'];
    for (const name of ['control', 'toy', 'other']) {
      const words = [...nobody, 'cat', `/proc/${await toy.pid(name)}/environ`];
      const { status, stderr } = spawnSync('setpriv', words, { encoding: 'utf8' });
      expect({ name, status, stderr }).toEqual({ name, status: 1, stderr: expect.stringContaining('denied') });
    }
  });

  it('starts processes without the files that the shell of root has open', async () => {
    const toy = await start(both('hello', 'bonjour'), {
      under: ['bash', '-c', 'exec 40</etc/shadow; exec "$@"', 'bash'],
    });
    for (const pid of await toy.pids()) {
      const isSupervisor = pid === toy.child.pid;
      expect(readdirSync(`/proc/${pid}/fd`).includes('40')).toBe(isSupervisor);
    }
  });

  it('says in the log and in the status when processes stay with root, and what to do', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-closed-'));
    try {
      const addon = join(folder, 'sluice.node');
      copyFileSync(addonPath(), addon);
      const toy = await start(both('hello', 'bonjour'), { environment: { SLUICE_ADDON: addon } });
      const { warnings } = await toy.status();
      expect(warnings).toEqual([expect.stringContaining(`nobody cannot read ${addon}`)]);
      expect(await toy.process('control')).toMatchObject({ user: 'root' });
      expect(toy.log).toContain(JSON.stringify(warnings[0]));
      expect(statusLine(await toy.pid('control'), 'CapEff')).toEqual(['0000000000000000']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('ends in good order when all processes are signalled at once, as by systemd', async () => {
    const toy = await start(both('hello', 'bonjour'));
    await until('one stands by, and has begun to listen to signals', patience, async () => {
      const { standsBy } = await toy.process('other');
      return standsBy !== undefined && commandLine(standsBy).startsWith('sluice: other (stands by)');
    });
    for (const pid of await toy.pids()) process.kill(pid, 'SIGTERM');
    expect(await toy.ended()).toBe(0);
    expect(toy.log).not.toMatch(/crashed|killing|stood by has ended/);
  });

  it('works whatever mask of files it is started with', async () => {
    const toy = await start(both('hello', 'bonjour'), { under: ['sh', '-c', 'umask 077; exec "$@"', 'sh'] });
    expect([await toy.says(), await toy.otherSays()]).toMatchObject([{ greeting: 'hello' }, { greeting: 'bonjour' }]);
    toy.configure(both('hi', 'salut'));
    await toy.reload();
    expect(await toy.otherSays()).toMatchObject({ greeting: 'salut' });
  });
});

describeAsRoot('control', () => {
  it('that crashes again and again beside a broken file goes on with the snapshot in force, and the planes go on', async () => {
    const toy = await start(both('hello', 'bonjour'));
    const [{ snapshot }, before, other] = [await toy.status(), await toy.says(), await toy.otherSays()];
    toy.configure('toy: [ this is no toy');
    for (let crash = 0; crash < 3; crash++) {
      const pid = await toy.pid('control');
      process.kill(pid, 'SIGKILL');
      await toy.replaced('control', pid);
    }
    expect(await toy.process('control')).toMatchObject({ restarts: 3 });
    expect(await toy.status()).toMatchObject({ snapshot });
    expect([await toy.says(), await toy.otherSays()]).toEqual([before, other]);
    await expect(toy.reload()).rejects.toMatchObject({ code: 'SLUICE_CONFIG_SYNTAX' });
  });

  it('that waits to be started again is told of a SIGHUP when it works', async () => {
    const toy = await start(both('hello', 'bonjour'));
    await killTwice(toy);
    await until('the supervisor waits', patience, async () => toy.log.match(/the process has crashed/g)?.length === 2);
    toy.configure(both('good day', 'bonjour'));
    toy.child.kill('SIGHUP');
    await until('the plane says good day', patience, async () => (await toy.says())?.greeting === 'good day');
  });

  it('that is killed before it hears of a SIGHUP is told of it when it works again', async () => {
    const toy = await start(both('hello', 'bonjour'));
    toy.configure(both('good day', 'bonjour'));
    await killTwice(toy);
    // The supervisor may not know yet that its control is dead.
    toy.child.kill('SIGHUP');
    await until('the plane says good day', patience, async () => (await toy.says())?.greeting === 'good day');
  });
});

/** The second control is killed as soon as it is there. */
async function killTwice(toy: RunningToy): Promise<void> {
  const first = await toy.pid('control');
  process.kill(first, 'SIGKILL');
  let second: number | undefined;
  await until('another control is started', patience, async () => {
    second = toy.children('control').find(pid => pid !== first);
    return second !== undefined;
  });
  process.kill(second ?? 0, 'SIGKILL');
}
