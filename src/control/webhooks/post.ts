// SPDX-License-Identifier: Apache-2.0
// One POST of JSON. Whatever answers, and however slowly, it costs one connection and some kilobytes until the time is
// over: of the answer only the status is read.
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { type RequestOptions, request as tlsRequest } from 'node:https';
import { authorization } from '../../core/api/route.ts';
import { version } from '../../core/version.ts';

export interface Receiver {
  readonly url: string;
  readonly token: string | undefined;
  /** In PEM; undefined: those that Node knows. */
  readonly authorities: string | undefined;
}

/** From the look-up of the name to the status of the answer. */
const answerMilliseconds = 10_000;

const longestHead = 16_384;

/** Throws why it is not taken: only a status of 200 to 299 says that it is. */
export async function post({ url, token, authorities }: Receiver, body: string, signal: AbortSignal): Promise<void> {
  const options: RequestOptions = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': `sluice/${version}`,
      ...(token === undefined ? {} : { authorization: authorization(token) }),
    },
    agent: false,
    maxHeaderSize: longestHead,
    ...(authorities === undefined ? {} : { ca: authorities }),
  };
  const asking = (new URL(url).protocol === 'https:' ? tlsRequest : request)(url, options);
  const late = setTimeout(
    () => asking.destroy(new Error(`no answer within ${answerMilliseconds / 1000} s`)),
    answerMilliseconds,
  );
  const abort = (): void => void asking.destroy();
  signal.addEventListener('abort', abort);
  try {
    signal.throwIfAborted();
    const status = await statusOf(asking, body);
    if (status < 200 || status > 299) throw new Error(`it answers with status ${status}`);
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', abort);
    asking.destroy();
  }
}

function statusOf(asking: ClientRequest, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    asking.once('response', ({ statusCode = 0 }: IncomingMessage) => resolve(statusCode));
    // Later errors, of an answer that nobody reads, are none.
    asking.on('error', reject);
    asking.once('close', () => reject(new Error('the connection was closed without an answer')));
    asking.end(body);
  });
}
