// SPDX-License-Identifier: Apache-2.0
// Compiles native/bpf/steal.bpf.c and writes its programs as numbers into native/bpf/steal.generated.h, which is
// committed: who builds Sluice needs no clang. The header names the hash of what it was made from.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, mustRun, projectRoot, startScript } from './command.ts';
import { setup } from './setup.ts';

const usage = `
Usage: npm run bpf

Compiles the BPF programs of native/bpf with clang-14 and writes native/bpf/steal.generated.h.
`;

const compiler = 'clang-14';
const folder = join(projectRoot, 'native/bpf');
const sources = ['steal.bpf.c', 'steal.h'];
const generated = join(folder, 'steal.generated.h');
const programs = ['ingress', 'socket', 'filter', 'fanout'];

const instructionSize = 8;
const instructionsOfLine = 16;
const mapSymbolSize = 4;

/** What is wrong with the committed header; undefined if nothing. Without clang only the hash of the sources tells. */
export function staleBpf(): string | undefined {
  const committed = readFileSync(generated, 'utf8');
  const stale = 'native/bpf/steal.generated.h is not what its sources compile to: npm run bpf';
  if (!committed.includes(hashOfSources())) return stale;
  const hasCompiler = spawnSync(compiler, ['--version']).status === 0;
  return !hasCompiler || committed === compile() ? undefined : stale;
}

function hashOfSources(): string {
  const hash = createHash('sha256');
  for (const name of sources) hash.update(readFileSync(join(folder, name)));
  return hash.digest('hex');
}

function compile(): string {
  const output = join(projectRoot, 'out', 'steal.bpf.o');
  mkdirSync(join(projectRoot, 'out'), { recursive: true });
  // Version 3 of the instruction set: kernel 5.1. The second folder has asm/ of Debian's headers.
  const includes = ['-I', folder, '-I', '/usr/include/x86_64-linux-gnu', '-I', '/usr/include/aarch64-linux-gnu'];
  const options = ['-target', 'bpf', '-mcpu=v3', '-O2', '-Wall', '-Wextra', '-Werror', ...includes];
  mustRun(compiler, [...options, '-c', join(folder, 'steal.bpf.c'), '-o', output], { quiet: true });
  return headerOf(new ObjectFile(readFileSync(output)));
}

interface Section {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Of a 64-bit little-endian ELF object as much as BPF needs. */
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

  section(name: string): Buffer {
    const found = this.#sections.find(section => section.name === name);
    if (found === undefined) throw new Failure(`the compiled object has no section ${name}`);
    return found.bytes;
  }

  /** Names of the maps, in the order of their section. */
  get maps(): string[] {
    const [symbols, texts] = [this.section('.symtab'), this.section('.strtab')];
    const maps: string[] = [];
    const place = this.#sections.findIndex(section => section.name === 'maps');
    for (let at = 0; at < symbols.length; at += 24) {
      if (symbols.readUInt16LE(at + 6) !== place) continue;
      maps[Number(symbols.readBigUInt64LE(at + 8)) / mapSymbolSize] = textAt(texts, symbols.readUInt32LE(at));
    }
    return maps;
  }

  /** Which instruction of a section loads which map. */
  relocations(name: string): { instruction: number; map: number }[] {
    const [entries, symbols] = [this.section(`.rel${name}`), this.section('.symtab')];
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

function headerOf(object: ObjectFile): string {
  const { maps } = object;
  return `// SPDX-License-Identifier: Apache-2.0
// Written by scripts/bpf.ts from steal.bpf.c and steal.h, whose hash is
// ${hashOfSources()}
#pragma once

#include <cstdint>
#include <span>

// clang-format off
namespace sluice::host::bpf {

enum Map : uint16_t { ${maps.join(', ')} };
inline constexpr unsigned map_count = ${maps.length};

struct Relocation {
  uint16_t instruction;
  uint16_t map;
};

struct Program {
  const char* name;
  std::span<const uint64_t> instructions;
  std::span<const Relocation> relocations;
};

${programs.map(name => programOf(name, object)).join('\n')}
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
  return `inline constexpr uint64_t ${name}_instructions[] = {
${lines(numbers)}
};
inline constexpr Relocation ${name}_relocations[] = {
${lines(relocations)}
};
inline constexpr Program ${name} = {"sluice_${name}", ${name}_instructions, ${name}_relocations};
`;
}

function lines(words: readonly string[]): string {
  const starts = Array.from({ length: Math.ceil(words.length / instructionsOfLine) }, (_, i) => i * instructionsOfLine);
  return starts.map(start => `  ${words.slice(start, start + instructionsOfLine).join(', ')},`).join('\n');
}

function main(): void {
  setup(['check']);
  writeFileSync(generated, compile());
}

await startScript(import.meta.url, usage, main);
