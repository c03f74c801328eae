// SPDX-License-Identifier: Apache-2.0
// Files that are made from schemas. `npx vitest run test/unit/core/config-reference.test.ts --update` writes them.
import { readFileSync } from 'node:fs';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { referenceOf } from '../../../src/core/config/reference.ts';
import { documentFormat } from '../../../src/daemon/document.ts';
import { routeTableSchema } from '../../../src/director/route-table.ts';

const root = new URL('../../../', import.meta.url);
const path = (name: string) => new URL(name, root).pathname;

const made = 'This page is made from the schema; every error message about a document uses the same words.';

const documents = [
  {
    name: 'sluice.yaml',
    page: 'docs/reference/configuration.md',
    schemaFile: 'schema/sluice.json',
    schema: documentFormat.schema,
    introduction: [
      '`sluice.yaml` says everything that Sluice does. The smallest useful one is `examples/minimal.yaml`; `examples/director.yaml`',
      `shows most settings. It is YAML 1.2; unknown keys are errors. IPv6 addresses with ports need quotes. ${made}`,
      '',
      "The order of a service's servers is that of `ipvsadm -a` commands, the oldest first. As in the kernel, a server that is added",
      'becomes the head of the list that schedulers walk: round robin begins with the server listed last.',
    ].join('\n'),
  },
  {
    name: 'net.yaml',
    page: 'docs/reference/net.md',
    schemaFile: 'schema/net.json',
    schema: routeTableSchema,
    introduction: `\`sluice replay --net NET.yaml\`: what surrounds the director of a replay. ${made}`,
  },
];

describe.each(documents)('$name', ({ name, page, schemaFile, schema, introduction }) => {
  it('has a reference page that matches the schema', async () => {
    await expect(referenceOf(schema, name, introduction)).toMatchFileSnapshot(path(page));
  });

  it('has a schema file for editors that matches the schema', async () => {
    const file = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema };
    await expect(`${JSON.stringify(file, null, 2)}\n`).toMatchFileSnapshot(path(schemaFile));
  });
});

describe.each(['examples/minimal.yaml', 'examples/director.yaml'])('%s', example => {
  const text = readFileSync(path(example), 'utf8');

  it('is a valid document', () => {
    expect(documentFormat.parse(text, example).director.services.length).toBeGreaterThan(0);
  });

  it('fits the schema file, as an editor checks it', () => {
    expect(Compile(documentFormat.schema).Errors(parse(text))).toEqual([]);
  });
});

it('the smallest useful document has six lines', () => {
  expect(readFileSync(path('examples/minimal.yaml'), 'utf8').trimEnd().split('\n').length).toBe(6);
});
