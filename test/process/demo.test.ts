// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the demo', () => {
  const printed = execFileSync(process.execPath, ['--import=tsx', 'scripts/demo.ts'], { cwd: root, encoding: 'utf8' });

  it('is plain text of at most 100 columns where no terminal is', () => {
    const lines = printed.split('\n').filter(line => !line.startsWith('$ '));
    expect(lines.filter(line => line.length > 100 || line.includes('\x1b'))).toEqual([]);
  });

  it('shows every way of forwarding, refusals and a reason', () => {
    const modes = ['nat', 'dr', 'tunnel', 'fullnat'];
    for (const mode of modes) expect(printed).toMatch(new RegExp(`^    s0 .* ${mode} \\S+$`, 'm'));
    for (const verdict of ['forward', 'drop', 'pass', 'consume'])
      expect(printed).toMatch(new RegExp(` ${verdict} +\\S+$`, 'm'));
    expect(printed).toContain('IPVS connection entries\n');
    expect(printed).toContain('- wrr: 10.0.2.13:8080\n');
  });
});
