// SPDX-License-Identifier: Apache-2.0
// A part of a document after its schema has been checked: values and places by path, and where to report what a schema
// cannot say. Paths are relative to the part.
import type { TSchema } from 'typebox';
import { formatPlace } from '../errors.ts';
import { checkNode } from './check.ts';
import { type ConfigNode, formatPath, nodeAt, type Path, plainOf } from './node.ts';
import type { ConfigErrorCode, Problems } from './problems.ts';

export class DocumentReader {
  readonly #root: ConfigNode;
  readonly #base: Path;
  readonly #problems: Problems;
  readonly #unsound: ReadonlySet<ConfigNode>;

  /** Checks the schema. `base` is the path from the document's root to this part. */
  constructor(root: ConfigNode, schema: TSchema, base: Path, problems: Problems) {
    this.#root = root;
    this.#base = base;
    this.#problems = problems;
    this.#unsound = checkNode(schema, root, base, problems);
  }

  /** Whether there is a value at the path, and the schema finds no fault with it. */
  sound(path: Path): boolean {
    const node = this.#find(path);
    return node !== undefined && !this.#unsound.has(node);
  }

  /** The value at a path; the caller knows its type from the schema. */
  value<T>(path: Path): T {
    return plainOf(nodeAt(this.#root, path)) as T;
  }

  /** The keys of a map, or the indexes of a list; none where there is nothing. */
  steps(path: Path): (string | number)[] {
    const node = this.#find(path);
    if (node?.kind === 'map') return [...node.entries.keys()];
    return node?.kind === 'list' ? [...node.items.keys()] : [];
  }

  report(path: Path, problem: string, value: unknown, remedy: string, code?: ConfigErrorCode): undefined {
    this.#problems.report(code ?? 'SLUICE_CONFIG_INVALID', `${formatPath([...this.#base, ...path])} ${problem}`, {
      place: nodeAt(this.#root, path).place,
      value,
      remedy,
    });
  }

  /** Two parts contradict each other. */
  conflict(path: Path, problem: string, value: unknown, remedy: string): undefined {
    return this.report(path, problem, value, remedy, 'SLUICE_CONFIG_CONFLICT');
  }

  /** Where something stands, for a message about something else. */
  mention(path: Path): string {
    const place = formatPlace(nodeAt(this.#root, path).place);
    return place === '' ? formatPath([...this.#base, ...path]) : place;
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
