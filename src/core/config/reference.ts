// SPDX-License-Identifier: Apache-2.0
// Makes the reference page of a document in Markdown from the schema of the document. The page has a table for every
// map: the meaning, the default, the range and an example of each key.
import type { TSchema } from 'typebox';
import { constantsOf, nameOf, type SchemaView, viewOf } from './schema-view.ts';

export function referenceOf(schema: TSchema, title: string, introduction: string): string {
  const sections: string[] = [];
  describeMap(viewOf(schema), '', sections);
  return `# ${title}\n\n${introduction}\n\n${sections.join('\n')}`;
}

// The part of the page about this map, followed by the parts about the maps below it.
function describeMap(schema: SchemaView, path: string, sections: string[]): void {
  const name = path === '' ? 'The document' : `\`${path}\``;
  const rows: string[] = [];
  const below: [SchemaView, string][] = [];
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    rows.push(rowOf(key, property, schema.required?.includes(key) ?? false));
    for (const [part, partPath] of mapsIn(property, path === '' ? key : `${path}.${key}`)) below.push([part, partPath]);
  }
  const lines = [`## ${name}`, ''];
  if (schema.description !== undefined) lines.push(schema.description, '');
  if (rows.length > 0) lines.push('| key | value | default | meaning |', '| --- | --- | --- | --- |', ...rows, '');
  const elsewhere = Object.entries(schema.elsewhere ?? {}).map(([key, text]) => `| \`${key}\` | ${escapeCell(text)} |`);
  if (elsewhere.length > 0) lines.push('| no key here | instead |', '| --- | --- |', ...elsewhere, '');
  sections.push(lines.join('\n'));
  for (const [part, partPath] of below) describeMap(part, partPath, sections);
}

// The maps that a value can be or contain, with their paths.
function mapsIn(schema: SchemaView, path: string): [SchemaView, string][] {
  if (schema.anyOf !== undefined) {
    return schema.anyOf.flatMap(form => mapsIn(withDescription(form, schema), path));
  }
  if (schema.type === 'array') return schema.items === undefined ? [] : mapsIn(schema.items, `${path}[]`);
  if (schema.type !== 'object') return [];
  const [named] = Object.values(schema.patternProperties ?? {});
  return named === undefined ? [[schema, path]] : mapsIn(named, `${path}.NAME`);
}

function withDescription(form: SchemaView, union: SchemaView): SchemaView {
  const description = form.description ?? union.description;
  return description === undefined ? form : { ...form, description };
}

function rowOf(key: string, schema: SchemaView, required: boolean): string {
  const standard = schema.default === undefined ? (required ? '*needed*' : '') : code(schema.default);
  const examples = Array.isArray(schema.examples) ? (schema.examples as unknown[]) : [];
  const example = examples.length === 0 ? '' : ` Example: ${examples.map(code).join(', ')}.`;
  const meaning = `${schema.description ?? ''}${example}`;
  return `| \`${key}\` | ${escapeCell(kindOf(schema))} | ${escapeCell(standard)} | ${escapeCell(meaning)} |`;
}

/** The values that are allowed, with range and unit. */
function kindOf(schema: SchemaView): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(kindOf).join(', or ');
  const constants = constantsOf(schema);
  if (constants !== undefined) return constants.map(code).join(', ');
  if (schema.type === 'array') return `a list: ${kindOf(schema.items ?? {})}`;
  if (schema.type === 'object') {
    const [named] = Object.values(schema.patternProperties ?? {});
    return named === undefined ? 'a map' : `a map of names: ${kindOf(named)}`;
  }
  if (schema.type !== 'integer') return nameOf(schema);
  const unit = schema.unit === undefined ? '' : ` ${schema.unit}`;
  const range = schema.minimum === undefined ? 'a whole number' : `${schema.minimum} to ${schema.maximum ?? '…'}`;
  return `${range}${unit}`;
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : flow(value)}\``;
}

// A value on one line of YAML.
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, part]) => `${key}: ${flow(part)}`);
    return `{ ${entries.join(', ')} }`;
  }
  if (typeof value !== 'string') return String(value);
  return /^[[{*&!|>'"%@`#]|: |,/.test(value) ? JSON.stringify(value) : value;
}

// A vertical bar would end the cell of the table.
function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
