// SPDX-License-Identifier: Apache-2.0
// Runs `sluice` as a process and returns how it ended.
import { spawn } from 'node:child_process';
import type { Ending } from './run-program.ts';
import { sluiceCommand } from './sluice-command.ts';

export interface SluiceOptions {
  /** The working directory. */
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

// A limit for hangs, below that of the test, so that the test can show the output so far.
const deadlineMilliseconds = 50_000;

export function runSluice(args: readonly string[], options: SluiceOptions = {}): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const [node, ...words] = sluiceCommand;
    const child = spawn(node, [...words, ...args], {
      cwd: options.folder,
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: deadlineMilliseconds,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}
