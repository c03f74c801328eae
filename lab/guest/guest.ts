// SPDX-License-Identifier: Apache-2.0
// Runs a command of this host in a virtual machine with Debian's own kernel. The machine reads the host's files through
// virtiofsd. What it writes goes to its own memory and is lost at the end. It has no network but the one that it makes.
//
// QEMU emulates the processor, so any host can run it; everything takes ten to twenty times as long. Its figures can only be
// compared with figures of the same machine.
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DebianKernel } from './debian-kernel.ts';
import { copyModules, packInitrd } from './initrd.ts';
import { MachineError, systemProgram } from './system-program.ts';

/**
 * The modules for reaching the host's files, and one whose device file only appears with it. The kernel loads all other
 * modules from those files when it needs them.
 */
const bootModules = ['virtio_pci', 'virtiofs', 'overlay', 'tun'];

/** Time limits are so many times as long as on the host. */
const timeScale = '20';

const kernelArguments = 'console=ttyS0 panic=-1 quiet mitigations=off';

const cpus = '2';
const memory = '4G';

/** Runs the command in the current folder. Its output goes to this process's output. Resolves with its exit status. */
export async function runInGuest(command: readonly string[]): Promise<number> {
  const kernel = new DebianKernel();
  const folder = mkdtempSync(join(tmpdir(), 'sluice-guest-'));
  const console = join(folder, 'console.log');
  const files = new HostFiles(join(folder, 'files.sock'));
  try {
    await files.serve();
    const initrd = buildInitrd(kernel, folder, command);
    const words = qemuWords(kernel, initrd, console, files.socket);
    await ended(spawn(systemProgram('qemu-system-x86_64'), words, { stdio: ['ignore', 'inherit', 'inherit'] }));
    return statusOn(console);
  } finally {
    files.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

function qemuWords(kernel: DebianKernel, initrd: string, console: string, files: string): string[] {
  return [
    ...['-accel', 'tcg,thread=multi', '-machine', 'q35', '-cpu', 'max', '-smp', cpus, '-m', memory],
    // Shared, as virtiofsd reads and writes the machine's memory.
    ...['-object', `memory-backend-memfd,id=memory,size=${memory},share=on`, '-numa', 'node,memdev=memory'],
    ...['-chardev', `socket,id=files,path=${files}`, '-device', 'vhost-user-fs-pci,chardev=files,tag=host'],
    ...['-display', 'none', '-nodefaults', '-no-reboot'],
    ...['-kernel', kernel.image, '-initrd', initrd, '-append', kernelArguments],
    ...['-serial', `file:${console}`, '-chardev', 'stdio,id=output,signal=on', '-serial', 'chardev:output'],
  ];
}

/** Runs virtiofsd, which serves the host's files to the machine. */
class HostFiles {
  readonly socket: string;
  #server: ChildProcess | undefined;

  constructor(socket: string) {
    this.socket = socket;
  }

  async serve(): Promise<void> {
    const words = [`--socket-path=${this.socket}`, '-o', 'source=/', '-o', 'sandbox=chroot', '-o', 'cache=always'];
    const server = spawn(systemProgram('virtiofsd'), words, { stdio: 'ignore' });
    this.#server = server;
    for (const deadline = performance.now() + 10_000; !existsSync(this.socket); await delay(20)) {
      if (server.exitCode !== null) throw new MachineError(`virtiofsd ended with ${server.exitCode}: it needs root`);
      if (performance.now() > deadline) throw new MachineError('virtiofsd did not come up within 10 s');
    }
  }

  /** For the case that no machine has started: virtiofsd ends by itself when its machine ends. */
  end(): void {
    this.#server?.kill();
  }
}

function buildInitrd(kernel: DebianKernel, folder: string, command: readonly string[]): string {
  const root = join(folder, 'root');
  for (const name of ['bin', 'proc', 'sys', 'dev', 'modules', 'lower', 'upper', 'new']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  copyFileSync(systemProgram('busybox'), join(root, 'bin/busybox'));
  copyFileSync(join(import.meta.dirname, 'init'), join(root, 'init'));
  copyModules(kernel.moduleFiles(bootModules), join(root, 'modules'));
  writeFileSync(join(root, 'modules-folder'), join(kernel.tree, 'lib/modules'));
  writeFileSync(join(root, 'command'), script(command));
  const initrd = join(folder, 'initrd');
  packInitrd(root, initrd);
  return initrd;
}

function script(command: readonly string[]): string {
  const environment = {
    PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    SLUICE_LAB_TIME_SCALE: timeScale,
  };
  const settings = Object.entries(environment).map(([name, value]) => `export ${name}=${quoted(value)}`);
  return [...settings, `cd ${quoted(process.cwd())}`, command.map(quoted).join(' '), ''].join('\n');
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

function ended(machine: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    machine.once('error', reject);
    machine.once('close', (status, signal) => {
      if (status === 0) resolve();
      else reject(new MachineError(`QEMU ended with ${signal ?? `status ${status}`}`));
    });
  });
}

/** The command's exit status, which lab/guest/init prints on the console. */
function statusOn(console: string): number {
  const said = existsSync(console) ? readFileSync(console, 'utf8') : '';
  const status = /sluice guest: ended with (\d+)/.exec(said)?.[1];
  if (status !== undefined) return Number(status);
  throw new MachineError(`the virtual machine ended early: ${said.trimEnd().split('\n').slice(-5).join('\n')}`);
}
