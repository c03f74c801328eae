// SPDX-License-Identifier: Apache-2.0
// Checks a document against its TypeBox schema. For each wrong value it reports the place, what is wrong and what to
// write instead. TypeBox has a checker of its own; of a value with several forms that checker can only say that no form
// fits. This checker chooses the form by the kind of the value (text, number, list, map), so the message is about the
// form that the person meant. The forms of a union must therefore differ in kind, unless all of them are constants;
// schema-view.ts enforces this.
import type { TSchema } from 'typebox';
import { type ConfigNode, formatPath, type MapNode, type Path, type ScalarNode } from './node.ts';
import type { Problems } from './problems.ts';
import { constantsOf, nameOf, type SchemaView, viewOf } from './schema-view.ts';
import { alternatives, suggest } from './suggest.ts';

/**
 * Reports everything in `node` that the schema does not allow. Returns the nodes that are wrong or that contain a wrong
 * node. Later checks skip these nodes, so that one mistake is reported once.
 */
export function checkNode(schema: TSchema, node: ConfigNode, path: Path, problems: Problems): ReadonlySet<ConfigNode> {
  const checker = new Checker(problems);
  checker.check(viewOf(schema), node, path);
  return checker.unsound;
}

class Checker {
  readonly unsound = new Set<ConfigNode>();
  readonly #problems: Problems;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  check(schema: SchemaView, node: ConfigNode, path: Path): boolean {
    const sound = this.#checkValue(schema, node, path);
    if (!sound) this.unsound.add(node);
    return sound;
  }

  #checkValue(schema: SchemaView, node: ConfigNode, path: Path): boolean {
    if (schema.anyOf !== undefined) return this.#checkUnion(schema, schema.anyOf, node, path);
    const words = constantsOf(schema);
    if (words !== undefined) return this.#checkConstant(words, node, path);
    // A schema without a type allows everything: another schema checks that part of the document.
    if (schema.type === undefined) return true;
    if (!fitsKind(schema, node))
      return this.#fail(node, path, `must be ${nameOf(schema)}`, remedyForKind(schema, node));
    switch (node.kind) {
      case 'map':
        return this.#checkMap(schema, node, path);
      case 'list':
        return this.#checkList(schema, node.items, node, path);
      case 'scalar':
        return this.#checkScalar(schema, node, path);
    }
  }

  #fail(node: ConfigNode, path: Path, problem: string, remedy: string): false {
    const value = node.kind === 'scalar' ? (node.value ?? 'nothing') : node.kind === 'list' ? 'a list' : 'a map';
    return this.#report(node, path, problem, { value, remedy });
  }

  #report(node: ConfigNode, path: Path, problem: string, details: { value?: unknown; remedy: string }): false {
    const where = formatPath(path) || 'the document';
    this.#problems.report('SLUICE_CONFIG_INVALID', `${where} ${problem}`, { place: node.place, ...details });
    return false;
  }

  #checkUnion(schema: SchemaView, forms: readonly SchemaView[], node: ConfigNode, path: Path): boolean {
    const constants = forms.flatMap(form => constantsOf(form) ?? []);
    if (node.kind === 'scalar' && constants.includes(node.value)) return true;
    const others = forms.filter(form => constantsOf(form) === undefined);
    const chosen = others.find(form => fitsKind(form, node));
    if (chosen !== undefined) return this.check(chosen, node, path);
    // Where some words are allowed, another text is taken for a misspelt word, whatever the other forms are.
    const misspelt = node.kind === 'scalar' && constants.some(word => typeof word === typeof node.value);
    if (schema.remedy !== undefined) return this.#fail(node, path, 'has a value that is not to be had', schema.remedy);
    if (others.length === 0 || misspelt) return this.#checkConstant(constants, node, path);
    const names = [...others.map(nameOf), ...constants.map(String)];
    return this.#fail(node, path, `must be ${alternatives(names)}`, remedyForKind(schema, node));
  }

  #checkConstant(constants: readonly unknown[], node: ConfigNode, path: Path): boolean {
    if (node.kind === 'scalar' && constants.includes(node.value)) return true;
    const known = constants.map(String);
    const misspelt = node.kind === 'scalar' && typeof node.value === 'string';
    const remedy = misspelt ? suggest(String(node.value), known) : `use ${alternatives(known)}`;
    return this.#fail(node, path, 'is not one of the known words', remedy);
  }

  #checkMap(schema: SchemaView, node: MapNode, path: Path): boolean {
    let sound = true;
    const properties = schema.properties ?? {};
    const known = Object.keys(properties);
    const patterns = Object.entries(schema.patternProperties ?? {});
    for (const [key, { keyPlace, value }] of node.entries) {
      if (this.#problems.isFull) return false;
      const below = [...path, key];
      const named = Object.hasOwn(properties, key) ? properties[key] : undefined;
      const property = named ?? patterns.find(([pattern]) => new RegExp(pattern).test(key))?.[1];
      if (property !== undefined) {
        sound = this.check(property, value, below) && sound;
        continue;
      }
      sound = false;
      const where = formatPath(path) || 'the document';
      const elsewhere = schema.elsewhere ?? {};
      const instead = Object.hasOwn(elsewhere, key) ? elsewhere[key] : undefined;
      const [problem, remedy] =
        patterns.length > 0
          ? [
              `${where} has a name that is not allowed`,
              schema.form ?? 'begin with a letter; use letters, digits, - and _',
            ]
          : [`${where} has no such key`, instead ?? suggest(key, known)];
      this.#problems.report('SLUICE_CONFIG_INVALID', problem, { place: keyPlace, value: key, remedy });
    }
    for (const key of schema.required ?? []) {
      if (node.entries.has(key)) continue;
      const needed = properties[key];
      sound = this.#report(node, path, `lacks the key ${key}`, { remedy: `add ${key}: ${exampleOf(needed ?? {})}` });
    }
    return sound;
  }

  #checkList(schema: SchemaView, items: readonly ConfigNode[], node: ConfigNode, path: Path): boolean {
    if (items.length < (schema.minItems ?? 0)) {
      const problem = items.length === 0 ? 'must not be empty' : `has ${items.length} items`;
      return this.#fail(node, path, problem, `list at least ${schema.minItems}`);
    }
    if (items.length > (schema.maxItems ?? Number.POSITIVE_INFINITY)) {
      return this.#fail(node, path, `has ${items.length} items`, `list at most ${schema.maxItems}`);
    }
    let sound = true;
    for (const [index, item] of items.entries()) {
      if (this.#problems.isFull) return false;
      if (schema.items !== undefined) sound = this.check(schema.items, item, [...path, index]) && sound;
    }
    return sound;
  }

  #checkScalar(schema: SchemaView, node: ScalarNode, path: Path): boolean {
    if (typeof node.value === 'number') {
      const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
      if (schema.type === 'integer' && !Number.isInteger(node.value)) {
        return this.#fail(node, path, 'must be a whole number', `use ${rangeOf(schema)}`);
      }
      if (node.value < minimum || node.value > maximum) {
        return this.#fail(node, path, 'is out of range', `use ${rangeOf(schema)}`);
      }
    }
    if (typeof node.value === 'string') {
      if (node.value.length > (schema.maxLength ?? Number.POSITIVE_INFINITY)) {
        return this.#fail(node, path, 'is too long', `use at most ${schema.maxLength} characters`);
      }
      if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(node.value)) {
        return this.#fail(node, path, `must be ${schema.form ?? 'of another form'}`, `such as ${exampleOf(schema)}`);
      }
    }
    return true;
  }
}

function fitsKind(schema: SchemaView, node: ConfigNode): boolean {
  switch (schema.type) {
    case 'object':
      return node.kind === 'map';
    case 'array':
      return node.kind === 'list';
    case 'integer':
    case 'number':
      return node.kind === 'scalar' && typeof node.value === 'number';
    case 'string':
    case 'boolean':
      return node.kind === 'scalar' && typeof node.value === schema.type;
    default:
      return false;
  }
}

function remedyForKind(schema: SchemaView, node: ConfigNode): string {
  const takesText = [schema, ...(schema.anyOf ?? [])].some(form => form.type === 'string');
  if (takesText && node.kind === 'list') return 'put a value with brackets, such as "[2001:db8::1]:80", in quotes';
  if (takesText && node.kind === 'scalar' && node.value !== null) return `put it in quotes: "${String(node.value)}"`;
  if (schema.type === 'integer' && node.kind === 'scalar' && typeof node.value === 'string') {
    return `write a number without quotes or unit: ${exampleOf(schema)}`;
  }
  return `such as ${exampleOf(schema)}`;
}

function rangeOf(schema: SchemaView): string {
  const unit = schema.unit === undefined ? '' : ` ${schema.unit}`;
  if (schema.minimum === undefined) return `a whole number${unit}`;
  if (schema.maximum === undefined) return `${schema.minimum}${unit} or more`;
  return `${schema.minimum} to ${schema.maximum}${unit}`;
}

function exampleOf(schema: SchemaView): string {
  const example = Array.isArray(schema.examples) ? schema.examples[0] : undefined;
  if (example !== undefined) return typeof example === 'string' ? example : JSON.stringify(example);
  const [constant] = constantsOf(schema) ?? [];
  if (constant !== undefined) return String(constant);
  if (schema.default !== undefined)
    return typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default);
  if (schema.anyOf?.[0] !== undefined) return exampleOf(schema.anyOf[0]);
  if (schema.type === 'array') return `[${exampleOf(schema.items ?? {})}]`;
  if (schema.type === 'object') {
    const [key] = schema.required ?? Object.keys(schema.properties ?? {});
    return key === undefined ? '{}' : `{ ${key}: ${exampleOf(schema.properties?.[key] ?? {})} }`;
  }
  return schema.type === 'boolean' ? 'true' : schema.type === 'integer' ? String(schema.minimum ?? 1) : '…';
}
