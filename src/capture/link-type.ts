// SPDX-License-Identifier: Apache-2.0
/** The link types that captures are read and written with, numbered as at tcpdump.org/linktypes.html. */
export const linkTypes = {
  ethernet: 1,
  /** IPv4 or IPv6, told apart by the version in the first byte. The readers report the numbers 12 and 14 as this. */
  rawIp: 101,
  ipv4: 228,
  ipv6: 229,
} as const;

export type LinkType = (typeof linkTypes)[keyof typeof linkTypes];
