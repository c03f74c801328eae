// SPDX-License-Identifier: Apache-2.0
// A program says whether a target works, by its exit status. It runs without a shell, in a process group of its own, with
// the environment that its check gives, and with PATH and what is tried in SLUICE_ADDRESS, SLUICE_PORT and SLUICE_CHECK.
//
// waiting for its turn ─▶ running ─┬─ exits ─────────────────────────────▶ result
//                                  └─ time passes: result, SIGTERM ─▶ SIGKILL to the whole group
//
// A program counts as running until it has really exited, so that programs that hang do not become more and more.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { fails, passes, untried, type Verdict } from '../dialog.ts';
import { shown } from '../dialogs/shown.ts';
import type { Check, ProbeOf } from '../model.ts';
import type { Destination, StartProbe } from '../probe.ts';
import { type Attempt, startAttempts } from './attempt.ts';
import { errorWords } from './words.ts';

type ScriptProbe = ProbeOf<'script'>;
type Child = ChildProcessByStdio<null, Readable, Readable>;

/** More of them wait for their turn. Each is a process with its memory. */
const mostRunning = 32;
const mostOutput = 200;
/** From SIGTERM to SIGKILL. */
const graceMilliseconds = 500;
/** After a program's exit, its output is still awaited for this long: a child that it left may keep the pipe open. */
const outputMilliseconds = 100;
/** What a shell without PATH uses, and where administrators' programs are. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function environmentOf(probe: ScriptProbe, check: Check, to: Destination): Record<string, string> {
  return {
    PATH: process.env.PATH ?? defaultPath,
    ...Object.fromEntries(probe.environment),
    SLUICE_ADDRESS: to.address,
    SLUICE_PORT: String(to.port),
    SLUICE_CHECK: check.name,
  };
}

function judge(probe: ScriptProbe, status: number | null, signal: string | null, output: string): Verdict {
  const words = (ending: string): string => (output === '' ? ending : `${ending}: ${output}`);
  if (status === null) return fails(words(`ended by ${signal}`));
  const found = words(`exit status ${status}`);
  if (status === 0) return passes(found);
  return probe.setsWeight && status >= 2 ? { ...passes(found), weight: status - 2 } : fails(found);
}

/** Whether a process of the group is left. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch {
    return false;
  }
}

/** The leaders of groups that may still run. */
const leaders = new Set<number>();

/** No program outlives this process, unless the process is killed. */
function killAll(): void {
  for (const leader of leaders) signalGroup(leader, 'SIGKILL');
}

export function createScriptProbes(clock: Clock): StartProbe {
  if (!process.listeners('exit').includes(killAll)) process.on('exit', killAll);
  let running = 0;
  const turns: (() => void)[] = [];

  const endTurn = (): void => {
    running -= 1;
    turns.shift()?.();
  };

  /** SIGTERM now, and SIGKILL to what is left of the group. */
  const endGroup = (leader: number): void => {
    if (!signalGroup(leader, 'SIGTERM')) return;
    clock.after(graceMilliseconds, () => signalGroup(leader, 'SIGKILL'));
  };

  const run = (attempt: Attempt, probe: ScriptProbe, check: Check, to: Destination): void => {
    running += 1;
    const [program = '', ...words] = probe.command;
    const env = environmentOf(probe, check, to);
    let child: Child;
    try {
      child = spawn(program, words, { cwd: '/', env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      endTurn();
      attempt.finish(fails(`${program} cannot be run: ${errorWords(error)}`));
      return;
    }
    attempt.timedOut = () => fails('no exit');
    child.on('error', error => {
      if (child.pid === undefined) endTurn();
      attempt.finish(fails(`${program} cannot be run: ${errorWords(error)}`));
    });
    const { pid } = child;
    if (pid === undefined) return;
    leaders.add(pid);
    const output = firstOutput(child);
    let hasExited = false;
    child.on('exit', (status, signal) => {
      hasExited = true;
      if (!signalGroup(pid, 0)) leaders.delete(pid);
      endTurn();
      const finish = (): void => {
        timer.cancel();
        child.stdout.destroy();
        child.stderr.destroy();
        attempt.finish(judge(probe, status, signal, shown(output())));
      };
      const timer = clock.after(outputMilliseconds, finish);
      child.on('close', finish);
    });
    attempt.atEnd(() => {
      if (!hasExited) endGroup(pid);
    });
  };

  return startAttempts(clock, (attempt, check, to) => {
    const { probe } = check;
    if (probe.type !== 'script') throw new TypeError(`not a script: ${probe.type}`);
    const turn = (): void => run(attempt, probe, check, to);
    if (running < mostRunning) {
      turn();
      return;
    }
    attempt.timedOut = () => untried(`not tried, as ${mostRunning} other scripts were running: no turn`);
    turns.push(turn);
    attempt.atEnd(() => {
      const at = turns.indexOf(turn);
      if (at !== -1) turns.splice(at, 1);
    });
  });
}

/** Reads all output, as a program stops at a full pipe, and keeps the beginning. */
function firstOutput(child: Child): () => Buffer {
  const kept: Buffer[] = [];
  let length = 0;
  const keep = (bytes: Buffer): void => {
    if (length >= mostOutput) return;
    kept.push(Buffer.from(bytes.subarray(0, mostOutput - length)));
    length += bytes.length;
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return () => Buffer.concat(kept);
}
