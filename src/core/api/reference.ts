// SPDX-License-Identifier: Apache-2.0
// The page about routes in Markdown, made from their definitions.
import { type RouteDefinition, type SchemaView, viewOf } from './route.ts';

const introduction = `# The admin API

This page is made from the routes' schemas; error messages use the same words. A running sluice serves them as an OpenAPI 3.1
document too (\`GET /openapi.json\`, committed as \`schema/openapi.json\`), with the form of each answer. How to ask is told in
[running.md](../running.md#the-socket).
`;

export function apiReference(definitions: readonly RouteDefinition[]): string {
  return `${[introduction, ...definitions.map(sectionOf)].join('\n')}`;
}

function sectionOf({ method, path, summary, parameters, streams, text }: RouteDefinition): string {
  const form = streams
    ? ' A line of JSON for each value.'
    : text === undefined
      ? ''
      : ` The answer is text: ${text.map(type => `\`${type}\``).join(' or ')}, by the Accept field of the request.`;
  const lines = [`## ${method} ${path}`, '', `${summary}.${form}`, ''];
  const { properties = {}, required = [] } = viewOf(parameters);
  const rows = Object.entries(properties).map(([name, schema]) => {
    const needed = required.includes(name) ? ' *Needed.*' : '';
    return `| \`${name}\` | ${kindOf(schema)} | ${schema.description ?? ''}.${needed}${exampleOf(schema)} |`;
  });
  if (rows.length > 0) lines.push('| parameter | value | meaning |', '| --- | --- | --- |', ...rows, '');
  return lines.join('\n');
}

function kindOf(schema: SchemaView): string {
  const { type, enum: words, minimum, maximum, items, form } = schema;
  if (words !== undefined) return words.map(word => `\`${word}\``).join(', ');
  if (form !== undefined) return form;
  if (type === 'array') return `a list: ${kindOf(items ?? {})}`;
  if (type === 'integer' && minimum !== undefined) return `${minimum} to ${maximum ?? '…'}`;
  const names: Readonly<Record<string, string>> = {
    integer: 'a whole number',
    string: 'a text',
    boolean: 'true or false',
  };
  return names[type ?? ''] ?? type ?? 'any value';
}

function exampleOf({ examples }: SchemaView): string {
  const [example] = Array.isArray(examples) ? examples : [];
  return example === undefined ? '' : ` Example: \`${example}\`.`;
}
