// SPDX-License-Identifier: Apache-2.0
// The difference of two JSON values as a list of edits, and the edits applied to the first value. A change of one
// service among ten thousand is a few edits, so it is stored and sent in a few bytes. Parts that both values share are
// not looked at. The result of an application shares all parts that no edit touches.
import Type, { type Static } from 'typebox';
import type { Immutable } from '../immutable.ts';
import { sharedEnds } from './shared-ends.ts';

const step = Type.Union([Type.String(), Type.Integer({ minimum: 0 })]);

export const editSchema = Type.Union([
  /** The value takes this place: of a key, of an item, or with an empty path of the whole value. */
  Type.Object({ set: Type.Array(step), value: Type.Unknown() }, { additionalProperties: false }),
  /** The key goes. */
  Type.Object({ remove: Type.Array(step) }, { additionalProperties: false }),
  /** In the list at the path, `count` items from `at` on give way to the new items. */
  Type.Object(
    {
      splice: Type.Array(step),
      at: Type.Integer({ minimum: 0 }),
      count: Type.Integer({ minimum: 0 }),
      items: Type.Array(Type.Unknown()),
    },
    { additionalProperties: false },
  ),
]);

export type Edit = Immutable<Static<typeof editSchema>>;
type Step = Static<typeof step>;
type Container = readonly unknown[] | Readonly<Record<string, unknown>>;

/** The edits that make `after` from `before`; none when the two are equal. A key whose value is undefined is no key. */
export function difference(before: unknown, after: unknown): Edit[] {
  const edits: Edit[] = [];
  compare(before, after, [], edits);
  return edits;
}

/** What the edits make of the value, which stays as it is. Throws a RangeError when an edit does not fit the value. */
export function applyEdits(value: unknown, edits: readonly Edit[]): unknown {
  return new Application(value).apply(edits);
}

function compare(before: unknown, after: unknown, path: readonly Step[], edits: Edit[]): void {
  if (Object.is(before, after)) return;
  if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, edits);
  else if (isMap(before) && isMap(after)) compareMaps(before, after, path, edits);
  else edits.push({ set: [...path], value: after });
}

function compareMaps(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  path: readonly Step[],
  edits: Edit[],
): void {
  for (const key of Object.keys(before)) {
    if (before[key] !== undefined && !has(after, key)) edits.push({ remove: [...path, key] });
  }
  for (const key of Object.keys(after)) {
    if (!has(after, key)) continue;
    if (has(before, key)) compare(before[key], after[key], [...path, key], edits);
    else edits.push({ set: [...path, key], value: after[key] });
  }
}

// The items that both lists have at their beginning and at their end stay. Those between them are compared one by one
// when there are as many as before.
function compareLists(
  before: readonly unknown[],
  after: readonly unknown[],
  path: readonly Step[],
  edits: Edit[],
): void {
  const shorter = Math.min(before.length, after.length);
  let { first: at, behind } = sharedEnds(before, after);
  while (at < shorter - behind && isEqual(before[at], after[at])) at++;
  while (behind < shorter - at && isEqual(before[before.length - 1 - behind], after[after.length - 1 - behind])) {
    behind++;
  }
  const count = before.length - at - behind;
  const items = after.slice(at, after.length - behind);
  if (count !== items.length) edits.push({ splice: [...path], at, count, items });
  else for (const [index, item] of items.entries()) compare(before[at + index], item, [...path, at + index], edits);
}

function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isEqual(item, b[index]));
  }
  if (!isMap(a) || !isMap(b)) return false;
  const keys = Object.keys(a).filter(key => has(a, key));
  const others = Object.keys(b).filter(key => has(b, key));
  return keys.length === others.length && keys.every(key => has(b, key) && isEqual(a[key], b[key]));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function has(map: Readonly<Record<string, unknown>>, key: string): boolean {
  return Object.hasOwn(map, key) && map[key] !== undefined;
}

class Application {
  #root: unknown;
  /** The lists and maps that this application has copied already, and may change. */
  readonly #own = new Set<unknown>();

  constructor(root: unknown) {
    this.#root = root;
  }

  apply(edits: readonly Edit[]): unknown {
    for (const edit of edits) {
      if ('set' in edit) this.#set(edit.set, edit.value);
      else if ('remove' in edit) this.#remove(edit.remove);
      else this.#splice(edit);
    }
    return this.#root;
  }

  #set(path: readonly Step[], value: unknown): void {
    const last = path.at(-1);
    if (last === undefined) {
      this.#root = value;
      return;
    }
    const container = this.#container(path.slice(0, -1));
    if (Array.isArray(container) && !hasStep(container, last)) throw misfit(path);
    if (!Array.isArray(container) && typeof last !== 'string') throw misfit(path);
    put(container, last, value);
  }

  #remove(path: readonly Step[]): void {
    const last = path.at(-1);
    if (last === undefined) throw misfit(path);
    const container = this.#container(path.slice(0, -1));
    if (Array.isArray(container) || !hasStep(container, last)) throw misfit(path);
    Reflect.deleteProperty(container, last);
  }

  #splice({ splice: path, at, count, items }: Extract<Edit, { splice: unknown }>): void {
    const list = this.#container(path);
    if (!Array.isArray(list) || at + count > list.length) throw misfit(path);
    // Not list.splice(at, count, ...items): a call cannot have a hundred thousand arguments.
    const tail = list.slice(at + count);
    list.length = at;
    for (const item of items) list.push(item);
    for (const item of tail) list.push(item);
  }

  /** The list or the map at the path, as a copy that may be changed. */
  #container(path: readonly Step[]): Container {
    let container = this.#owned(this.#root, path);
    this.#root = container;
    for (const step of path) {
      if (!hasStep(container, step)) throw misfit(path);
      const part = this.#owned((container as Readonly<Record<Step, unknown>>)[step], path);
      put(container, step, part);
      container = part;
    }
    return container;
  }

  #owned(value: unknown, path: readonly Step[]): Container {
    if (typeof value !== 'object' || value === null) throw misfit(path);
    if (this.#own.has(value)) return value as Container;
    const copy = Array.isArray(value) ? [...value] : Object.fromEntries(Object.entries(value));
    this.#own.add(copy);
    return copy;
  }
}

function hasStep(container: Container, step: Step): boolean {
  if (Array.isArray(container)) return typeof step === 'number' && step < container.length;
  return typeof step === 'string' && Object.hasOwn(container, step);
}

// A property that is defined, not assigned: the key __proto__ is one like any other.
function put(container: Container, step: Step, value: unknown): void {
  Object.defineProperty(container, step, { value, writable: true, enumerable: true, configurable: true });
}

function misfit(path: readonly Step[]): RangeError {
  return new RangeError(`an edit does not fit the value: there is no ${path.length === 0 ? 'value' : path.join('.')}`);
}
