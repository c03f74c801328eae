// SPDX-License-Identifier: Apache-2.0
// Runs one of test/process/programs/ as a process and returns how it ended.
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
  /** Signals to send, each when the program has printed this text. */
  readonly signalAfter?: readonly (readonly [text: string, signal: NodeJS.Signals])[];
}

// A limit for hangs, below that of the test, so that the test can show the output so far.
const deadlineMilliseconds = 50_000;

/** The words of the command that runs a program. */
export function programCommand(name: string): [string, ...string[]] {
  const program = fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
  return [process.execPath, '--import=tsx', program];
}

export function runProgram(name: string, options: ProgramOptions = {}): Promise<Ending> {
  const [node, ...words] = programCommand(name);
  const signals = [...(options.signalAfter ?? [])];
  return new Promise((resolve, reject) => {
    const child = spawn(node, [...words, ...(options.arguments ?? [])], {
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: deadlineMilliseconds,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text;
      const [next] = signals;
      if (next !== undefined && stdout.includes(next[0])) {
        signals.shift();
        child.kill(next[1]);
      }
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}
