// SPDX-License-Identifier: Apache-2.0
// Runs one of test/process/programs/ as a process of its own and says how it ended.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Ending {
  /** null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

// Two cores may run several suites, under a sanitizer: a hang is what this is for, not slowness.
const deadlineMilliseconds = 60_000;

export function runProgram(name: string, options: ProgramOptions = {}): Promise<Ending> {
  const program = fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import=tsx', program, ...(options.arguments ?? [])], {
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
