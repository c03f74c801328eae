// SPDX-License-Identifier: Apache-2.0
// Parameters of a request: text of a query or a form, or JSON, becomes a value that the route's schema allows. Every
// complaint names the parameter, the value that was found and what to write instead.
import { checkNode } from '../config/check.ts';
import { type ConfigNode, listNode, type MapEntry, mapNode, nodeOf, plainOf, scalarNode } from '../config/node.ts';
import { Problems } from '../config/problems.ts';
import { suggest } from '../config/suggest.ts';
import { UsageError } from '../errors.ts';
import { type RouteDefinition, type SchemaView, viewOf } from './route.ts';

type Parameters = ReadonlyMap<string, ConfigNode>;

/** Of a query or of a form: `a=1&b=two&b=three`. Numbers and booleans are converted where the schema asks for them. */
export function parametersOfText(definition: RouteDefinition, text: string): unknown {
  const properties = viewOf(definition.parameters).properties ?? {};
  const parameters = new Map<string, ConfigNode>();
  for (const [name, words] of wordsByName(text)) {
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const place = placeOf(name);
    if (schema?.type === 'array') {
      const items = words.map(word => scalarNode(converted(word, schema.items ?? {}), place));
      parameters.set(name, listNode(items, place));
      continue;
    }
    const [word = '', ...more] = words;
    if (schema !== undefined && more.length > 0) {
      throw new UsageError('the parameter stands twice', { place, value: more[0], remedy: 'give it once' });
    }
    parameters.set(name, scalarNode(converted(word, schema ?? {}), place));
  }
  return checked(definition, parameters);
}

/** Of a body that is JSON: an object with a key for each parameter. No body at all gives no parameter. */
export function parametersOfJson(definition: RouteDefinition, text: string): unknown {
  if (text.trim() === '') return checked(definition, new Map());
  const node = jsonNode(text);
  if (node.kind !== 'map') {
    throw new UsageError('the body is no JSON object', { value: text, remedy: 'give {"NAME": VALUE, …}' });
  }
  const parameters = [...node.entries].map(([name, { value }]) => [name, at(value, name)] as const);
  return checked(definition, new Map(parameters));
}

function jsonNode(text: string): ConfigNode {
  try {
    return nodeOf(JSON.parse(text));
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`the body is not JSON that can be taken: ${problem}`, {
      remedy: 'give {"NAME": VALUE, …}',
      cause,
    });
  }
}

function checked(definition: RouteDefinition, parameters: Parameters): unknown {
  const { properties = {}, required = [], elsewhere = {} } = viewOf(definition.parameters);
  const known = Object.keys(properties);
  for (const name of parameters.keys()) {
    if (Object.hasOwn(properties, name)) continue;
    const instead = Object.hasOwn(elsewhere, name) ? elsewhere[name] : undefined;
    const remedy = instead ?? (known.length === 0 ? `${definition.path} takes no parameters` : suggest(name, known));
    throw new UsageError('there is no such parameter', { value: name, remedy });
  }
  const problems = new Problems();
  for (const [name, node] of parameters) {
    const schema = (definition.parameters.properties as Record<string, RouteDefinition['answer']>)[name];
    if (schema !== undefined) checkNode(schema, node, [name], problems);
  }
  const [first] = problems.list();
  if (first !== undefined) throw new UsageError(first.problem, { ...first, cause: undefined });
  const missing = required.find(name => !parameters.has(name));
  if (missing !== undefined) {
    const meaning = properties[missing]?.description;
    const remedy = `give ${missing}${meaning === undefined ? '' : `: ${meaning}`}`;
    throw new UsageError('the parameter is missing', { place: placeOf(missing), remedy });
  }
  // fromEntries defines properties instead of assigning them: no name reaches a prototype.
  return Object.fromEntries([...parameters].map(([name, node]) => [name, plainOf(node)]));
}

const placeOf = (name: string) => ({ file: `parameter ${name}` });

/** The same tree with the parameter as the place of all its nodes. */
function at(node: ConfigNode, name: string): ConfigNode {
  const place = placeOf(name);
  if (node.kind === 'scalar') return scalarNode(node.value, place);
  if (node.kind === 'list') {
    return listNode(
      node.items.map(item => at(item, name)),
      place,
    );
  }
  const entries = [...node.entries].map(([key, { value }]): [string, MapEntry] => {
    return [key, { keyPlace: place, value: at(value, name) }];
  });
  return mapNode(new Map(entries), place);
}

/** The number or boolean that the schema asks for, where the text is one; the text otherwise. */
function converted(text: string, schema: SchemaView): string | number | boolean {
  const forms = schema.anyOf ?? [schema];
  const takes = (...types: readonly string[]): boolean => forms.some(({ type }) => types.includes(type ?? ''));
  if (takes('integer', 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (takes('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function wordsByName(text: string): Map<string, string[]> {
  const words = new Map<string, string[]>();
  for (const part of text.split('&').filter(each => each !== '')) {
    const equals = part.indexOf('=');
    const name = decoded(equals < 0 ? part : part.slice(0, equals), part);
    const word = equals < 0 ? '' : decoded(part.slice(equals + 1), part);
    const known = words.get(name);
    if (known === undefined) words.set(name, [word]);
    else known.push(word);
  }
  return words;
}

function decoded(text: string, part: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw new UsageError('a parameter is not percent-encoded UTF-8', {
      value: part,
      remedy: 'write % as %25; curl --data-urlencode does it',
      cause,
    });
  }
}
