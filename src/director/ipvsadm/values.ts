// SPDX-License-Identifier: Apache-2.0
// Reads the values of ipvsadm's options (numbers, addresses and names of ports) as the C library does.
import { readFileSync } from 'node:fs';
import { type Address, addressOf, parseAddress } from '../../core/address.ts';
import type { Protocol } from '../model.ts';

/** Reads a number as ipvsadm does: strtol in base 10, with limits. */
export function parseNumber(text: string, minimum: number, maximum: number): number | undefined {
  if (!/^\s*[+-]?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= minimum && value <= maximum ? value : undefined;
}

const quadPart = /^(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/;

/** Reads an IPv4 address as inet_aton does: 10.0.1.1, 10.1, 0x0a000101, 012.0.1.1. What follows a blank does not count. */
function parseLooseIpv4(text: string): Address | undefined {
  const [spelled = ''] = text.split(/\s/, 1);
  const plain = parseAddress(spelled);
  if (plain?.family === 4) return plain;
  const parts = spelled.split('.');
  if (parts.length > 4 || !parts.every(part => quadPart.test(part))) return undefined;
  const values = parts.map(part => (/^0[0-7]+$/.test(part) ? Number.parseInt(part, 8) : Number(part)));
  const last = values.pop() ?? 0;
  if (values.some(value => value > 255) || last >= 256 ** (4 - values.length)) return undefined;
  const word = values.reduce((sum, value, index) => sum + value * 256 ** (3 - index), last);
  return addressOf(4, [word]);
}

/** Returns the port of a name such as `http`; undefined for an unknown name. */
export type PortNames = (name: string, protocol: Protocol) => number | undefined;

/** Returns the IPv4 address of a host with this name; undefined for an unknown name. */
export type HostAddresses = (name: string) => string | undefined;

/** The name of a host with this address; undefined for one without a name. */
export type NamesOfHosts = (address: string) => string | undefined;

/** What may be written instead of numbers. Without `host`, hosts are written as addresses. */
export interface InputNames {
  readonly port: PortNames;
  readonly host?: HostAddresses;
}

/** What is printed instead of numbers. */
export interface Names {
  readonly port: NamesOfPorts;
  readonly host: NamesOfHosts;
}

/** The names in /etc/services of this machine. The file is read when the first name is asked for. */
export function systemPortNames(path = '/etc/services'): PortNames {
  let names: ReadonlyMap<string, number> | undefined;
  return (name, protocol) => {
    names ??= readServices(path);
    return names.get(`${name}/${protocol}`);
  };
}

/** The name of a port; undefined for a port without a name. */
export type NamesOfPorts = (port: number, protocol: Protocol) => string | undefined;

/** The names in /etc/services of this machine: of several names of a port, the first. */
export function namesOfPorts(path = '/etc/services'): NamesOfPorts {
  const names = new Map<string, string>();
  for (const [name, port] of readServices(path)) {
    const [word = '', protocol = ''] = name.split('/');
    const key = `${port}/${protocol}`;
    if (!names.has(key)) names.set(key, word);
  }
  return (port, protocol) => names.get(`${port}/${protocol}`);
}

function readServices(path: string): Map<string, number> {
  const names = new Map<string, number>();
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // Without the file no name is known, and a name in a command is reported as a mistake.
  }
  for (const line of text.split('\n')) {
    const [name, port, ...aliases] = (line.split('#')[0] ?? '').trim().split(/\s+/);
    const [number, protocol] = (port ?? '').split('/');
    if (protocol === undefined) continue;
    for (const word of [name, ...aliases]) {
      const key = `${word}/${protocol}`;
      if (!names.has(key)) names.set(key, Number(number));
    }
  }
  return names;
}

export interface ServiceAddress {
  readonly address: Address;
  /** Undefined when no port was written. */
  readonly port: number | undefined;
}

/**
 * Reads what ipvsadm accepts after -t, -u, --sctp-service and -r. A text is the reason why ipvsadm refuses the value.
 */
export function parseServiceAddress(text: string, protocol: Protocol, names: InputNames): ServiceAddress | string {
  if (/^\d*$/.test(text)) return 'write an address, such as 10.0.1.100:80';
  if (!text.startsWith('[')) return parseAddress6(text, undefined, protocol, names);
  const end = text.indexOf(']');
  if (end < 0) return 'close the bracket: [2001:db8::1]:80';
  if (text[end + 1] !== ':') return 'write a port after the bracket: [2001:db8::1]:80';
  return parseAddress6(text.slice(1, end), text.slice(end + 2), protocol, names);
}

// What is not an address of IPv6 is HOST or HOST:PORT. So an IPv4 address in brackets loses the port behind them.
function parseAddress6(
  text: string,
  portBehind: string | undefined,
  protocol: Protocol,
  names: InputNames,
): ServiceAddress | string {
  const address6 = text.includes(':') ? parseAddress(text) : undefined;
  if (address6 !== undefined) return withPort(address6, portBehind, protocol, names);
  const colon = text.lastIndexOf(':');
  const host = colon < 0 ? text : text.slice(0, colon);
  const address = parseHost4(host, names);
  if (address !== undefined) return withPort(address, colon < 0 ? undefined : text.slice(colon + 1), protocol, names);
  if (portBehind !== undefined) return 'write an IPv6 address in the brackets';
  if (host.includes(':')) return 'put an IPv6 address in brackets: [2001:db8::1]:80';
  if (/^[0-9.]*$/.test(host)) return 'write four numbers from 0 to 255';
  return names.host === undefined
    ? 'write the address: names of hosts are not looked up'
    : 'no host with this name is known: write the address';
}

/** A text that may be the name of a host: not an address that is written wrongly. */
const hostName = /^(?=.*[A-Za-z_])[\w.-]+$/;

/** Reads an IPv4 address or the name of a host. */
export function parseHost4(text: string, names: InputNames): Address | undefined {
  const address = parseLooseIpv4(text);
  if (address !== undefined) return address;
  const found = hostName.test(text) ? names.host?.(text) : undefined;
  return found === undefined ? undefined : parseAddress(found);
}

function withPort(address: Address, port: string | undefined, protocol: Protocol, names: InputNames) {
  if (port === undefined) return { address, port };
  const number = parseNumber(port, 0, 65535) ?? names.port(port, protocol);
  return number === undefined ? 'use a port from 0 to 65535, or a name from /etc/services' : { address, port: number };
}
