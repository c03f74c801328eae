// SPDX-License-Identifier: Apache-2.0
// A document as it was written: values with the places they stand at. YAML text and plain JavaScript values both become
// such a tree, so that schema and semantic checks are the same for both. Maps hold their keys apart from JavaScript's
// own properties: a key named __proto__ is a key like any other.
import type { Place } from '../errors.ts';

interface NodeBase {
  /** Where the value begins; undefined for values that come from a program. */
  readonly place: Place | undefined;
  /** The nodes below and this one, aliases expanded. */
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

// Deeper than any document of Sluice; a value that contains itself ends here.
const deepest = 64;

/** A plain value as a tree without places. Throws a TypeError for what JSON cannot say. */
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
      // fromEntries defines properties instead of assigning them: no key reaches a prototype.
      return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plainOf(entry.value)]));
  }
}

/** The steps from the root of a document to a value. */
export type Path = readonly (string | number)[];

/** `director.services[2].servers[0]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** The node at a path, or the last one on the way that exists. */
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
