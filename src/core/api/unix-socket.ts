// SPDX-License-Identifier: Apache-2.0
// The socket on which a server answers: one that this process makes, or one that its parent has made and handed down.
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { HostError, SystemError, UsageError } from '../errors.ts';

/** A path to make a socket at, or the descriptor of a listening socket. */
export type Listen = { readonly path: string } | { readonly fd: number };

const ownerOnly = 0o600;

/**
 * Makes the server listen. At a path nobody but the owner may open the socket. The socket of a process that has ended is
 * replaced; that of a process that answers is not, nor is anything else that lies at the path.
 */
export async function listenOn(server: Server, listen: Listen): Promise<void> {
  if ('path' in listen) await makeRoom(listen.path);
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown): void => reject(openError(error, listen));
    server.once('error', fail);
    // The mask is set so that nobody else can open the socket between its making and the change of its mode.
    const before = 'path' in listen ? process.umask(0o777 & ~ownerOnly) : undefined;
    try {
      server.listen(listen, () => {
        server.off('error', fail);
        resolve();
      });
    } finally {
      if (before !== undefined) process.umask(before);
    }
  });
  if ('path' in listen) chmodSync(listen.path, ownerOnly);
}

/** Refuses a path at which a process answers, or which is that of another file; removes a socket that was left there. */
export async function makeRoom(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new UsageError('the path of the admin socket is that of a file', {
      value: path,
      remedy: 'choose another place with --socket',
    });
  }
  if (await isAnswered(path)) {
    throw new HostError('another process answers on the admin socket', {
      value: path,
      remedy: 'stop it, or choose another socket with --socket',
    });
  }
  rmSync(path, { force: true });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // A full queue, say, is no sign that nobody is there.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}

function openError(error: unknown, listen: Listen): unknown {
  const value = 'path' in listen ? listen.path : `descriptor ${listen.fd}`;
  try {
    return SystemError.from(error, 'cannot open the admin socket', {
      value,
      remedy: 'choose another place with --socket',
    });
  } catch (unexpected) {
    return unexpected;
  }
}
