// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { programCommand, runProgram } from './run-program.ts';

describe('a service', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('stops in good order at a %s', async signal => {
    const ended = await runProgram('service', { signalAfter: [['ready', signal]] });
    expect(ended).toMatchObject({ status: 0, signal: null, stdout: 'ready\nstopping\nstopped\n' });
    expect(
      ended.stderr
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line)),
    ).toMatchObject([{ level: 'info', area: 'daemon', signal, msg: 'asked to end: stopping' }]);
  });

  it('ends at once when it is asked a second time', async () => {
    const ended = await runProgram('service', {
      arguments: ['hang'],
      signalAfter: [
        ['ready', 'SIGTERM'],
        ['stopping', 'SIGINT'],
      ],
    });
    expect(ended).toMatchObject({ status: 130, signal: null, stdout: 'ready\nstopping\n' });
    expect(ended.stderr).toContain('asked to end a second time: ending now');
  });

  it('logs text when a terminal is attached', () => {
    const command = `${programCommand('log').join(' ')} 2>&1`;
    const output = execFileSync('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    expect(output).toMatch(
      /^\[[\d:.]+\] WARN: director: no real server is left\r\n {4}service: "192\.0\.2\.1:80"\r\n$/,
    );
  });

  it('logs JSON to standard error when none is', async () => {
    const { stdout, stderr } = await runProgram('log');
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toMatchObject({ level: 'warn', area: 'director', msg: 'no real server is left' });
  });
});
