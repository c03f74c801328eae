// SPDX-License-Identifier: Apache-2.0
// A document as it was written: a tree of values with their places. YAML text and plain JavaScript values both become
// such a tree, so that the same code checks both. The keys of a map are not properties of a JavaScript object, so a key
// named __proto__ is a key like any other.
import type { Place } from '../errors.ts';

interface NodeBase {
  /** The place where the value begins; undefined when a program made the value. */
  readonly place: Place | undefined;
  /** The number of nodes in this tree, this node included, with all aliases expanded. */
  readonly size: number;
}

export interface ScalarNode extends NodeBase {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
}

export interface ListNode extends NodeBase {
  readonly kind: 'list';
  readonly items: readonly ConfigNode[];
}

export interface MapEntry {
  readonly keyPlace: Place | undefined;
  readonly value: ConfigNode;
}

export interface MapNode extends NodeBase {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export type ConfigNode = ScalarNode | ListNode | MapNode;

export function scalarNode(value: ScalarNode['value'], place?: Place): ScalarNode {
  return { kind: 'scalar', value, place, size: 1 };
}

export function listNode(items: readonly ConfigNode[], place?: Place): ListNode {
  return { kind: 'list', items, place, size: items.reduce((sum, item) => sum + item.size, 1) };
}

export function mapNode(entries: ReadonlyMap<string, MapEntry>, place?: Place): MapNode {
  let size = 1;
  for (const entry of entries.values()) size += entry.value.size;
  return { kind: 'map', entries, place, size };
}

// No document of Sluice is nested this deep. The limit also ends the walk through a value that contains itself.
const deepest = 64;

/** A plain value as a tree without places. Throws a TypeError for a value that JSON cannot express. */
export function nodeOf(value: unknown, depth = 0): ConfigNode {
  if (depth > deepest) throw new TypeError(`a configuration is nested deeper than ${deepest}, or contains itself`);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return scalarNode(value);
  if (typeof value === 'number') return scalarNode(value);
  if (Array.isArray(value)) return listNode(value.map(item => nodeOf(item, depth + 1)));
  if (typeof value !== 'object') throw new TypeError(`a configuration cannot hold a ${typeof value}`);
  const entries = new Map<string, MapEntry>();
  for (const [key, part] of Object.entries(value)) {
    if (part !== undefined) entries.set(key, { keyPlace: undefined, value: nodeOf(part, depth + 1) });
  }
  return mapNode(entries);
}

/** The tree as a plain value. */
export function plainOf(node: ConfigNode): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(plainOf);
    case 'map':
      // fromEntries defines properties, it does not assign them. So the key __proto__ does not change the prototype.
      return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plainOf(entry.value)]));
  }
}

/** The keys and indexes that lead from the root of a document to a value. */
export type Path = readonly (string | number)[];

/** The path as a person reads it: `director.services[2].servers[0]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** The node at the path. When the path does not exist, the last node of the path that does. */
export function nodeAt(root: ConfigNode, path: Path): ConfigNode {
  let node = root;
  for (const step of path) {
    const next: ConfigNode | undefined =
      node.kind === 'map'
        ? node.entries.get(String(step))?.value
        : node.kind === 'list'
          ? node.items[Number(step)]
          : undefined;
    if (next === undefined) return node;
    node = next;
  }
  return node;
}
