// SPDX-License-Identifier: Apache-2.0
// The model: the health section of a snapshot in its canonical form. A check says how something is tried. What is tried,
// and what follows from it, is said by the sections whose targets are checked (`CheckedGroup`).
import type { SecretFile } from '../core/config/secret.ts';
import type { CheckedGroup } from '../core/observed.ts';

/** How TLS is spoken; the certificate of the target is verified unless a person says otherwise. */
export interface Tls {
  readonly verify: boolean;
  /** The name that the certificate has to have, sent as SNI; null: the name of the host that is asked for, if there is one. */
  readonly name: string | null;
  /** Files in PEM: the authorities in place of the system's, and a certificate of the client with its key. */
  readonly authorities: string | null;
  readonly certificate: string | null;
  readonly key: SecretFile | null;
}

/** The first and the last of a range of numbers. */
export type Range = readonly [number, number];

/** What is done once to try a target. */
export type Probe =
  | {
      readonly type: 'tcp';
      /** The connection is opened as clients' packets travel, where the target's traffic has a way of its own. */
      readonly likeTraffic?: true;
    }
  | {
      readonly type: 'http';
      readonly method: string;
      readonly path: string;
      /** The Host header; null: the address and port of the target. */
      readonly host: string | null;
      readonly headers: readonly (readonly [name: string, value: string])[];
      readonly status: readonly Range[];
      /** Text that the body has to contain. */
      readonly contains: string | null;
      /** A regular expression that has to match the body. */
      readonly matches: string | null;
      /** The digest of the body, in hexadecimal: MD5 as genhash(1) prints, or SHA-256. */
      readonly digest: string | null;
      readonly tls: Tls | null;
    }
  | {
      readonly type: 'udp';
      /** Bytes in hexadecimal. */
      readonly send: string;
      /** Hexadecimal digits that the answer has to begin with, x for any; null: no answer is needed. */
      readonly expect: string | null;
    }
  | {
      readonly type: 'dns';
      readonly name: string;
      readonly query: DnsQueryType;
      readonly transport: 'udp' | 'tcp';
      /** Response codes that pass. */
      readonly codes: readonly DnsResponseCode[];
      /** An address, or a text, that has to be among the answers. */
      readonly expect: string | null;
    }
  | { readonly type: 'smtp'; readonly hello: string; readonly tls: Tls | null; readonly startTls: boolean }
  | { readonly type: 'ping' }
  | { readonly type: 'grpc'; readonly service: string; readonly tls: Tls | null }
  | { readonly type: 'redis' }
  | { readonly type: 'mysql' }
  | { readonly type: 'postgresql' }
  | {
      readonly type: 'script';
      /** The program by its absolute path, and its arguments. */
      readonly command: readonly string[];
      readonly environment: readonly (readonly [name: string, value: string])[];
      /** The exit status 2 to 255 is the weight plus 2, as keepalived's misc_dynamic. */
      readonly setsWeight: boolean;
    }
  | { readonly type: 'file'; readonly path: string; readonly setsWeight: boolean };

export type ProbeType = Probe['type'];
export type ProbeOf<Type extends ProbeType> = Extract<Probe, { readonly type: Type }>;

export const dnsQueryTypes = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const;
export type DnsQueryType = (typeof dnsQueryTypes)[number];
export const dnsResponseCodes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'] as const;
export type DnsResponseCode = (typeof dnsResponseCodes)[number];

export interface Check {
  readonly name: string;
  readonly probe: Probe;
  /** What is tried in place of each target; null: the target. */
  readonly address: string | null;
  readonly port: number | null;
  /** Seconds between the beginnings of two probes; more where a probe takes longer. */
  readonly interval: number;
  /** Seconds after which a probe has failed. */
  readonly timeout: number;
  /** The interval while a result differs from the state and is not yet believed. */
  readonly retryInterval: number;
  /** The longest interval while a target stays down: each failure doubles it until then. */
  readonly downInterval: number;
  /** The share by which an interval varies at random, in percent. */
  readonly jitter: number;
  /** Successes in a row after which a target that was down is up. */
  readonly rise: number;
  /** Failures in a row after which a target that was up is down. */
  readonly fall: number;
  /** Checks with an address of their own: while one of them is down, results of this check change nothing. */
  readonly dependsOn: readonly string[];
}

export interface HealthModel {
  /** Sorted by name. */
  readonly checks: readonly Check[];
  /** What other sections want checked. Only the effective model has it. */
  readonly groups: readonly CheckedGroup[];
}

export const emptyHealthModel: HealthModel = { checks: [], groups: [] };

export const defaultTiming = {
  interval: 2,
  timeout: 1,
  jitter: 10,
  rise: 2,
  fall: 3,
} as const;

export const defaultTls: Tls = { verify: true, name: null, authorities: null, certificate: null, key: null };
