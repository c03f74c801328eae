// SPDX-License-Identifier: Apache-2.0
// The names that the sections of a document define, by kind ('pool', 'real server'). A section refers to a thing of
// another section by its kind and its name. Neither section has to know the other one.

export class DefinedNames {
  readonly #names = new Map<string, Set<string>>();
  readonly #uncertain = new Set<string>();

  /** `isSound` is false when the section that defines the names has mistakes: some of its names may be missing. */
  add(kind: string, names: Iterable<string>, isSound: boolean): void {
    const all = this.#names.get(kind) ?? new Set();
    for (const name of names) all.add(name);
    this.#names.set(kind, all);
    if (!isSound) this.#uncertain.add(kind);
  }

  /**
   * Whether something of this kind has this name. Where a section with mistakes defines the kind, every name counts as
   * defined, so that one mistake is reported once.
   */
  has(kind: string, name: string): boolean {
    return this.#uncertain.has(kind) || (this.#names.get(kind)?.has(name) ?? false);
  }

  /** All names of the kind. */
  list(kind: string): string[] {
    return [...(this.#names.get(kind) ?? [])];
  }
}
