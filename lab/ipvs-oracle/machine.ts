// SPDX-License-Identifier: Apache-2.0
// The virtual machine that runs Debian's own kernel: made of Debian packages, booted under QEMU's emulation, no privileges
// needed. Its clock counts instructions and jumps over idle time (-icount shift=0,sleep=off): a scenario that waits fifteen
// minutes takes a moment, and a recording made twice is the same twice.

import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

export class MachineError extends Error {
  readonly code = 'MACHINE_FAILED';
}

const guestFolder = join(import.meta.dirname, 'guest');
const kernelMetaPackage = 'linux-image-cloud-amd64';

const neededPrograms: Record<string, string> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  ipvsadm: 'ipvsadm',
  nft: 'nftables',
  ip: 'iproute2',
  modprobe: 'kmod',
  depmod: 'kmod',
  cpio: 'cpio',
  gcc: 'gcc',
  dpkg: 'dpkg',
};

// FTP's and SIP's modules stay out: they would treat ports 21 and 5060 in their own way.
const kernelModules = [
  'tun',
  'nf_tables',
  'ip_vs',
  ...['rr', 'wrr', 'lc', 'wlc', 'fo', 'ovf', 'lblc', 'lblcr', 'dh', 'sh', 'mh', 'sed', 'nq'].map(
    name => `ip_vs_${name}`,
  ),
];

// norandmaps and mitigations=off: the same code at the same place is translated once, which halves the time of a run.
const kernelArguments = 'console=ttyS0 panic=-1 quiet norandmaps nokaslr mitigations=off random.trust_bootloader=off';

const systemPath = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

function program(name: string): string {
  const found = systemPath.split(':').find(folder => folder && existsSync(join(folder, name)));
  if (!found)
    throw new MachineError(`${name} is missing; install it with: apt-get install ${neededPrograms[name] ?? name}`);
  return join(found, name);
}

function execute(name: string, args: readonly string[], options: { cwd?: string; input?: Uint8Array } = {}): Buffer {
  try {
    return execFileSync(program(name), args, { ...options, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (error) {
    if (error instanceof MachineError) throw error;
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new MachineError(`${name} ${args.join(' ')} failed: ${said}`);
  }
}

export interface Kernel {
  readonly release: string; // as uname -r
  readonly version: string; // of the Debian package
  readonly image: string;
}

export class Machine {
  readonly #work: string;
  readonly kernel: Kernel;

  // `work` keeps the unpacked kernel between runs.
  constructor(work = process.env.SLUICE_ORACLE_DIR ?? join(tmpdir(), 'sluice-ipvs-oracle')) {
    for (const name of Object.keys(neededPrograms)) program(name);
    this.#work = work;
    mkdirSync(work, { recursive: true });
    this.kernel = this.#unpackKernel();
  }

  get #tree(): string {
    return join(this.#work, 'kernel');
  }

  #unpackKernel(): Kernel {
    const modules = join(this.#tree, 'lib/modules');
    const versionFile = join(this.#work, 'kernel-version');
    if (!existsSync(versionFile)) {
      rmSync(this.#tree, { recursive: true, force: true });
      const archive = this.#downloadKernel();
      execute('dpkg', ['-x', archive, this.#tree]);
      const [release = ''] = readdirSync(modules);
      execute('depmod', ['-b', this.#tree, release]);
      writeFileSync(versionFile, basename(archive).split('_')[1] ?? '');
    }
    const [release] = readdirSync(modules);
    if (release === undefined)
      throw new MachineError(`${this.#tree} holds no kernel; delete ${this.#work} and try again`);
    const image = join(this.#tree, 'boot', `vmlinuz-${release}`);
    return { release, version: readFileSync(versionFile, 'utf8'), image };
  }

  #downloadKernel(): string {
    const depends = execute('apt-cache', ['depends', kernelMetaPackage]).toString();
    const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (!name) throw new MachineError(`apt-cache knows no ${kernelMetaPackage}; run apt-get update first`);
    for (const old of readdirSync(this.#work).filter(file => file.endsWith('.deb'))) rmSync(join(this.#work, old));
    execute('apt-get', ['download', name], { cwd: this.#work });
    const archive = readdirSync(this.#work).find(file => file.endsWith('.deb'));
    if (!archive) throw new MachineError(`apt-get download ${name} left no package in ${this.#work}`);
    return join(this.#work, archive);
  }

  #modulePaths(): string[] {
    const paths = kernelModules.flatMap(name => {
      const shown = execute('modprobe', [
        '-d',
        this.#tree,
        '-S',
        this.kernel.release,
        '--show-depends',
        name,
      ]).toString();
      return [...shown.matchAll(/^insmod (\S+)/gm)].map(match => match[1] ?? '');
    });
    return [...new Set(paths)];
  }

  // What the machine boots with: no disk, everything in the initial RAM file system.
  #buildInitrd(plan: string): string {
    const root = join(this.#work, 'root');
    rmSync(root, { recursive: true, force: true });
    for (const folder of ['bin', 'sbin', 'proc', 'sys', 'dev', 'run', 'modules'])
      mkdirSync(join(root, folder), { recursive: true });
    execute('gcc', ['-O2', '-Wall', '-static', '-o', join(root, 'init'), join(guestFolder, 'stage.c')]);
    copyFileSync(join(guestFolder, 'setup'), join(root, 'setup'));
    copyFileSync(program('busybox'), join(root, 'bin/busybox'));
    for (const name of ['ipvsadm', 'ip', 'nft']) this.#installProgram(name, root);
    for (const [index, path] of this.#modulePaths().entries()) {
      copyFileSync(path, join(root, 'modules', `${String(index).padStart(2, '0')}-${basename(path)}`));
    }
    writeFileSync(join(root, 'plan'), plan);
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
    const archive = execute('cpio', ['-o', '-H', 'newc', '--quiet'], {
      cwd: root,
      input: Buffer.from(files.join('\n')),
    });
    const initrd = join(this.#work, 'initrd');
    writeFileSync(initrd, archive);
    return initrd;
  }

  // With the shared libraries that the program needs, at the places where its loader looks for them.
  #installProgram(name: string, root: string): void {
    const path = program(name);
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

  // Boots, plays the plan, and gives back the transcript. The seed is of everything that the kernel draws at random.
  async play(plan: string, timeoutSeconds: number, seed: number): Promise<string> {
    const initrd = this.#buildInitrd(plan);
    const transcript = join(this.#work, 'transcript');
    const console = join(this.#work, 'console.log');
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
    await this.#run(program('qemu-system-x86_64'), args, timeoutSeconds);
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
          reject(new MachineError(`the virtual machine still ran after ${timeoutSeconds} s; see ${this.#work}`));
        else if (code !== 0) reject(new MachineError(`qemu ended with ${code}: ${said.trim()}`));
        else resolve();
      });
    });
  }
}
