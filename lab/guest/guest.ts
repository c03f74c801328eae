// SPDX-License-Identifier: Apache-2.0
// Runs a command of this host on Debian's own kernel: in a virtual machine that has the host's files (through virtiofsd,
// read only; what is written goes to the machine's memory and is gone afterwards) and no network but what it makes itself.
//
// QEMU emulates the processor, so that any host can do it; everything takes ten to twenty times as long there. Figures
// compare with figures of the same machine, and with nothing else.
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DebianKernel } from './debian-kernel.ts';
import { copyModules, packInitrd } from './initrd.ts';
import { MachineError, systemProgram } from './system-program.ts';

/** What the machine needs to reach the host's files; the kernel loads all else from there when it is used. */
const bootModules = ['virtio_pci', 'virtiofs', 'overlay'];

/** So many times as long as on the host may everything take. */
const patience = '20';

const kernelArguments = 'console=ttyS0 panic=-1 quiet mitigations=off';

const cpus = '2';
const memory = '4G';

/** Runs the command in the current folder, what it prints going where this process prints. Resolves with its exit status. */
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
    // virtiofsd reads and writes the machine's memory.
    ...['-object', `memory-backend-memfd,id=memory,size=${memory},share=on`, '-numa', 'node,memdev=memory'],
    ...['-chardev', `socket,id=files,path=${files}`, '-device', 'vhost-user-fs-pci,chardev=files,tag=host'],
    ...['-display', 'none', '-nodefaults', '-no-reboot'],
    ...['-kernel', kernel.image, '-initrd', initrd, '-append', kernelArguments],
    ...['-serial', `file:${console}`, '-chardev', 'stdio,id=output,signal=on', '-serial', 'chardev:output'],
  ];
}

/** The program that hands the host's files to the machine. */
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

  /** It ends by itself when the machine does; this is for a machine that never was. */
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
    SLUICE_LAB_PATIENCE: patience,
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
      else reject(new MachineError(`the virtual machine was ended: ${signal ?? `status ${status}`}`));
    });
  });
}

/** What the machine's first program has said of the command. */
function statusOn(console: string): number {
  const said = existsSync(console) ? readFileSync(console, 'utf8') : '';
  const status = /sluice guest: ended with (\d+)/.exec(said)?.[1];
  if (status !== undefined) return Number(status);
  throw new MachineError(`the virtual machine ended by itself: ${said.trimEnd().split('\n').slice(-5).join('\n')}`);
}
