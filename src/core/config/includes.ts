// SPDX-License-Identifier: Apache-2.0
// A document in several files. The key `include` of a document lists patterns of files, relative to the folder of the file
// that has it. A file that is included is a document of the same form and may include further ones.
//
//   sluice.yaml ── include: [services/*.yaml, pools.yaml] ──▶ a.yaml, b.yaml, pools.yaml ──merge──▶ one document
//
// The order is: a file, then what its patterns stand for, one pattern after the other, the files of a pattern by name. It
// does not depend on the file system. A file that is reached twice counts once; a file that includes itself, also by
// others, is an error. Whoever reads the files decides which may be included (DocumentFiles).
import { dirname, join } from 'node:path';
import Type from 'typebox';
import { ConfigError, type Place, SystemError } from '../errors.ts';
import { checkNode } from './check.ts';
import { mergeDocuments } from './merge.ts';
import { type ConfigNode, type MapNode, mapNode } from './node.ts';
import type { Problems } from './problems.ts';
import type { SchemaView } from './schema-view.ts';
import type { Variables } from './variables.ts';
import { longestText, mostNodes, parseYaml } from './yaml.ts';

/** A file of a document, as it was read. */
export interface SourceText {
  readonly text: string;
  /** Equal for the same file under other names. */
  readonly identity: string;
  /** The variables of the environment that the text uses, as far as they are defined. */
  readonly variables: Variables;
}

/** Reads files for a document. All functions throw a SluiceError that says why not. */
export interface DocumentFiles {
  read(file: string): Promise<SourceText>;
  /** The files that a pattern stands for, by name. A pattern without wildcards stands for itself. */
  matches(pattern: string): Promise<readonly string[]>;
  /** Whether the file can be used as a secret. */
  checkSecret(file: string): Promise<void>;
}

export const includeKey = 'include';

export const includeSchema = Type.Array(
  Type.String({
    description: 'A path relative to the folder of this file; `*` and `?` stand for characters of a name.',
    maxLength: 1024,
    examples: ['services/*.yaml'],
  }),
  {
    description:
      'Files that are part of this document, each a document of the same form. Their names end in .yaml or .yml, and they are ' +
      'in the folder of the main file or below. A pattern with wildcards may stand for no file.',
    examples: [['services/*.yaml']],
  },
);

const includeMap = Type.Object({ [includeKey]: includeSchema }, { additionalProperties: false });

/** Of the main file, its includes and theirs. Eight are twice what people use. */
const deepest = 8;

/** A file for each service of a large site. */
export const mostFiles = 20_000;

/**
 * The document in this file with all that it includes, as one tree without the key `include`. Undefined when something
 * cannot be read, which is reported; when the file itself cannot be read, that is thrown.
 */
export async function readDocument(
  file: string,
  files: DocumentFiles,
  schema: SchemaView,
  problems: Problems,
): Promise<ConfigNode | undefined> {
  const reading = new Reading(files, problems);
  await reading.take(file, undefined, []);
  if (problems.count > 0) return undefined;
  const [first, ...others] = reading.parts;
  if (first === undefined || others.length === 0) return first;
  const maps = reading.parts.filter(part => part.kind === 'map');
  const merged = mergeDocuments(maps, schema, problems);
  return problems.count > 0 ? undefined : merged;
}

/** The document without its key `include`, and the patterns that it lists. */
function takeIncludes(
  document: MapNode,
  problems: Problems,
): { readonly document: MapNode; readonly patterns: readonly { readonly pattern: string; readonly place?: Place }[] } {
  const entry = document.entries.get(includeKey);
  if (entry === undefined) return { document, patterns: [] };
  const rest = new Map(document.entries);
  rest.delete(includeKey);
  const own = mapNode(new Map([[includeKey, entry]]));
  const isSound = checkNode(includeMap, own, [], problems).size === 0;
  const items = isSound && entry.value.kind === 'list' ? entry.value.items : [];
  return {
    document: mapNode(rest, document.place),
    patterns: items.flatMap(item =>
      item.kind === 'scalar'
        ? [{ pattern: String(item.value), ...(item.place === undefined ? {} : { place: item.place }) }]
        : [],
    ),
  };
}

class Reading {
  /** The documents in their order. */
  readonly parts: ConfigNode[] = [];
  readonly #files: DocumentFiles;
  readonly #problems: Problems;
  readonly #taken = new Set<string>();
  #reads = 0;
  #bytes = 0;
  #nodes = 0;
  /** Too much was included: said once. */
  #isOver = false;

  constructor(files: DocumentFiles, problems: Problems) {
    this.#files = files;
    this.#problems = problems;
  }

  /** `by`: the place of the include; undefined for the main file. `above`: the files that lead to this one. */
  async take(file: string, by: Place | undefined, above: readonly string[]): Promise<void> {
    if (++this.#reads > mostFiles) this.#stop('too many files are included', by, `include at most ${mostFiles}`);
    if (this.#isOver || this.#problems.isFull) return;
    const source = await this.#read(file, by);
    if (source === undefined) return;
    if (above.includes(source.identity)) {
      this.#report('the file includes itself', by, 'put the files that are included into a folder of their own', file);
      return;
    }
    if (this.#taken.has(source.identity)) return;
    this.#taken.add(source.identity);
    const node = this.#parse(file, by, source);
    if (node === undefined) return;
    if (node.kind !== 'map') {
      // Of the main file the check of the schema says so.
      if (by !== undefined)
        this.#report('an included document must be a map', node.place, 'write sections as in the main file');
      this.parts.push(node);
      return;
    }
    const { document, patterns } = takeIncludes(node, this.#problems);
    this.parts.push(document);
    for (const { pattern, place } of patterns) {
      if (above.length + 1 >= deepest)
        this.#report('includes are nested too deeply', place, `nest at most ${deepest} files`);
      else await this.#include(file, pattern, place ?? {}, [...above, source.identity]);
    }
  }

  async #include(file: string, pattern: string, place: Place, above: readonly string[]): Promise<void> {
    for (const each of (await this.#matches(file, pattern, place)) ?? []) {
      if (this.#isOver || this.#problems.isFull) return;
      await this.take(each, place, above);
    }
  }

  async #matches(file: string, pattern: string, place: Place): Promise<readonly string[] | undefined> {
    const wrong = wrongPattern(pattern);
    if (wrong === undefined) {
      return await this.#attempt(pattern, place, () => this.#files.matches(join(dirname(file), pattern)));
    }
    this.#report(wrong.problem, place, wrong.remedy, pattern);
    return undefined;
  }

  async #read(file: string, by: Place | undefined): Promise<SourceText | undefined> {
    if (by === undefined) return await this.#files.read(file);
    return await this.#attempt(file, by, () => this.#files.read(file));
  }

  #parse(file: string, by: Place | undefined, { text, variables }: SourceText): ConfigNode | undefined {
    this.#bytes += Buffer.byteLength(text);
    if (by !== undefined && this.#bytes > longestText) {
      this.#stop(
        'the files of the document are too long',
        by,
        `keep all of them below ${longestText >> 20} MiB together`,
      );
      return undefined;
    }
    const node = parseYaml(text, file, this.#problems, variables);
    this.#nodes += node?.size ?? 0;
    if (by === undefined || this.#nodes <= mostNodes) return node;
    this.#stop('the aliases stand for too many values', by, 'write the values out, or use fewer aliases');
    return undefined;
  }

  /** What cannot be included is a mistake of the document. Any other error goes on. */
  async #attempt<T>(what: string, place: Place, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof SystemError)) throw error;
      const { problem, remedy, value } = error;
      this.#problems.report('SLUICE_CONFIG_INVALID', `cannot include ${what}: ${problem}`, { place, value, remedy });
      return undefined;
    }
  }

  #stop(problem: string, place: Place | undefined, remedy: string): void {
    if (!this.#isOver) this.#report(problem, place, remedy);
    this.#isOver = true;
  }

  #report(problem: string, place: Place | undefined, remedy: string, value?: unknown): void {
    this.#problems.report('SLUICE_CONFIG_INVALID', problem, { place, value, remedy });
  }
}

function wrongPattern(pattern: string): { readonly problem: string; readonly remedy: string } | undefined {
  if (pattern === '' || pattern.includes('\0')) return { problem: 'this is no path', remedy: 'name a file' };
  if (pattern.startsWith('/')) {
    return { problem: 'an include is an absolute path', remedy: 'write it relative to the folder of this file' };
  }
  if (!pattern.includes('**')) return undefined;
  return { problem: 'an include cannot cross folders by **', remedy: 'list a pattern for each folder' };
}
