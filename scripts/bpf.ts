// SPDX-License-Identifier: Apache-2.0
// Compiles native/bpf/*.bpf.c and writes the programs as numbers into native/bpf/*.generated.h. These headers are committed,
// so that building Sluice needs no clang. Each header has the hash of its sources.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, mustRun, projectRoot, startScript } from '../tools/command.ts';
import { setup } from '../tools/setup.ts';

const usage = `
Usage: npm run bpf

Compiles the BPF programs of native/bpf with clang-14 and writes native/bpf/*.generated.h.
`;

const compiler = 'clang-14';
const folder = join(projectRoot, 'native/bpf');

interface Source {
  /** NAME in NAME.bpf.c and NAME.generated.h. */
  readonly name: string;
  /** The files that it includes. */
  readonly headers: readonly string[];
  /** The programs: sections of the object file. */
  readonly programs: readonly string[];
  /** The source whose maps its programs use, too. Both have the same maps in the same order. */
  readonly mapsOf?: string;
}
const sources: readonly Source[] = [
  { name: 'steal', headers: ['steal.h', 'steering.h'], programs: ['ingress', 'socket', 'filter', 'fanout'] },
  { name: 'tunnel', headers: ['tunnel.h'], programs: ['tunnel'] },
  {
    name: 'host_reply',
    headers: ['steal.bpf.c', 'steal.h', 'steering.h'],
    programs: ['reply', 'reply_without_link'],
    mapsOf: 'steal',
  },
  { name: 'steal_xdp', headers: ['steal.bpf.c', 'steal.h', 'steering.h'], programs: ['xdp'], mapsOf: 'steal' },
];

const instructionSize = 8;
const instructionsOfLine = 16;
const mapSymbolSize = 4;

/** The committed headers that are not up to date, a line each. Without clang only the hashes are compared. */
export function staleBpf(): string[] {
  const hasCompiler = spawnSync(compiler, ['--version']).status === 0;
  const isStale = (source: Source): boolean => {
    const committed = readFileSync(generated(source), 'utf8');
    return !committed.includes(hashOf(source)) || (hasCompiler && committed !== compile(source));
  };
  return sources
    .filter(isStale)
    .map(({ name }) => `native/bpf/${name}.generated.h does not match its sources: run npm run bpf`);
}

function generated({ name }: Source): string {
  return join(folder, `${name}.generated.h`);
}

function hashOf({ name, headers }: Source): string {
  const hash = createHash('sha256');
  for (const file of [`${name}.bpf.c`, ...headers]) hash.update(readFileSync(join(folder, file)));
  return hash.digest('hex');
}

function compile(source: Source): string {
  const { name } = source;
  const output = join(projectRoot, 'out', `${name}.bpf.o`);
  mkdirSync(join(projectRoot, 'out'), { recursive: true });
  // Version 3 of the instruction set needs kernel 5.1. The later folders have Debian's asm/ headers.
  const includes = ['-I', folder, '-I', '/usr/include/x86_64-linux-gnu', '-I', '/usr/include/aarch64-linux-gnu'];
  const options = ['-target', 'bpf', '-mcpu=v3', '-O2', '-Wall', '-Wextra', '-Werror', ...includes];
  mustRun(compiler, [...options, '-c', join(folder, `${name}.bpf.c`), '-o', output], { quiet: true });
  return headerOf(source, new ObjectFile(readFileSync(output)));
}

interface Section {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The parts of a 64-bit little-endian ELF object that BPF needs. */
class ObjectFile {
  readonly #sections: readonly Section[];

  constructor(file: Buffer) {
    const table = Number(file.readBigUInt64LE(0x28));
    const [size, count, names] = [file.readUInt16LE(0x3a), file.readUInt16LE(0x3c), file.readUInt16LE(0x3e)];
    const headers = Array.from({ length: count }, (_, i) => file.subarray(table + i * size, table + (i + 1) * size));
    const contents = headers.map(header => {
      const start = Number(header.readBigUInt64LE(0x18));
      return file.subarray(start, start + Number(header.readBigUInt64LE(0x20)));
    });
    const texts = contents[names] ?? Buffer.alloc(0);
    this.#sections = headers.map((header, i) => ({
      name: textAt(texts, header.readUInt32LE(0)),
      bytes: contents[i] ?? Buffer.alloc(0),
    }));
  }

  #find(name: string): Buffer | undefined {
    return this.#sections.find(section => section.name === name)?.bytes;
  }

  section(name: string): Buffer {
    const found = this.#find(name);
    if (found === undefined) throw new Failure(`the compiled object has no section ${name}`);
    return found;
  }

  /** Names of the maps, in the order of their section. */
  get maps(): string[] {
    const [symbols, texts] = [this.section('.symtab'), this.section('.strtab')];
    const maps: string[] = [];
    const place = this.#sections.findIndex(section => section.name === 'maps');
    if (place < 0) return maps;
    for (let at = 0; at < symbols.length; at += 24) {
      if (symbols.readUInt16LE(at + 6) !== place) continue;
      maps[Number(symbols.readBigUInt64LE(at + 8)) / mapSymbolSize] = textAt(texts, symbols.readUInt32LE(at));
    }
    return maps;
  }

  /** Which instruction of a section loads which map. */
  relocations(name: string): { instruction: number; map: number }[] {
    const [entries, symbols] = [this.#find(`.rel${name}`) ?? Buffer.alloc(0), this.section('.symtab')];
    return Array.from({ length: entries.length / 16 }, (_, i) => {
      const symbol = entries.readUInt32LE(i * 16 + 12);
      return {
        instruction: Number(entries.readBigUInt64LE(i * 16)) / instructionSize,
        map: Number(symbols.readBigUInt64LE(symbol * 24 + 8)) / mapSymbolSize,
      };
    });
  }
}

function textAt(texts: Buffer, start: number): string {
  return texts.toString('latin1', start, texts.indexOf(0, start));
}

function headerOf(source: Source, object: ObjectFile): string {
  const { name, headers, mapsOf } = source;
  const { maps } = object;
  const names = `enum Map : uint16_t { ${maps.join(', ')} };
inline constexpr unsigned map_count = ${maps.length};

`;
  return `// SPDX-License-Identifier: Apache-2.0
// Written by scripts/bpf.ts from ${[`${name}.bpf.c`, ...headers].join(', ')}, whose hash is
// ${hashOf(source)}
#pragma once

#include "bpf/${mapsOf === undefined ? 'program.h' : `${mapsOf}.generated.h`}"

// clang-format off
namespace sluice::host::bpf {

${maps.length === 0 || mapsOf !== undefined ? '' : names}${source.programs.map(program => programOf(program, object)).join('\n')}
}  // namespace sluice::host::bpf
`;
}

function programOf(name: string, object: ObjectFile): string {
  const { maps } = object;
  const bytes = object.section(name);
  const numbers = Array.from({ length: bytes.length / instructionSize }, (_, i) => {
    return `0x${bytes.readBigUInt64LE(i * instructionSize).toString(16)}`;
  });
  const relocations = object.relocations(name).map(({ instruction, map }) => `{${instruction}, ${maps[map]}}`);
  const places = `inline constexpr Relocation ${name}_relocations[] = {
${lines(relocations)}
};
`;
  return `inline constexpr uint64_t ${name}_instructions[] = {
${lines(numbers)}
};
${relocations.length === 0 ? '' : places}inline constexpr Program ${name} = {"sluice_${name}", ${name}_instructions, ${relocations.length === 0 ? '{}' : `${name}_relocations`}};
`;
}

function lines(words: readonly string[]): string {
  const starts = Array.from({ length: Math.ceil(words.length / instructionsOfLine) }, (_, i) => i * instructionsOfLine);
  return starts.map(start => `  ${words.slice(start, start + instructionsOfLine).join(', ')},`).join('\n');
}

function main(): void {
  setup(['check']);
  for (const source of sources) writeFileSync(generated(source), compile(source));
}

await startScript(import.meta.url, usage, main);
