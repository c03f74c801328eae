// SPDX-License-Identifier: Apache-2.0
// Endpoints: `10.0.1.100:80`, `[2001:db8::1]:80`, or an address without a port.
import { type Address, parseAddress } from './address.ts';

export interface Endpoint {
  readonly address: Address;
  readonly port: number | undefined;
}

/** The reason why a text is not an endpoint, and what to do. */
export interface EndpointFault {
  readonly fault: string;
  readonly remedy: string;
}

/** An endpoint as text: `10.0.2.11:8080`, `[2001:db8::1]:80`. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function parseEndpoint(text: string): Endpoint | EndpointFault {
  const { host, port } = splitPort(text);
  const address = parseAddress(host);
  if (address === undefined) return faultOf(host);
  if (port === undefined) return { address, port };
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    return { fault: 'has no valid port', remedy: 'use a port from 0 to 65535 after the colon' };
  }
  return { address, port: Number(port) };
}

function splitPort(text: string): { host: string; port?: string } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(text);
  if (bracketed !== null) {
    const [, host = '', port] = bracketed;
    return port === undefined ? { host } : { host, port };
  }
  const colon = text.indexOf(':');
  // A text with several colons and no brackets is an IPv6 address without a port.
  if (colon < 0 || colon !== text.lastIndexOf(':')) return { host: text };
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

function faultOf(host: string): EndpointFault {
  if (/^[0-9.]*$/.test(host)) return { fault: 'is not an IPv4 address', remedy: 'write four numbers from 0 to 255' };
  if (host.includes(':')) return { fault: 'is not an IPv6 address', remedy: 'write it as [2001:db8::1]:80' };
  return { fault: 'is a name, not an address', remedy: 'write the address: names are not looked up' };
}
