// SPDX-License-Identifier: Apache-2.0
// Hands a request on to the process that answers it, and that process's answer back, streams included. When the client
// closes its sending side or goes away, the process that answers learns it the same way.
import { type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { UnavailableError } from '../errors.ts';
import { Refusal } from './refusal.ts';
import { authorization, callerHeader } from './route.ts';

export interface Forwarded {
  readonly socketPath: string;
  readonly token: string | undefined;
  /** For errors: 'director'. */
  readonly plane: string;
  readonly request: IncomingMessage;
  readonly body: string | undefined;
  /** Who asks, where that is proved. */
  readonly caller: string | undefined;
  readonly signal: AbortSignal;
  /** How long the process may take until its answer begins. */
  readonly milliseconds: number;
}

/** The fields of a request's head that matter to a handler's process; the others are about this connection. */
const passedOn = ['content-type', 'accept', 'sluice-version'] as const;

/** Throws an UnavailableError or a Refusal while nothing has been sent. An answer that breaks off later is cut visibly. */
export async function forward(forwarded: Forwarded, response: ServerResponse): Promise<void> {
  const { socketPath, token, plane, request, body, caller, signal, milliseconds } = forwarded;
  const headers = {
    ...Object.fromEntries(passedOn.flatMap(name => [[name, request.headers[name]]]).filter(([, value]) => value)),
    ...(token === undefined ? {} : { authorization: authorization(token) }),
    ...(caller === undefined ? {} : { [callerHeader]: encodeURIComponent(caller) }),
  };
  const { method, url: path } = request;
  const asking = openRequest({ socketPath, path, method, headers, agent: false });
  const endSending = (): void => void asking.socket?.end();
  response.once('close', () => asking.destroy());
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const timer = setTimeout(() => reject(tooLate(plane, milliseconds)), milliseconds);
      asking.once('response', resolve);
      asking.on('error', cause => reject(unavailable(plane, cause)));
      asking.once('close', () => clearTimeout(timer));
      asking.once('response', () => clearTimeout(timer));
      asking.end(body);
    });
    if (signal.aborted) endSending();
    else signal.addEventListener('abort', endSending);
    const { 'content-type': type, 'content-length': length, 'sluice-version': version, allow } = answer.headers;
    const fields = { 'content-type': type, 'content-length': length, 'sluice-version': version, allow };
    const known = Object.entries(fields).filter(([, value]) => value !== undefined);
    response.writeHead(answer.statusCode ?? 502, Object.fromEntries(known));
    // If one side breaks off, pipeline() destroys the other side: the client sees that the answer is not complete.
    await pipeline(answer, response).catch(() => {});
  } finally {
    signal.removeEventListener('abort', endSending);
    asking.destroy();
  }
}

function unavailable(plane: string, cause: unknown): UnavailableError {
  return new UnavailableError(`the process of the ${plane} does not answer`, {
    remedy: 'try again in a moment; sluice status says how its processes are',
    cause,
  });
}

function tooLate(plane: string, milliseconds: number): Refusal {
  const problem = `the process of the ${plane} has not answered within ${milliseconds} ms`;
  return new Refusal(
    504,
    new UnavailableError(problem, { remedy: 'try again; the log of sluice run may say what it does' }),
  );
}
