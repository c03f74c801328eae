// SPDX-License-Identifier: Apache-2.0
// The description of what a running sluice answers. `vitest run --update` writes the files again.
import { Validator } from '@seriousme/openapi-schema-validator';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { apiReference } from '../../../../src/core/api/reference.ts';
import { apiDescription, apiRoutes } from '../../../../src/daemon/api.ts';

const path = (name: string) => new URL(`../../../../${name}`, import.meta.url).pathname;

describe('the OpenAPI document', () => {
  it('matches the routes', async () => {
    await expect(`${JSON.stringify(apiDescription, null, 2)}\n`).toMatchFileSnapshot(path('schema/openapi.json'));
  });

  it('is valid', async () => {
    const validator = new Validator();
    const result = await validator.validate(JSON.parse(JSON.stringify(apiDescription)));
    expect(result).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  it('has no words that only error messages use', () => {
    expect(JSON.stringify(apiDescription)).not.toMatch(/"(elsewhere|remedy)":("|\{"port)/);
  });
});

it('the reference page matches the routes', async () => {
  await expect(apiReference(apiRoutes)).toMatchFileSnapshot(path('docs/reference/api.md'));
});

it.each(apiRoutes.map(route => [`${route.method} ${route.path}`, route] as const))('%s has schemas', (_, route) => {
  expect(() => [Compile(route.parameters), Compile(route.answer)]).not.toThrow();
  expect(route.summary).not.toBe('');
});

it('no two routes have a path', () => {
  expect(new Set(apiRoutes.map(({ path: each }) => each)).size).toBe(apiRoutes.length);
});
