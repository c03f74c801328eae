// SPDX-License-Identifier: Apache-2.0
// Debian's own kernel. Its package is downloaded once and unpacked into a folder that later runs use again.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { downloadPackage, packageFolder } from './debian-package.ts';
import { execute, MachineError } from './system-program.ts';

const metaPackage = 'linux-image-cloud-amd64';

export class DebianKernel {
  /** The folder that is kept between runs. Its subfolder `kernel` has the kernel's files. */
  readonly work: string;
  /** The kernel's release, as `uname -r` prints it. */
  readonly release: string;
  /** The version of the Debian package. */
  readonly version: string;

  constructor(work = packageFolder) {
    this.work = work;
    mkdirSync(work, { recursive: true });
    this.version = this.#versionHere() ?? this.#unpack();
    const [release] = readdirSync(join(this.tree, 'lib/modules'));
    if (release === undefined) throw new MachineError(`${this.tree} holds no kernel; delete ${work} and try again`);
    this.release = release;
  }

  get tree(): string {
    return join(this.work, 'kernel');
  }

  get image(): string {
    return join(this.tree, 'boot', `vmlinuz-${this.release}`);
  }

  /** Files of these modules and of those that they need, in the order in which they can be loaded. */
  moduleFiles(names: readonly string[]): string[] {
    const paths = names.flatMap(name => {
      const words = ['-d', this.tree, '-S', this.release, '--show-depends', name];
      return [
        ...execute('modprobe', words)
          .toString()
          .matchAll(/^insmod (\S+)/gm),
      ].map(match => match[1] ?? '');
    });
    return [...new Set(paths)];
  }

  get #versionFile(): string {
    return join(this.work, 'kernel-version');
  }

  #versionHere(): string | undefined {
    try {
      return readFileSync(this.#versionFile, 'utf8');
    } catch {
      return undefined;
    }
  }

  #unpack(): string {
    rmSync(this.tree, { recursive: true, force: true });
    const archive = this.#download();
    execute('dpkg', ['-x', archive, this.tree]);
    const [release = ''] = readdirSync(join(this.tree, 'lib/modules'));
    execute('depmod', ['-b', this.tree, release]);
    const version = basename(archive).split('_')[1] ?? '';
    writeFileSync(this.#versionFile, version);
    return version;
  }

  #download(): string {
    const depends = execute('apt-cache', ['depends', metaPackage]).toString();
    const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (!name) throw new MachineError(`apt-cache does not know ${metaPackage}; run apt-get update first`);
    return downloadPackage(name, this.work);
  }
}
