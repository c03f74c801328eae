// SPDX-License-Identifier: Apache-2.0
/** The link types of captures that can be read and written. The numbers are those of tcpdump.org/linktypes.html. */
export const linkTypes = {
  ethernet: 1,
  /**
   * IPv4 or IPv6; the version in the first byte says which. The readers report the link types 12 and 14 as this one.
   */
  rawIp: 101,
  ipv4: 228,
  ipv6: 229,
} as const;

export type LinkType = (typeof linkTypes)[keyof typeof linkTypes];
