// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeAsRoot } from '../privileges.ts';

/** A demo builds what is not up to date, and waits for checks. */
const longestDemo = 120_000;

const root = fileURLToPath(new URL('../..', import.meta.url));
const command = ['--import=tsx', 'scripts/demo.ts'] as const;

function demo(...words: readonly string[]): string {
  return execFileSync(process.execPath, [...command, ...words], { cwd: root, encoding: 'utf8' });
}

/** Lines that are too long for a terminal or have control sequences. */
function unfit(printed: string): string[] {
  const lines = printed.split('\n').filter(line => !line.startsWith('$ '));
  return lines.filter(line => line.length > 100 || line.includes('\x1b'));
}

describe('the demo by captures', () => {
  const printed = demo('--replay');

  it('is plain text of at most 100 columns where no terminal is', () => {
    expect(unfit(printed)).toEqual([]);
  });

  it('shows every way of forwarding, refusals and a reason', () => {
    const modes = ['nat', 'dr', 'tunnel', 'fullnat'];
    for (const mode of modes) expect(printed).toMatch(new RegExp(`^    s0 .* ${mode} \\S+$`, 'm'));
    for (const verdict of ['forward', 'drop', 'consume'])
      expect(printed).toMatch(new RegExp(` ${verdict} +\\S+$`, 'm'));
    expect(printed).toContain(' consume connection-reset\n');
    expect(printed).toContain('IPVS connection entries\n');
    expect(printed).toContain('- wrr: 10.0.2.13:8080\n');
  });
});

describeAsRoot('the demo by live traffic', () => {
  let printed = '';
  beforeAll(() => {
    printed = demo();
  }, longestDemo);

  it('shows connections in every mode, ends by itself where no terminal is, and is plain text then', () => {
    for (const mode of ['nat', 'dr', 'tunnel', 'fullnat']) {
      // Three tables. Connections were made before the first one, also on a busy machine.
      const totals = [...printed.matchAll(new RegExp(`^192\\.0\\.2\\.\\d+:80 +${mode} +\\d+ +\\d+ +(\\d+) `, 'gm'))];
      expect(totals.map(([, total]) => Number(total) > 0)).toEqual([true, true, true]);
    }
    expect(printed).toContain('IPVS connection entries\n');
    expect(unfit(printed)).toEqual([]);
  });

  it('shows a real server that fails and comes back, and how many requests failed', () => {
    for (const word of ['down', 'up'])
      expect(printed).toMatch(
        new RegExp(
          `^\\d\\d:\\d\\d:\\d\\d  server\\.${word} .* 10\\.2\\.0\\.11:80 of tcp 192\\.0\\.2\\.10:80 is ${word}: web`,
          'm',
        ),
      );
    expect(printed).toMatch(/^requests meanwhile: [1-9]\d+ answered by the others, \d+ failed/m);
  });

  it(
    'leaves no namespace when it is interrupted, and removes those of a run that was killed',
    async () => {
      const killed = await endedBy('SIGKILL');
      expect(namespaces()).toContain(`sl${killed.pid}.`);
      const interrupted = await endedBy('SIGINT');
      expect(interrupted.exitCode).toBe(130);
      for (const { pid } of [killed, interrupted]) expect(namespaces()).not.toContain(`sl${pid}.`);
    },
    2 * longestDemo,
  );
});

function namespaces(): string {
  return execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
}

/** A demo that gets the signal when everything runs. */
async function endedBy(signal: NodeJS.Signals): Promise<ChildProcess> {
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.setEncoding('utf8');
  let printed = '';
  for await (const text of child.stdout) {
    printed += text;
    if (printed.includes('── the real server') && child.exitCode === null) child.kill(signal);
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child;
}
