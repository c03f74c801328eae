// SPDX-License-Identifier: Apache-2.0
// A part of a document after the check of its schema. The reader gives values and places by their paths, and takes
// reports about what a schema cannot express. Paths are relative to the part.
import type { TSchema } from 'typebox';
import { formatPlace } from '../errors.ts';
import { byText } from './canonical.ts';
import { checkNode } from './check.ts';
import type { DefinedNames } from './defined-names.ts';
import { type ConfigNode, formatPath, nodeAt, type Path, plainOf } from './node.ts';
import type { ConfigErrorCode, Problems } from './problems.ts';
import { suggest } from './suggest.ts';

export class DocumentReader {
  readonly #root: ConfigNode;
  readonly #base: Path;
  readonly #problems: Problems;
  readonly #unsound: ReadonlySet<ConfigNode>;

  /** Checks the part against the schema. `base` is the path from the root of the document to the part. */
  constructor(root: ConfigNode, schema: TSchema, base: Path, problems: Problems) {
    this.#root = root;
    this.#base = base;
    this.#problems = problems;
    this.#unsound = checkNode(schema, root, base, problems);
  }

  /** Whether the path has a value that the schema allows. */
  sound(path: Path): boolean {
    const node = this.#find(path);
    return node !== undefined && !this.#unsound.has(node);
  }

  /** The value at the path. The caller knows the type of the value from the schema. */
  value<T>(path: Path): T {
    return plainOf(nodeAt(this.#root, path)) as T;
  }

  /** The keys of the map or the indexes of the list at the path; none where the path has no value. */
  steps(path: Path): (string | number)[] {
    const node = this.#find(path);
    if (node?.kind === 'map') return [...node.entries.keys()];
    return node?.kind === 'list' ? [...node.items.keys()] : [];
  }

  /** Reads a map of named things. Entries that the schema does not allow are skipped. The result is sorted by name. */
  named<T>(key: string, read: (name: string, path: Path) => T | undefined): T[] {
    return this.steps([key])
      .map(String)
      .filter(name => this.sound([key, name]))
      .toSorted(byText)
      .map(name => read(name, [key, name]))
      .filter(part => part !== undefined);
  }

  report(path: Path, problem: string, value: unknown, remedy: string, code?: ConfigErrorCode): undefined {
    this.#problems.report(code ?? 'SLUICE_CONFIG_INVALID', `${this.fullPath(path)} ${problem}`, {
      place: nodeAt(this.#root, path).place,
      value,
      remedy,
    });
  }

  /**
   * Whether the text at the path is the name of something of this kind that a section defines. An unknown name is
   * reported. A value that is missing, or that the schema does not allow, is not reported here.
   */
  refer(path: Path, kind: string, defined: DefinedNames): boolean {
    if (!this.sound(path)) return false;
    const name = this.value<string>(path);
    if (defined.has(kind, name)) return true;
    const names = defined.list(kind);
    const remedy = names.length === 0 ? `define a ${kind} of this name, or remove the reference` : suggest(name, names);
    this.report(path, `names a ${kind} that is not defined`, name, remedy);
    return false;
  }

  /** Reports that two parts of the document contradict each other. */
  conflict(path: Path, problem: string, value: unknown, remedy: string): undefined {
    return this.report(path, problem, value, remedy, 'SLUICE_CONFIG_CONFLICT');
  }

  /** The place of a value, for a message about another value. */
  mention(path: Path): string {
    const place = formatPlace(nodeAt(this.#root, path).place);
    return place === '' ? this.fullPath(path) : place;
  }

  /** The path from the root of the document, as messages write it: `director.pools.local`. */
  fullPath(path: Path): string {
    return formatPath([...this.#base, ...path]);
  }

  #find(path: Path): ConfigNode | undefined {
    let node: ConfigNode | undefined = this.#root;
    for (const step of path) {
      if (node?.kind === 'map') node = node.entries.get(String(step))?.value;
      else node = node?.kind === 'list' ? node.items[Number(step)] : undefined;
    }
    return node;
  }
}
