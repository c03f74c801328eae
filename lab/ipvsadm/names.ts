// SPDX-License-Identifier: Apache-2.0
// The names of hosts that both sides know. There is no DNS.

export const hosts: readonly { readonly address: string; readonly name: string }[] = [
  { address: '127.0.0.1', name: 'localhost' },
  { address: '10.0.1.1', name: 'web1' },
  { address: '10.0.1.2', name: 'a-very-long-name-of-a-server.rack-17.example.com' },
  { address: '192.168.3.4', name: 'www.example.com' },
  { address: 'fd00::1', name: 'web6' },
  { address: '2001:db8:1:2:3:4:5:6', name: 'a-very-long-name-of-a-server-of-ipv6.rack-17.example.com' },
];
