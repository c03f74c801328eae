// SPDX-License-Identifier: Apache-2.0
// Who may ask on a socket.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { UsageError } from '../errors.ts';
import { Refusal } from './refusal.ts';
import { authorization, callerHeader } from './route.ts';

/**
 * Throws a Refusal for a request that is not answered. Returns who asks, as far as it is proved: the parameter `author` of
 * a change then has this name, whatever the client says. Undefined: the client says it.
 */
export type Admit = (request: IncomingMessage) => string | undefined;

/** Whoever can open the socket is answered. */
export const admitAll: Admit = () => undefined;

/** Who knows the token is answered: a process of the same Sluice, which may say for whom it asks. */
export function admitToken(token: string): Admit {
  return ({ headers }) => {
    if (saysToken(headers.authorization, token)) return callerOf(headers[callerHeader]);
    const error = new UsageError('this socket is for other processes of the same sluice', {
      remedy: 'ask on the admin socket',
    });
    throw new Refusal(403, error);
  };
}

/** Whether an Authorization field has the token. The time that it takes says nothing about the token. */
export function saysToken(field: string | undefined, token: string): boolean {
  const [mine, theirs] = [authorization(token), (field ?? '').replace(/^bearer /i, 'Bearer ')].map(text =>
    createHash('sha256').update(text).digest(),
  );
  return mine !== undefined && theirs !== undefined && timingSafeEqual(mine, theirs);
}

function callerOf(field: string | string[] | undefined): string | undefined {
  if (typeof field !== 'string') return undefined;
  try {
    return decodeURIComponent(field);
  } catch {
    return undefined;
  }
}
