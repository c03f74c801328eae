// SPDX-License-Identifier: Apache-2.0
// Routes as an OpenAPI 3.1 document, whose schemas are JSON Schema as the routes' own are.
import Type, { type TSchema } from 'typebox';
import { parametersSchema, type RouteDefinition, route, type SchemaView, viewOf } from './route.ts';

export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
}

/** A server answers this route with the document that describes its routes. */
export const openApiRoute = route({
  method: 'GET',
  path: '/openapi.json',
  summary: 'This description, as an OpenAPI 3.1 document',
  parameters: parametersSchema({}),
  answer: Type.Object({ openapi: Type.String() }, { additionalProperties: true }),
});

const placeSchema = Type.Object(
  {
    file: Type.Optional(Type.String({ description: 'A file, or "parameter NAME"' })),
    line: Type.Optional(Type.Integer({ minimum: 1 })),
    column: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { description: 'Where something is wrong' },
);

const errorSchema = Type.Object({
  error: Type.Object(
    {
      name: Type.String({ description: 'The class of the error, such as UsageError' }),
      code: Type.String({ description: 'To test for, such as SLUICE_USAGE' }),
      message: Type.String({ description: 'The whole error in one text' }),
      problem: Type.String({ description: 'What is wrong' }),
      value: Type.Optional(Type.String({ description: 'The wrong value, quoted' })),
      place: Type.Optional(placeSchema),
      remedy: Type.Optional(Type.String({ description: 'What to do' })),
    },
    { additionalProperties: true },
  ),
});

const json = 'application/json';

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly [part: string]: unknown;
}

export function openApi(definitions: readonly RouteDefinition[], info: OpenApiInfo): OpenApiDocument {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const definition of definitions) {
    const methods = paths[definition.path] ?? {};
    methods[definition.method.toLowerCase()] = operationOf(definition);
    paths[definition.path] = methods;
  }
  return {
    openapi: '3.1.0',
    info,
    servers: [{ url: 'http://sluice', description: 'Any host name: requests go to a Unix socket' }],
    paths,
    components: { schemas: { Error: plain(errorSchema) } },
  };
}

function operationOf({ method, path, summary, parameters, answer, streams, text }: RouteDefinition) {
  const words = path.slice(1).split(/[/.]/);
  const asked = method === 'GET' ? { parameters: queryParameters(parameters) } : { requestBody: bodyOf(parameters) };
  const lines = streams
    ? 'A line of JSON for each value; a line with the key "error" ends a stream that failed'
    : 'Done';
  const mediaTypes = text ?? [streams ? 'application/x-ndjson' : json];
  return {
    operationId: words.join('_'),
    summary,
    tags: [words[0]],
    ...asked,
    responses: {
      200: {
        description: lines,
        content: Object.fromEntries(mediaTypes.map(type => [type, { schema: plain(answer) }])),
      },
      default: {
        description: 'What is wrong, and what to do',
        content: { [json]: { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function queryParameters(parameters: TSchema) {
  const { properties = {}, required = [] } = viewOf(parameters);
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(schema.description === undefined ? {} : { description: schema.description }),
    schema: plain(schema),
  }));
}

function bodyOf(parameters: TSchema) {
  const schema = plain(parameters);
  const { required = [] } = viewOf(parameters);
  const content = { [json]: { schema }, 'application/x-www-form-urlencoded': { schema } };
  return { required: required.length > 0, content };
}

/** The schema as JSON, without the words that only Sluice's error messages use. */
function plain(schema: TSchema | SchemaView): unknown {
  const ownWords = ['elsewhere', 'remedy'];
  return JSON.parse(
    JSON.stringify(schema, (key, value) => (ownWords.includes(key) && !isSchema(value) ? undefined : value)),
  );
}

/** A property may have the name of a keyword. */
function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('type' in value || 'anyOf' in value || 'const' in value);
}
