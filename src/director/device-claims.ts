// SPDX-License-Identifier: Apache-2.0
// One director for each network device: two would both forward every packet. A director claims its devices by sockets in
// the abstract namespace of unix(7), which belongs to the network namespace as the devices do. The kernel gives a claim up
// when the process ends, however it ends.
import { createServer, type Server } from 'node:net';
import { HostError } from '../core/errors.ts';

/** A device, and the VLAN on it that the director forwards. */
export interface ClaimedDevice {
  readonly device: string;
  readonly vlan?: number | undefined;
}

export class DeviceClaims {
  readonly #sockets: readonly Server[];

  private constructor(sockets: readonly Server[]) {
    this.#sockets = sockets;
  }

  /** Throws a HostError when another director has one of the devices. */
  static async take(devices: readonly ClaimedDevice[]): Promise<DeviceClaims> {
    const sockets: Server[] = [];
    try {
      for (const one of devices) sockets.push(await claim(one));
    } catch (error) {
      new DeviceClaims(sockets).release();
      throw error;
    }
    return new DeviceClaims(sockets);
  }

  release(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

function claim({ device, vlan }: ClaimedDevice): Promise<Server> {
  const name = vlan === undefined ? device : `${device}.${vlan}`;
  const socket = createServer(connection => connection.destroy());
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') {
        reject(error);
        return;
      }
      const remedy = 'stop that one, or name other devices in director.ports';
      reject(new HostError('another sluice forwards on this device', { value: name, remedy }));
    });
    socket.listen({ path: `\0sluice device ${name}` }, () => resolve(socket.unref()));
  });
}
