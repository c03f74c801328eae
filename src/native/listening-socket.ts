// SPDX-License-Identifier: Apache-2.0
// The native module's sockets that listen for the children of a process.

export interface ListeningSocketAddon {
  /** The descriptor of a Unix socket that listens, open to its owner alone. Throws when the path cannot be used. */
  listenUnix(path: string): number;
}
