// SPDX-License-Identifier: Apache-2.0
// Answers on their way out: one JSON value, a text, or a stream with a line of JSON for each value. The head goes out once, with
// the first byte of the body; an error before that becomes a refusal. An error after it is the last line of the stream.
import type { ServerResponse } from 'node:http';
import { Refusal } from './refusal.ts';
import { messageVersion, versionHeader } from './route.ts';

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendWhole(response, status, `${JSON.stringify(value ?? null)}\n`, { 'content-type': 'application/json', ...headers });
}

export function sendText(response: ServerResponse, mediaType: string, text: string): void {
  // A cache must not give it to a client that likes another type.
  sendWhole(response, 200, text, { 'content-type': mediaType, vary: 'accept' });
}

function sendWhole(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): void {
  if (response.headersSent) throw new RangeError('the head of the answer was sent before');
  response.writeHead(status, {
    'content-length': Buffer.byteLength(text),
    [versionHeader]: messageVersion,
    ...headers,
  });
  response.end(text);
}

export function sendRefusal(response: ServerResponse, { status, body, headers }: Refusal): void {
  if (response.headersSent) response.destroy();
  else sendJson(response, status, body, headers);
}

/** Sends as fast as the client reads. Ends the iteration when the client is gone. */
export async function sendStream(response: ServerResponse, values: AsyncIterable<unknown>): Promise<void> {
  const begin = (): void => {
    if (response.headersSent) return;
    response.writeHead(200, { 'content-type': 'application/x-ndjson', [versionHeader]: messageVersion });
  };
  try {
    for await (const value of values) {
      if (response.destroyed) return;
      begin();
      if (!response.write(`${JSON.stringify(value)}\n`)) await drained(response);
    }
  } catch (error) {
    if (!response.headersSent) throw error;
    response.end(`${JSON.stringify(Refusal.of(error).body)}\n`);
    throw error;
  }
  begin();
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    if (response.destroyed) resolve();
    else response.on('drain', done).on('close', done);
  });
}
