// SPDX-License-Identifier: Apache-2.0
// The virtual machine that runs Debian's own kernel. It is made of Debian packages and booted under QEMU's emulation; it
// needs no privileges. Its clock counts instructions and skips idle time (-icount shift=0,sleep=off). So a scenario that
// waits fifteen minutes takes a moment, and two recordings of a scenario are equal.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DebianKernel } from '../guest/debian-kernel.ts';
import { copyModules, packInitrd } from '../guest/initrd.ts';
import { execute, MachineError, systemProgram } from '../guest/system-program.ts';

const guestFolder = join(import.meta.dirname, 'guest');

// Without the modules for FTP and SIP: they would treat ports 21 and 5060 differently from others.
const kernelModules = [
  'tun',
  'nf_tables',
  'ip_vs',
  ...['rr', 'wrr', 'lc', 'wlc', 'fo', 'ovf', 'lblc', 'lblcr', 'dh', 'sh', 'mh', 'sed', 'nq'].map(
    name => `ip_vs_${name}`,
  ),
];

// With norandmaps and mitigations=off QEMU translates code once, as its address does not change. This halves a run's time.
const kernelArguments = 'console=ttyS0 panic=-1 quiet norandmaps nokaslr mitigations=off random.trust_bootloader=off';

export class Machine {
  readonly kernel = new DebianKernel();

  // What the machine boots with: no disk, everything in the initial RAM file system.
  #buildInitrd(plan: string): string {
    const root = join(this.kernel.work, 'root');
    rmSync(root, { recursive: true, force: true });
    for (const folder of ['bin', 'sbin', 'proc', 'sys', 'dev', 'run', 'modules'])
      mkdirSync(join(root, folder), { recursive: true });
    execute('gcc', ['-O2', '-Wall', '-static', '-o', join(root, 'init'), join(guestFolder, 'stage.c')]);
    copyFileSync(join(guestFolder, 'setup'), join(root, 'setup'));
    copyFileSync(systemProgram('busybox'), join(root, 'bin/busybox'));
    for (const name of ['ipvsadm', 'ip', 'nft']) this.#installProgram(name, root);
    copyModules(this.kernel.moduleFiles(kernelModules), join(root, 'modules'));
    writeFileSync(join(root, 'plan'), plan);
    const initrd = join(this.kernel.work, 'initrd');
    packInitrd(root, initrd);
    return initrd;
  }

  // With the shared libraries that the program needs, at the places where its loader looks for them.
  #installProgram(name: string, root: string): void {
    const path = systemProgram(name);
    copyFileSync(path, join(root, 'sbin', name));
    const libraries = execute('ldd', [path])
      .toString()
      .matchAll(/\/[^\s)]+/g);
    for (const [library] of libraries) {
      const target = join(root, library);
      mkdirSync(dirname(target), { recursive: true });
      if (!existsSync(target)) copyFileSync(library, target);
    }
  }

  // Boots, plays the plan and returns the transcript. All random numbers of the kernel follow from the seed.
  async play(plan: string, timeoutSeconds: number, seed: number): Promise<string> {
    const initrd = this.#buildInitrd(plan);
    const transcript = join(this.kernel.work, 'transcript');
    const console = join(this.kernel.work, 'console.log');
    rmSync(transcript, { force: true });
    const args = [
      ...['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-rtc', 'base=2024-01-01,clock=vm'],
      ...[
        '-cpu',
        'Nehalem,+rdrand',
        '-seed',
        String(seed),
        '-smp',
        '1',
        '-m',
        '512',
        '-display',
        'none',
        '-no-reboot',
        '-nodefaults',
      ],
      ...['-kernel', this.kernel.image, '-initrd', initrd, '-append', kernelArguments],
      ...['-serial', `file:${console}`, '-debugcon', `file:${transcript}`],
    ];
    await this.#run(systemProgram('qemu-system-x86_64'), args, timeoutSeconds);
    const text = existsSync(transcript) ? readFileSync(transcript, 'utf8') : '';
    const fault = /^fault (.*)\nboot$/m.exec(text)?.[1];
    if (fault !== undefined || !/^boot$/m.test(text)) {
      throw new MachineError(`the virtual machine did not come up: ${fault ?? `see ${console}`}`);
    }
    return text;
  }

  #run(path: string, args: readonly string[], timeoutSeconds: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = spawn(path, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      let late = false;
      child.stderr.on('data', chunk => {
        said += String(chunk);
      });
      const alarm = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, timeoutSeconds * 1000);
      child.on('error', reject);
      child.on('close', code => {
        clearTimeout(alarm);
        if (late)
          reject(new MachineError(`the virtual machine still ran after ${timeoutSeconds} s; see ${this.kernel.work}`));
        else if (code !== 0) reject(new MachineError(`qemu ended with ${code}: ${said.trim()}`));
        else resolve();
      });
    });
  }
}
