// SPDX-License-Identifier: Apache-2.0
// Checks that are equal become one check with a name that says what it does: http-healthz, tcp-5s.
import { canonicalJson } from '../core/config/canonical.ts';
import type { CheckDocument } from '../health/schema.ts';
import type { From } from './document.ts';
import type { SourcePlace } from './report.ts';

type CheckMap = Exclude<CheckDocument, string>;

const longestName = 32;

export class CheckNames {
  readonly #checks = new Map<string, From<CheckMap> & { readonly name: string }>();
  readonly #names = new Map<string, CheckMap>();

  /** The name of the check: that of an equal one, or a new one. */
  nameOf(check: CheckMap, place: SourcePlace): string {
    const key = canonicalJson(check);
    const known = this.#checks.get(key);
    if (known !== undefined) return known.name;
    const name = this.#free(check);
    this.#checks.set(key, { name, part: check, place });
    this.#names.set(name, check);
    return name;
  }

  checks(): Map<string, From<CheckMap>> {
    return new Map([...this.#checks.values()].map(({ name, part, place }) => [name, { part, place }]));
  }

  // The shortest of the names that nobody has.
  #free(check: CheckMap): string {
    const base = baseOf(check);
    const { address, port, interval, retry_interval: retry } = check;
    const more = [
      port === undefined ? '' : `${port}`,
      interval === undefined ? '' : `${interval}s`,
      retry === undefined ? '' : `retry-${retry}s`,
      address === undefined ? '' : address,
    ].filter(word => word !== '');
    for (let count = 0; count <= more.length; count++) {
      const name = nameFrom([base, ...more.slice(0, count)]);
      if (!this.#names.has(name)) return name;
    }
    for (let number = 2; ; number++) {
      const name = nameFrom([base.slice(0, longestName - 8), `${number}`]);
      if (!this.#names.has(name)) return name;
    }
  }
}

function nameFrom(words: readonly string[]): string {
  const text = words
    .join('-')
    .replaceAll(/[^A-Za-z0-9_.]+/g, '-')
    .replaceAll(/^[^A-Za-z]+|[-.]+$/g, '');
  return text.slice(0, longestName).replace(/[-.]+$/, '') || 'check';
}

function baseOf(check: CheckMap): string {
  const { http, https, dns, script, file } = check;
  if (http !== undefined) return `http-${pathOf(http)}`;
  if (https !== undefined) return `https-${pathOf(https)}`;
  if (dns !== undefined) return `dns-${dns.name ?? ''}`;
  if (script !== undefined) {
    const [program = '', first = ''] = script.command;
    return `script-${lastStep(program === '/usr/bin/env' ? first : program)}`;
  }
  if (file !== undefined) return `file-${lastStep(file.path)}`;
  return (['tcp', 'udp', 'smtp', 'ping'] as const).find(key => check[key] !== undefined) ?? 'check';
}

function pathOf(http: NonNullable<CheckMap['http']>): string {
  return typeof http === 'string' ? http : (http.path ?? '');
}

function lastStep(path: string): string {
  return (path.split('/').at(-1) ?? '').replace(/\.\w+$/, '');
}
