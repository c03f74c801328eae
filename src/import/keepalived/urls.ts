// SPDX-License-Identifier: Apache-2.0
// The url block of HTTP_GET and SSL_GET.
import { isAbsolute } from 'node:path';
import type { CheckDocument } from '../../health/schema.ts';
import { urlLost } from './keywords.ts';
import { commandWords } from './lines.ts';
import type { Node } from './tree.ts';
import { shown, type Values } from './values.ts';

/** The client's certificate of the SSL block. */
export interface TlsFiles {
  readonly certificate?: string;
  readonly key?: string;
}

interface UrlContext {
  readonly values: Values;
  readonly virtualHost: string | undefined;
  /** Undefined: without TLS. sni is a name, or whether the virtual host is sent. */
  readonly tls: (TlsFiles & { readonly sni: string | boolean }) | undefined;
}

type Http = Exclude<NonNullable<Exclude<CheckDocument, string>['https']>, string>;

interface Expression {
  readonly node: Node;
  readonly source: string;
}

/** Undefined where keepalived ignores the block. */
export function readUrl(node: Node, context: UrlContext): Exclude<CheckDocument, string> | undefined {
  const { values, tls } = context;
  values.report.carried(node.place);
  let http: Http = {};
  let host = context.virtualHost;
  let expression: Expression | undefined;
  let isReversed = false;
  let options: readonly string[] = [];
  for (const child of node.children) {
    switch (child.keyword) {
      case 'path':
        http = { ...http, ...pathOf(child, values) };
        break;
      case 'digest':
        http = { ...http, ...digestOf(child, values) };
        break;
      case 'status_code':
        http = { ...http, ...statusOf(child, values) };
        break;
      case 'virtualhost':
        host = values.word(child) ?? host;
        break;
      case 'regex':
        expression = expressionOf(child, values);
        break;
      case 'regex_no_match':
        isReversed = values.truth(child);
        break;
      case 'regex_options':
        options = child.words;
        values.report.carried(child.place);
        break;
      case 'tls_compliant':
        values.lost(child, 'nothing to do: a server that ends TLS without a notice is accepted');
        break;
      default:
        values.lost(child, urlLost[child.keyword] ?? 'remove it');
    }
  }
  if (http.path === undefined) return values.wrong(node, 'a url needs a path');
  const matches = expression === undefined ? undefined : expressionText(expression, isReversed, options, values);
  const found = { ...http, ...hostOf(host, node, values), ...(matches === undefined ? {} : { matches }) };
  if (tls === undefined) return { http: Object.keys(found).length === 1 ? http.path : found };
  const { sni, ...files } = tls;
  const name = typeof sni === 'string' ? sni : sni ? host : undefined;
  return { https: { ...found, tls: { verify: false, ...(name === undefined ? {} : { name }), ...files } } };
}

function pathOf(node: Node, values: Values): Pick<Http, 'path'> {
  const path = values.word(node);
  if (path === undefined) return {};
  if (path.startsWith('/')) return { path };
  values.report.explicit(node.place, `path /${path} in place of ${path}: a request needs the slash`);
  return { path: `/${path}` };
}

function hostOf(host: string | undefined, node: Node, values: Values): Pick<Http, 'host'> {
  if (host === undefined) return {};
  if (/^[!-~]{1,255}$/.test(host)) return { host };
  values.report.lost(node.place, `virtualhost ${host}`, 'a Host header is a name without blanks');
  return {};
}

function digestOf(node: Node, values: Values): Pick<Http, 'digest'> {
  const word = values.word(node);
  if (word === undefined) return {};
  if (/^[0-9A-Fa-f]{32}$/.test(word)) return { digest: word.toLowerCase() };
  values.wrong(node, 'not 32 hexadecimal digits');
  return {};
}

function statusOf(node: Node, values: Values): Pick<Http, 'status'> {
  values.report.carried(node.place);
  const good: string[] = [];
  for (const word of node.words) {
    const [, first = '', last = first] = /^(\d{3})(?:-(\d{3}))?$/.exec(word) ?? [];
    const isRange = first >= '100' && last <= '599' && first <= last && first !== '';
    if (isRange) good.push(word);
    else values.wrong(node, `${word} is not a status, or a range of them`);
  }
  if (good.length === 0) return {};
  return { status: good.length === 1 && !good[0]?.includes('-') ? Number(good[0]) : good.join(', ') };
}

function expressionOf(node: Node, values: Values): Expression | undefined {
  const words = commandWords(node.text).slice(1);
  const [source] = words;
  if (source === undefined || words.length !== 1) return values.wrong(node, 'a regex is one word: quote it');
  values.report.carried(node.place);
  return { node, source };
}

/** Options of PCRE that change nothing for an expression that JavaScript reads the same way. */
const harmless = [
  'auto_callout',
  'no_auto_possess',
  'no_dotstar_anchor',
  'no_start_optimize',
  'utf',
  'ucp',
  'never_backslash_c',
  'use_offset_limit',
];

/** As JavaScript reads it; undefined where the two languages differ. */
function expressionText(
  { node, source }: Expression,
  isReversed: boolean,
  options: readonly string[],
  values: Values,
): string | undefined {
  const remedy = 'write an expression of JavaScript (flag u) as matches, or text as contains';
  const unknown = options.filter(option => !harmless.includes(option));
  if (unknown.length > 0) {
    values.report.lost(node.place, `${shown(node)}: with regex_options ${unknown.join(' ')}`, remedy);
    return undefined;
  }
  // Classes like [[:digit:]] mean something else in JavaScript, where they can be read, too.
  const text = isReversed ? `^(?![^]*(?:${source}))` : source;
  if (!isExpression(text) || source.includes('[:') || text.length > 1024) {
    values.report.lost(node.place, shown(node), remedy);
    return undefined;
  }
  return text;
}

function isExpression(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

/** Reads the SSL block. */
export function readTlsFiles(node: Node, values: Values): TlsFiles {
  let files: TlsFiles = {};
  values.report.carried(node.place);
  for (const child of node.children) {
    const path = values.word(child);
    if (path === undefined) continue;
    if (child.keyword === 'ca') {
      values.wrong(child, 'keepalived verifies no certificate; to do so, set tls.verify and tls.authorities');
    } else if (child.keyword === 'password') values.lost(child, 'use a key without a passphrase');
    else if (isAbsolute(path)) files = { ...files, [child.keyword]: path };
    else values.lost(child, 'use an absolute path');
  }
  return files;
}
