// SPDX-License-Identifier: Apache-2.0
// Runs a shell script on User Mode Linux: Debian's kernel, compiled as a program of this host. It has IPVS and a network of
// its own, needs no emulation of a processor, and is up within seconds; a call of the kernel costs much, a computation
// nothing. The machine sees the host's files, and can change
// none of them but those of a folder of its own.
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { downloadPackage, packageFolder } from '../guest/debian-package.ts';
import { execute, MachineError } from '../guest/system-program.ts';

const packageName = 'user-mode-linux';

export interface MachineOptions {
  /** The machine's files: a folder with a Debian, or / for those of this host. */
  readonly root?: string;
  /** Who runs the script: the first program itself, or systemd when it is up. */
  readonly boot?: 'script' | 'systemd';
  readonly memory?: string;
  /** Files that the machine gets in /mnt, by their names there. */
  readonly files?: Readonly<Record<string, string>>;
}

interface Printed {
  readonly output: string;
  readonly errors: string;
  readonly status: number;
}

export class UserModeMachine {
  readonly #tree = join(packageFolder, packageName);

  /** Unpacks the package unless an earlier run has. */
  constructor() {
    if (existsSync(this.#tree)) return;
    mkdirSync(packageFolder, { recursive: true });
    // The folder has its name when it is whole.
    const unfinished = `${this.#tree}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    execute('dpkg', ['-x', downloadPackage(packageName, packageFolder), unfinished]);
    renameSync(unfinished, this.#tree);
  }

  get #program(): string {
    return join(this.#tree, 'usr/bin/linux.uml');
  }

  /** Boots a machine for the script. The machine is ended when the time is over. */
  async run(script: string, timeoutSeconds: number, options: MachineOptions = {}): Promise<Printed> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-machine-'));
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
    const clean = (): void => rmSync(folder, { recursive: true, force: true });
    process.once('exit', clean);
    try {
      writeFileSync(join(folder, 'script'), script);
      for (const [name, path] of Object.entries(options.files ?? {})) copyFileSync(path, join(folder, name));
      const console = await this.#boot(folder, timeoutSeconds, options);
      if (!existsSync(join(folder, 'status'))) {
        const said = existsSync(join(folder, 'output')) ? read('output') : '';
        throw new MachineError(`User Mode Linux ended early: ${console}\n${said}`);
      }
      return { output: read('output'), errors: read('errors'), status: Number(read('status')) };
    } finally {
      process.off('exit', clean);
      clean();
    }
  }

  /** Resolves with what the kernel printed last. */
  #boot(folder: string, timeoutSeconds: number, options: MachineOptions): Promise<string> {
    const { root = '/', boot = 'script', memory = '512M' } = options;
    const words = [
      ...[`mem=${memory}`, 'rootfstype=hostfs', 'rootflags=/', 'ro', 'quiet', `uml_dir=${folder}/`],
      ...['con=null', 'con0=null,fd:1', `init=${join(import.meta.dirname, 'init')}`],
      // The words of the first program.
      ...['--', folder, join(this.#tree, 'usr/lib/uml/modules'), root, boot],
    ];
    return new Promise((resolve, reject) => {
      const machine = spawn(this.#program, words, {
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: timeoutSeconds * 1000,
        killSignal: 'SIGKILL',
      });
      let printed = '';
      const keep = (text: Buffer) => {
        printed = (printed + String(text)).slice(-2000);
      };
      machine.stdout.on('data', keep);
      machine.stderr.on('data', keep);
      // A run that ends early leaves no machine.
      const end = (): void => void machine.kill('SIGKILL');
      process.once('exit', end);
      machine.once('error', reject);
      machine.once('close', (_, signal) => {
        process.off('exit', end);
        if (signal === 'SIGKILL') reject(new MachineError(`User Mode Linux still ran after ${timeoutSeconds} s`));
        else resolve(printed.trim());
      });
    });
  }
}
