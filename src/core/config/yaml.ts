// SPDX-License-Identifier: Apache-2.0
// Reads YAML text into a tree with places. Scalars follow the core schema of YAML 1.2: `off` and `yes` are texts, not
// booleans.
import {
  type Alias,
  type CollectionTag,
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Parser,
  Scalar,
  type ScalarTag,
  type Schema,
  type YAMLMap,
} from 'yaml';
import type { Place } from '../errors.ts';
import { type ConfigNode, listNode, type MapEntry, mapNode, scalarNode } from './node.ts';
import { parsePlainYaml } from './plain-yaml.ts';
import type { Problems } from './problems.ts';
import { expand, hasVariables, type Variables } from './variables.ts';

// About 10,000 services with 40 real servers each. The parser needs about a second for a megabyte.
export const longestText = 8 * 1024 * 1024;

// The most nodes of a tree with all aliases expanded: ten times the nodes of the longest text without aliases. A few
// lines with aliases of aliases can expand to billions of nodes.
export const mostNodes = 4_000_000;

// Ten times the depth of any document of Sluice. The library is recursive, and when the stack is full, a process can
// die without an exception. So the depth of the tokens is checked first, without recursion.
const deepest = 64;

/**
 * The text as a tree; undefined when the text cannot be read, which is reported. Without `variables`, `${` means itself.
 */
export function parseYaml(
  text: string,
  file: string | undefined,
  problems: Problems,
  variables?: Variables,
): ConfigNode | undefined {
  const isPlain = text.length <= longestText && !text.includes('${');
  return (isPlain ? parsePlainYaml(text, file) : undefined) ?? parseWithLibrary(text, file, problems, variables);
}

/** The same for any text: what parsePlainYaml() does not read. */
export function parseWithLibrary(
  text: string,
  file: string | undefined,
  problems: Problems,
  variables?: Variables,
): ConfigNode | undefined {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const fail: Fail = (problem, offset, remedy, value) =>
    problems.report('SLUICE_CONFIG_SYNTAX', problem, { place: placeAt(offset), value, remedy });

  if (Buffer.byteLength(text) > longestText) {
    const remedy = `keep it below ${longestText / 1024 / 1024} MiB`;
    problems.report('SLUICE_CONFIG_SYNTAX', 'the document is too long', {
      place: { file },
      value: text.length,
      remedy,
    });
    return undefined;
  }
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const tooDeep = findTooDeep(tokens);
  if (tooDeep !== undefined) {
    fail('the document is nested too deeply', tooDeep, `nest at most ${deepest} levels`);
    return undefined;
  }
  const [document, ...more] = [
    ...new Composer({ prettyErrors: false, version: '1.2', uniqueKeys: false }).compose(tokens, true, text.length),
  ];
  if (document === undefined) return mapNode(new Map(), placeAt(0));
  const before = problems.count;
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== '1.2') {
    fail('the document asks for another YAML than 1.2', 0, 'remove the %YAML line');
  }
  for (const { range } of more) fail('the file has more than one document', range[0], 'remove the line ---');
  const unquoted = variables && document.errors.map(({ pos }) => variableAt(text, pos[0])).find(at => at !== undefined);
  if (unquoted !== undefined) {
    // The errors after it have the same cause.
    fail('a variable stands inside of brackets without quotes', unquoted, unquotedRemedy);
    return undefined;
  }
  for (const error of document.errors) fail(describe(error.code, error.message), error.pos[0], remedyFor(error.code));
  for (const warning of document.warnings)
    fail(describe(warning.code, warning.message), warning.pos[0], 'write the value without a tag');
  if (problems.count > before) return undefined;
  if (document.contents === null) return mapNode(new Map(), placeAt(0));
  const root = new Converter(fail, placeAt, document.schema, variables).convert(document.contents);
  return problems.count > before ? undefined : root;
}

// The offset of a value that is nested too deeply; undefined when there is no such value.
function findTooDeep(tokens: readonly CST.Token[]): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = tokens.map(token => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > deepest) return token.offset;
    const parts = 'items' in token ? token.items.flatMap(({ key, value }) => [key, value]) : [];
    if ('value' in token) parts.push(token.value);
    for (const part of parts) if (part != null) open.push({ token: part, depth: depth + 1 });
  }
  return undefined;
}

const unquotedRemedy =
  'write the map or list over several lines, or put the variable in quotes, which make a text of it';

// Where a variable begins that the parser has taken for a map in braces, given where the parser found it.
function variableAt(text: string, offset: number): number | undefined {
  return [offset - 1, offset].find(at => text.startsWith('${', at));
}

// What to do about the most frequent mistakes, by the code that the parser gives them.
const remedies: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  UNEXPECTED_TOKEN: 'put a value with brackets, such as "[2001:db8::1]:80", in quotes',
};

function remedyFor(code: string): string {
  return remedies[code] ?? 'check indentation, colons and quotes on this line and the one before';
}

function describe(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'a tab is used as indentation';
  const [first = ''] = message.split('\n');
  return first.charAt(0).toLowerCase() + first.slice(1);
}

type Fail = (problem: string, offset: number, remedy: string, value?: unknown) => void;

// Converts the nodes in the order of the text, so that an alias gets the latest anchor before it. A value with an
// anchor is converted once, and all aliases share it, so that the tree is not larger than the text.
class Converter {
  readonly #fail: Fail;
  readonly #placeAt: (offset: number) => Place;
  readonly #schema: Schema;
  readonly #variables: Variables | undefined;
  readonly #anchors = new Map<string, { node?: ConfigNode }>();
  /** Of all texts with variables. */
  #expandedLength = 0;

  constructor(fail: Fail, placeAt: (offset: number) => Place, schema: Schema, variables: Variables | undefined) {
    this.#fail = fail;
    this.#placeAt = placeAt;
    this.#schema = schema;
    this.#variables = variables;
  }

  convert(node: Node): ConfigNode {
    if (isAlias(node)) return this.#resolve(node);
    const anchored: { node?: ConfigNode } = {};
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, anchored);
    const offset = node.range?.[0] ?? 0;
    const place = this.#placeAt(offset);
    const converted = isMap(node)
      ? mapNode(this.#entries(node), place)
      : isSeq(node)
        ? listNode(
            node.items.map(item => this.convert(item as Node)),
            place,
          )
        : this.#scalar(node, offset, place);
    if (converted.size > mostNodes) {
      this.#fail('the aliases stand for too many values', offset, 'write the values out, or use fewer aliases');
      anchored.node = scalarNode(null, place);
      return anchored.node;
    }
    anchored.node = converted;
    return converted;
  }

  #scalar(node: Node, offset: number, place: Place): ConfigNode {
    const value: unknown = isScalar(node) ? this.#valueOf(node, offset) : undefined;
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return scalarNode(value, place);
    if (typeof value === 'number' && Number.isFinite(value)) return scalarNode(value, place);
    this.#fail('this value is of a kind that no setting has', offset, 'write a number, a word or a quoted text');
    return scalarNode(null, place);
  }

  // Block scalars and keys have no variables.
  #valueOf({ value, type }: Scalar, offset: number): unknown {
    if (this.#variables === undefined || typeof value !== 'string' || !hasVariables(value)) return value;
    const isPlain = type === Scalar.PLAIN;
    if (!isPlain && type !== Scalar.QUOTE_DOUBLE && type !== Scalar.QUOTE_SINGLE) return value;
    if (this.#expandedLength > longestText) return '';
    const expanded = expand(value, this.#variables);
    if ('problem' in expanded) {
      this.#fail(expanded.problem, offset, expanded.remedy, expanded.value);
      return '';
    }
    this.#expandedLength += expanded.text.length;
    if (this.#expandedLength > longestText) {
      this.#fail('the variables make the document too long', offset, `keep it below ${longestText >> 20} MiB`);
      return '';
    }
    return isPlain ? this.#plainValue(expanded.text) : expanded.text;
  }

  // As the library reads a plain scalar: the first tag whose pattern fits.
  #plainValue(text: string): unknown {
    const tag = this.#schema.tags.find((each): each is ScalarTag => isTagOf(each, text));
    const value: unknown = tag === undefined ? text : tag.resolve(text, () => undefined, { intAsBigInt: false });
    return isScalar(value) ? value.value : value;
  }

  #entries(map: YAMLMap): Map<string, MapEntry> {
    const entries = new Map<string, MapEntry>();
    for (const { key, value } of map.items) {
      const keyNode = key as Node;
      const offset = keyNode.range?.[0] ?? 0;
      if (!isScalar(keyNode) || typeof keyNode.value === 'object') {
        this.#fail('a key is not a plain word', offset, 'write a word, a number or a quoted text before the colon');
        continue;
      }
      const keyPlace = this.#placeAt(offset);
      // The library's own check compares each key with all keys before it.
      if (entries.has(String(keyNode.value))) {
        this.#fail('the key stands twice in the same map', offset, 'write each key once');
        continue;
      }
      const converted = value === null ? scalarNode(null, keyPlace) : this.convert(value as Node);
      entries.set(String(keyNode.value), { keyPlace, value: converted });
    }
    return entries;
  }

  #resolve(alias: Alias): ConfigNode {
    const offset = alias.range?.[0] ?? 0;
    const anchored = this.#anchors.get(alias.source);
    if (anchored?.node !== undefined) return anchored.node;
    if (anchored === undefined) {
      this.#fail(`the alias *${alias.source} has no anchor before it`, offset, `define &${alias.source} first`);
    } else {
      this.#fail(`the alias *${alias.source} stands inside its own value`, offset, 'write the value out');
    }
    return scalarNode(null, this.#placeAt(offset));
  }
}

function isTagOf({ default: isDefault, test }: CollectionTag | ScalarTag, text: string): boolean {
  return isDefault === true && test?.test(text) === true;
}
