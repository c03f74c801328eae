// SPDX-License-Identifier: Apache-2.0
// Makes the Debian package. It has what runs, and Node itself: a balancer host needs neither a compiler nor a Node of its
// own. The files of packaging/ are those that the package adds: the service, its options, and what runs at installation.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { completionScript } from '../src/cli/completion.ts';
import { manPages } from '../src/cli/man.ts';
import { build } from '../tools/build.ts';
import { bundling } from '../tools/bundling.ts';
import { Failure, heading, mustRun, outputOf, projectRoot } from '../tools/command.ts';
import { setup } from '../tools/setup.ts';

const home = 'usr/lib/sluice';
const library = 'build/Release';

const inProject = (path: string): string => join(projectRoot, path);

interface Manifest {
  readonly version: string;
  readonly description: string;
}

export interface PackageOptions {
  readonly out: string;
  readonly version?: string | undefined;
  readonly fast?: boolean;
}

/** What a person asks for help: made of the usages of commands. */
interface Help {
  readonly pages: ReadonlyMap<string, string>;
  readonly completion: string;
}

/** Returns the path of the package. */
export async function makePackage(options: PackageOptions): Promise<string> {
  setup(['package']);
  build();
  heading('Debian package');
  const { version } = options;
  const manifest: Manifest = JSON.parse(readFileSync(inProject('package.json'), 'utf8'));
  // The modes of the files are those of the package, whoever makes it.
  process.umask(0o022);
  const root = mkdtempSync(join(tmpdir(), 'sluice-package-'));
  try {
    const help = { pages: await manPages(), completion: await completionScript() };
    return new Tree(root).pack(manifest, version ?? manifest.version, help, options);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The files of the package, in a folder. */
class Tree {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    // The folder that mkdtemp makes is its owner's alone; in the package it is the root of the host.
    chmodSync(root, 0o755);
  }

  pack(manifest: Manifest, version: string, help: Help, { out, fast = false }: PackageOptions): string {
    this.#addPrograms(manifest, version);
    this.#addModules();
    this.#addService();
    this.#addDocumentation(help);
    const architecture = outputOf('dpkg', ['--print-architecture']);
    this.#addControl(manifest, version, architecture);
    mkdirSync(out, { recursive: true });
    const file = join(out, `sluice_${version}_${architecture}.deb`);
    const level = fast ? ['-Zgzip', '-z1'] : ['-Zxz'];
    mustRun('dpkg-deb', ['--root-owner-group', ...level, '--build', this.#root, file], { quiet: true });
    return file;
  }

  #path(path: string): string {
    const target = join(this.#root, path);
    mkdirSync(dirname(target), { recursive: true });
    return target;
  }

  #copy(source: string, path: string, mode = 0o644): void {
    const target = this.#path(path);
    copyFileSync(source, target);
    chmodSync(target, mode);
  }

  #write(path: string, content: string | Buffer, mode = 0o644): void {
    writeFileSync(this.#path(path), content, { mode });
  }

  #addPrograms(manifest: Manifest, version: string): void {
    for (const name of readdirSync(inProject('dist'), { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.js')) this.#copy(inProject(`dist/${name}`), `${home}/dist/${name}`);
    }
    for (const name of ['sluice.node', 'sluice-ipvsadm']) {
      this.#copy(inProject(`${library}/${name}`), `${home}/${library}/${name}`, 0o755);
      mustRun('strip', [join(this.#root, home, library, name)], { quiet: true });
    }
    this.#copy(inProject('native/client/ipvsadm_usage.inc'), `${home}/native/client/ipvsadm_usage.inc`);
    this.#write(`${home}/package.json`, `${JSON.stringify({ ...manifest, version }, undefined, 2)}\n`);
    this.#copy(realpathSync(process.execPath), `${home}/bin/node`, 0o755);
    this.#copy(inProject('packaging/sluice.sh'), 'usr/bin/sluice', 0o755);
    symlinkSync(`../lib/sluice/${library}/sluice-ipvsadm`, this.#path('usr/bin/sluice-ipvsadm'));
  }

  /** Packages that are not part of the bundles, with what they need. */
  #addModules(): void {
    for (const folder of modulesOf(bundling.external, projectRoot)) {
      const inside = relative(projectRoot, folder);
      for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
        const isNeeded = /\.(js|cjs|mjs|json)$|^licen[cs]e/i.test(name) && !/(^|\/)(node_modules|tests?)\//.test(name);
        if (isNeeded) this.#copy(join(folder, name), `${home}/${inside}/${name}`);
      }
    }
  }

  #addService(): void {
    this.#copy(inProject('packaging/sluice.service'), 'lib/systemd/system/sluice.service');
    this.#copy(inProject('packaging/sluice.default'), 'etc/default/sluice');
    mkdirSync(this.#path('etc/sluice/secrets'), { recursive: true, mode: 0o700 });
  }

  #addDocumentation({ pages, completion }: Help): void {
    const folder = 'usr/share/doc/sluice';
    this.#copy(inProject('LICENSE'), `${folder}/copyright`);
    for (const name of ['README.md', 'CHANGELOG.md']) {
      this.#write(`${folder}/${name}.gz`, gzipSync(readFileSync(inProject(name)), { level: 9 }));
    }
    for (const [name, page] of pages) this.#write(`usr/share/man/man8/${name}.gz`, gzipSync(page, { level: 9 }));
    this.#write('usr/share/bash-completion/completions/sluice', completion);
    for (const name of ['docs', 'examples', 'dashboards', 'schema']) {
      cpSync(inProject(name), this.#path(`${folder}/${name}`), { recursive: true });
    }
  }

  #addControl({ description }: Manifest, version: string, architecture: string): void {
    const [short, ...more] = [`${description.split(':')[0]}`, description];
    const fields = [
      'Package: sluice',
      `Version: ${version}`,
      `Architecture: ${architecture}`,
      'Maintainer: The Sluice authors <sluice@localhost>',
      'Section: net',
      'Priority: optional',
      // setpriv starts the processes; nft is the way to keep packets from the host on kernels without BPF at ingress.
      `Depends: ${[...this.#libraries(), 'util-linux', 'passwd'].join(', ')}`,
      'Recommends: nftables',
      `Description: ${short}`,
      ...more.map(line => ` ${line}`),
    ];
    this.#write('DEBIAN/control', `${fields.join('\n')}\n`);
    this.#write('DEBIAN/conffiles', '/etc/default/sluice\n');
    for (const script of ['postinst', 'prerm', 'postrm']) {
      this.#copy(inProject(`packaging/${script}`), `DEBIAN/${script}`, 0o755);
    }
  }

  /** The packages of the shared libraries, with the versions that have what the programs use. */
  #libraries(): string[] {
    const work = mkdtempSync(join(tmpdir(), 'sluice-libraries-'));
    try {
      mkdirSync(join(work, 'debian'));
      writeFileSync(join(work, 'debian/control'), 'Source: sluice\n\nPackage: sluice\nArchitecture: any\n');
      const programs = [`${library}/sluice.node`, `${library}/sluice-ipvsadm`, 'bin/node'];
      const files = programs.map(name => `-e${join(this.#root, home, name)}`);
      const said = outputOf('sh', ['-c', `cd "$0" && exec dpkg-shlibdeps -O "$@" 2>/dev/null`, work, ...files]);
      const depends = /^shlibs:Depends=(.*)$/m.exec(said)?.[1];
      if (depends === undefined) throw new Failure(`dpkg-shlibdeps found no libraries: ${said}`);
      return depends.split(', ');
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
}

/** The folders of these npm packages and of those that they need, as Node finds them from a folder. */
function modulesOf(names: readonly string[], from: string, found = new Set<string>()): Set<string> {
  for (const name of names) {
    let above = from;
    while (!existsSync(join(above, 'node_modules', name))) {
      if (above === dirname(above)) throw new Failure(`the npm package ${name} is missing: run npm ci`);
      above = dirname(above);
    }
    const folder = join(above, 'node_modules', name);
    if (found.has(folder)) continue;
    found.add(folder);
    const { dependencies = {} }: Dependent = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    modulesOf(Object.keys(dependencies), folder, found);
  }
  return found;
}

interface Dependent {
  readonly dependencies?: Readonly<Record<string, string>>;
}
