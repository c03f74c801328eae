// SPDX-License-Identifier: Apache-2.0
// `sluice top` on a pseudo-terminal of script(1), before a socket that answers what a test wants.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../lab/topology/until.ts';
import { answering } from '../../src/core/api/route.ts';
import { UnavailableError } from '../../src/core/errors.ts';
import { directorConnections, directorTop } from '../../src/director/api.ts';
import { connection, measurement } from '../unit/cli/top/measured.ts';
import { type Served, serve } from '../unit/core/api/served.ts';
import { sluiceCommand } from './sluice-command.ts';

const patience = 30_000;
const rules = `-A -t 10.0.1.100:80 -s rr
-a -t 10.0.1.100:80 -r 10.0.2.11:8080 -m
-A -t [2001:db8::1]:443 -s rr
`;
const [entered, left, down] = ['\x1b[?1049h', '\x1b[?1049l', '\x1b[B'];

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** A director. Its clock goes on by a second with each answer. */
class FakeDirector {
  isThere = true;
  /** The connections that were asked for. */
  readonly asked: unknown[] = [];
  served: Served | undefined;
  #at = 0;

  async start(): Promise<string> {
    const answers = [
      answering(directorTop, () => {
        if (!this.isThere) throw new UnavailableError('the director does not run');
        this.#at += 1;
        return measurement(rules, { 'tcp 10.0.1.100:80': { opened: 20 }, '10.0.2.11:8080': { open: 7 } }, this.#at);
      }),
      answering(directorConnections, async function* (this: void, parameters) {
        asked.push(parameters);
        yield connection('10.0.9.1');
      }),
    ];
    const { asked } = this;
    this.served = await serve({ answers });
    undo.push(() => this.served?.stop());
    return this.served.path;
  }
}

/** A shell on a terminal of 24 lines of 80 characters, in which the command runs. */
class Shell {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #folder: string;
  output = '';
  hasEnded = false;

  /** `goesOn`: when the command has stopped, the shell lets it go on once. */
  constructor(socket: string, { goesOn = false } = {}) {
    this.#folder = mkdtempSync(join(tmpdir(), 'sluice-top-'));
    undo.push(() => rmSync(this.#folder, { recursive: true }));
    const command = [
      // With job control, the command can be stopped.
      ...(goesOn ? ['set -m'] : []),
      'stty rows 24 cols 80',
      `tty > ${this.#folder}/tty`,
      'stty -g',
      `sh -c 'echo $$ > ${this.#folder}/pid; exec ${[...sluiceCommand, 'top', '--socket', socket].join(' ')}'`,
      ...(goesOn ? ['echo "stopped with $?"', 'stty -g', 'fg'] : []),
      'echo "status $?"',
      'stty -g',
      'echo done',
    ].join('; ');
    this.child = spawn('script', ['--quiet', '--flush', '--command', command, '/dev/null'], {
      env: { ...process.env, SHELL: '/bin/bash' },
    });
    this.child.stdout.setEncoding('utf8').on('data', text => {
      this.output += text;
    });
    this.child.on('close', () => {
      this.hasEnded = true;
    });
    undo.push(() => this.child.kill('SIGKILL'));
  }

  get terminal(): string {
    return readFileSync(`${this.#folder}/tty`, 'utf8').trim();
  }

  get pid(): number {
    return existsSync(`${this.#folder}/pid`) ? Number(readFileSync(`${this.#folder}/pid`, 'utf8')) : 0;
  }

  /** Presses keys; then waits until the terminal shows the text. */
  async shows(text: string | RegExp, keys = ''): Promise<void> {
    const from = keys === '' ? 0 : this.output.length;
    this.child.stdin.write(keys);
    await until(`the terminal shows ${text}`, patience, () => {
      const output = this.output.slice(from);
      return typeof text === 'string' ? output.includes(text) : text.test(output);
    });
  }

  /** After the command has ended: its status, and whether the terminal's settings are as before. */
  async ending(): Promise<{ status: string | undefined; isRestored: boolean }> {
    await until('the shell is done', patience, () => /^done\r$/m.test(this.output));
    const [before, after] = this.output.match(/^[0-9a-f]+(:[0-9a-f]+)+(?=\r$)/gm) ?? [];
    const isBack = this.output.lastIndexOf(left) > this.output.lastIndexOf(entered);
    return {
      status: /status (\d+)/.exec(this.output)?.[1],
      isRestored: isBack && before !== undefined && before === after,
    };
  }
}

async function started(director = new FakeDirector()): Promise<{ shell: Shell; director: FakeDirector }> {
  const shell = new Shell(await director.start());
  await shell.shows(entered);
  return { shell, director };
}

function isShownAfter(output: string, sequence: string): boolean {
  return output.includes(sequence) && output.slice(output.indexOf(sequence)).includes('h help');
}

const restored = { status: '0', isRestored: true };

describe('sluice top on a terminal', () => {
  it('drills down by keys and back, and leaves the terminal as it was', async () => {
    const { shell, director } = await started();
    await shell.shows(/tcp 10\.0\.1\.100:80 rr +7 +0 +20 /);
    await shell.shows('sluice top > tcp 10.0.1.100:80   1 server ', '\r');
    await shell.shows(/10\.0\.9\.1:1024 +ESTABLISHED/, '\r');
    expect(director.asked[0]).toEqual({ service: 'tcp 10.0.1.100:80', server: '10.0.2.11:8080' });
    await shell.shows('sluice top   2 services', '\x7f\x1b');
    await shell.shows('sluice top > tcp [2001:db8::1]:443   0 servers', `${down}\r`);
    await shell.shows('sluice top   1 service   with "2001"', '\x7f/2001\r');
    await shell.shows('paused', ' ');
    shell.child.stdin.write('q');
    expect(await shell.ending()).toEqual(restored);
  });

  it('fits the terminal when its size changes', async () => {
    const { shell } = await started();
    await shell.shows('h help');
    const from = shell.output.length;
    spawn('stty', ['-F', shell.terminal, 'rows', '10', 'cols', '40']);
    await until('lines are cut', patience, () => /s sort {2}r revers…/.test(shell.output.slice(from)));
    shell.child.stdin.write('\x03');
    expect(await shell.ending()).toEqual(restored);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('leaves the terminal as it was at %s', async signal => {
    const { shell } = await started();
    await shell.shows('h help');
    process.kill(shell.pid, signal);
    expect(await shell.ending()).toEqual(restored);
  });

  it('shows why nothing is measured, and goes on trying', async () => {
    const director = new FakeDirector();
    director.isThere = false;
    const { shell } = await started(director);
    await shell.shows('! the director does not run; trying again');
    director.isThere = true;
    await shell.shows('tcp 10.0.1.100:80 rr');
    await director.served?.stop();
    await shell.shows('! no sluice answers');
    shell.child.stdin.write('q');
    expect(await shell.ending()).toEqual(restored);
  });

  it('ends at once, without another screen, when no Sluice answers', async () => {
    const shell = new Shell('/nonexistent/socket');
    expect(await shell.ending()).toMatchObject({ status: '1' });
    expect(shell.output).toContain('no sluice answers');
    expect(shell.output).not.toContain(entered);
  });

  it('gives the terminal back while it is stopped by Ctrl-Z', async () => {
    const shell = new Shell(await new FakeDirector().start(), { goesOn: true });
    await shell.shows('h help');
    await shell.shows('stopped with 148', '\x1a');
    const from = shell.output.length;
    await until('the screen is back', patience, () => isShownAfter(shell.output.slice(from), entered));
    shell.child.stdin.write('q');
    // The shell has printed its settings before, and while the command was stopped.
    expect(await shell.ending()).toEqual(restored);
  });

  it('goes on after Ctrl-Z where no shell could let it go on', async () => {
    const { shell } = await started();
    await shell.shows('h help');
    // The process has a session of its own, so the kernel does not stop it.
    const from = shell.output.length;
    await shell.shows(left, '\x1a');
    await until('the screen is back', patience, () => isShownAfter(shell.output.slice(from), entered));
    shell.child.stdin.write('q');
    expect(await shell.ending()).toEqual(restored);
  });

  it('ends when the terminal is gone', async () => {
    const { shell } = await started();
    await shell.shows('h help');
    const { pid } = shell;
    shell.child.kill('SIGKILL');
    await until('the command has ended', patience, () => !existsSync(`/proc/${pid}`));
  });
});
