// SPDX-License-Identifier: Apache-2.0
// Types for the part of the npm package raw-socket that the lab uses. The package has none.

export interface RawSocket {
  setOption(level: number, option: number, value: number): void;
  send(
    packet: Buffer,
    offset: number,
    length: number,
    address: string,
    done: (error: Error | null, bytes: number) => void,
  ): void;
  close(): void;
}

export interface RawSocketModule {
  createSocket(options: { addressFamily: number; protocol: number }): RawSocket;
}

/** netinet/in.h: IPPROTO_IP with IP_HDRINCL, IPPROTO_IPV6 with IPV6_HDRINCL, IPPROTO_RAW. */
export const rawSocketOptions = {
  ipv4: { family: 1, level: 0, headerIncluded: 3 },
  ipv6: { family: 2, level: 41, headerIncluded: 36 },
  anyProtocol: 255,
};
