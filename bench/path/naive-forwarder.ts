// SPDX-License-Identifier: Apache-2.0
// naive-forwarder ADDRESS PORT SERVER: the simplest forwarder in JavaScript. It receives UDP packets for ADDRESS:PORT from a
// raw socket of the npm package raw-socket, sets the server's address and sends them by another raw socket.
import { isIP } from 'node:net';
import { type RawSocketModule, rawSocketOptions } from '../../lab/programs/raw-socket.ts';

interface Listening {
  on(event: 'message', take: (packet: Buffer, source: string) => void): void;
}

const [address = '', port = '', server = ''] = process.argv.slice(2);
if (isIP(address) !== 4 || isIP(server) !== 4) throw new Error('naive-forwarder ADDRESS PORT SERVER, IPv4');

const udp = 17;
/** sys/socket.h: SOL_SOCKET, SO_RCVBUFFORCE. */
const [socketLevel, forcedReceiveBuffer] = [1, 33];
const at = { headerChecksum: 10, destination: 16 };
const own = Buffer.from(address.split('.').map(Number));
const target = Buffer.from(server.split('.').map(Number));

const { default: raw }: { default: RawSocketModule } = await import('raw-socket' as string);
const { family, level, headerIncluded } = rawSocketOptions.ipv4;
const incoming = raw.createSocket({ addressFamily: family, protocol: udp }) as ReturnType<
  RawSocketModule['createSocket']
> &
  Listening;
// The kernel's default buffer holds 277 small packets. A socket that loses packets would be measured by the waits of the
// generator after each loss.
incoming.setOption(socketLevel, forcedReceiveBuffer, 8 * 1024 * 1024);
const outgoing = raw.createSocket({ addressFamily: family, protocol: rawSocketOptions.anyProtocol });
outgoing.setOption(level, headerIncluded, 1);

incoming.on('message', packet => {
  const header = ((packet[0] ?? 0) & 15) * 4;
  if (packet.compare(own, 0, 4, at.destination, at.destination + 4) !== 0) return;
  if (packet.readUInt16BE(header + 2) !== Number(port)) return;
  target.copy(packet, at.destination);
  // The kernel fills in the header's checksum. UDP over IPv4 may have none.
  packet.writeUInt16BE(0, at.headerChecksum);
  packet.writeUInt16BE(0, header + 6);
  outgoing.send(packet, 0, packet.length, server, () => undefined);
});
console.log('ready');
