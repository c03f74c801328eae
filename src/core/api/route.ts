// SPDX-License-Identifier: Apache-2.0
// What a process of Sluice can be asked over its Unix socket. A definition has no code that answers: the command line, the
// OpenAPI document and the client read definitions without loading what a handler needs (the native module, say).
//
//   definition (route) ── answering(definition, handler) ──▶ ApiServer
//        └──────────────▶ ApiClient.call(definition, parameters)
//
// Types of parameters and answers follow from the schemas, on both ends.

import Type, { type Static, type TObject, type TObjectOptions, type TProperties, type TSchema } from 'typebox';
import { type SchemaView, viewOf } from '../config/schema-view.ts';
import type { Immutable } from '../immutable.ts';

export { type SchemaView, viewOf };

/**
 * The version of the messages on these sockets, which both ends send as `sluice-version`. It changes when an older client
 * or server would misread a message. An added parameter or an added field of an answer is no such change.
 */
export const messageVersion = '1';
export const versionHeader = 'sluice-version';
/** For whom a process of the same Sluice asks, percent-encoded. */
export const callerHeader = 'sluice-caller';

/** How a client says the token of a socket that wants one. */
export const authorization = (token: string): string => `Bearer ${token}`;

export interface RouteDefinition<P extends TObject = TObject, A extends TSchema = TSchema> {
  readonly method: 'GET' | 'POST';
  /** '/director/connections': the first segment is the plane's name, or 'control'. */
  readonly path: string;
  /** A line for people. */
  readonly summary: string;
  /** GET: the query. POST: the body, as JSON or as a form. */
  readonly parameters: P;
  /** One JSON value; of a stream, the schema of each line. */
  readonly answer: A;
  /** The answer is lines of JSON (NDJSON). */
  readonly streams?: true;
  /** The answer is text of one of these media types: the one that the client's Accept field likes most. */
  readonly text?: readonly string[];
  /** The longest body, where it may be longer than others. */
  readonly mostBytes?: number;
}

export type ParametersOf<D extends RouteDefinition> = Immutable<Static<D['parameters']>>;
export type AnswerOf<D extends RouteDefinition> = Immutable<Static<D['answer']>>;

export interface Call {
  /**
   * Aborted when the client has closed its sending side or the whole connection, and when the server stops. A handler
   * whose answer ends by itself need not look at it. A handler of an endless stream gives its last values and returns.
   */
  readonly signal: AbortSignal;
  /** Of the answer, where the route offers several. */
  readonly mediaType?: string | undefined;
}

export type Handler<D extends RouteDefinition> = (
  parameters: ParametersOf<D>,
  call: Call,
) => D extends { readonly streams: true } ? AsyncIterable<AnswerOf<D>> : AnswerOf<D> | Promise<AnswerOf<D>>;

/** A definition with the code that answers. */
export interface Answering {
  readonly definition: RouteDefinition;
  readonly handler: (parameters: unknown, call: Call) => unknown;
}

/** The schema of a route's parameters: names that it does not have are refused. */
export function parametersSchema<P extends TProperties>(properties: P, options: TObjectOptions = {}): TObject<P> {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** Returns the definition with its exact type. Throws a TypeError for one that cannot be served. */
export function route<const D extends RouteDefinition>(definition: D): D {
  const { method, path, parameters, streams, text } = definition;
  if (streams && text !== undefined) throw new TypeError(`${path}: a stream has lines of JSON`);
  if (!/^(\/[a-z0-9.-]+)+$/.test(path)) throw new TypeError(`${path} is not a path of a route`);
  for (const [name, schema] of Object.entries(viewOf(parameters).properties ?? {})) {
    if (method === 'GET' && !fitsQuery(schema)) throw new TypeError(`${path}: a query cannot hold ${name}`);
  }
  return definition;
}

export function answering<D extends RouteDefinition>(definition: D, handler: Handler<D>): Answering {
  return { definition, handler: handler as Answering['handler'] };
}

/** Whether the text of a query can say the value: a scalar, a choice of scalars, or a list of them. */
function fitsQuery(schema: SchemaView): boolean {
  const isScalar = ({ type, anyOf, ...rest }: SchemaView): boolean =>
    anyOf === undefined ? rest.const !== undefined || (type !== 'object' && type !== 'array') : anyOf.every(isScalar);
  return schema.type === 'array' ? schema.items !== undefined && isScalar(schema.items) : isScalar(schema);
}
