// SPDX-License-Identifier: Apache-2.0
// Makes one document of those that include each other. Maps are merged by key and lists are appended, in the order of the
// documents. What can only be said once (a scalar, or an entry of a map of names, such as a pool) and is said twice is an
// error that names both places.
import { formatPlace } from '../errors.ts';
import { formatPath, listNode, type MapEntry, type MapNode, mapNode, type Path } from './node.ts';
import type { Problems } from './problems.ts';
import type { SchemaView } from './schema-view.ts';

/** The documents as one: the first stands for the places of what all of them say. */
export function mergeDocuments(documents: readonly MapNode[], schema: SchemaView, problems: Problems): MapNode {
  return new Merger(problems).maps(documents, schema, []);
}

class Merger {
  readonly #problems: Problems;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  /** All at once: one after the other would take the square of the time. */
  maps(maps: readonly MapNode[], schema: SchemaView | undefined, path: Path): MapNode {
    const [first] = maps;
    if (first !== undefined && maps.length === 1) return first;
    const said = new Map<string, [MapEntry, ...MapEntry[]]>();
    for (const { entries } of maps) {
      for (const [key, entry] of entries) {
        const before = said.get(key);
        if (before === undefined) said.set(key, [entry]);
        else before.push(entry);
      }
    }
    const merged = new Map<string, MapEntry>();
    for (const [key, entries] of said) merged.set(key, this.#entry(entries, schema, [...path, key]));
    return mapNode(merged, first?.place);
  }

  #entry(entries: readonly [MapEntry, ...MapEntry[]], schema: SchemaView | undefined, path: Path): MapEntry {
    const [first, ...others] = entries;
    if (others.length === 0) return first;
    const key = String(path.at(-1));
    const { properties = {}, patternProperties } = mapForm(schema);
    const isNamed = patternProperties !== undefined && !Object.hasOwn(properties, key);
    const values = entries.map(({ value }) => value);
    if (!isNamed) {
      const maps = values.filter(value => value.kind === 'map');
      const below = Object.hasOwn(properties, key) ? properties[key] : undefined;
      if (maps.length === values.length) return { ...first, value: this.maps(maps, below, path) };
      const lists = values.filter(value => value.kind === 'list');
      if (lists.length === values.length) {
        const items = lists.flatMap(list => list.items);
        return { ...first, value: listNode(items, first.value.place) };
      }
    }
    for (const other of others) {
      if (this.#problems.isFull) break;
      this.#problems.report('SLUICE_CONFIG_CONFLICT', `${formatPath(path)} is said twice`, {
        place: other.keyPlace,
        remedy: `say it once: it stands at ${formatPlace(first.keyPlace)} too`,
      });
    }
    return first;
  }
}

/** The form of a schema that is a map; one without keys where there is none. */
function mapForm(schema: SchemaView | undefined): SchemaView {
  const forms = [schema, ...(schema?.anyOf ?? [])];
  return forms.find(form => form?.type === 'object') ?? {};
}
