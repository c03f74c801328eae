// SPDX-License-Identifier: Apache-2.0
// When checkers run: keywords that a checker has from itself, else from its real server, else from the virtual server, else
// from keepalived. keepalived waits delay_loop between two checks; after a failure it waits delay_before_retry and tries
// again, `retry` times, before the server counts as down; one success brings the server back.
import type { CheckDocument } from '../../health/schema.ts';
import type { SourcePlace } from '../report.ts';
import type { Node } from './tree.ts';
import { shown, type Values } from './values.ts';

export interface Timing {
  readonly retry?: number;
  readonly delayBeforeRetry?: number;
  readonly connectTimeout?: number;
  readonly delayLoop?: number;
  readonly alpha?: boolean;
}

/** What keepalived takes where nothing is written; some checkers have their own. */
export const defaultDelayLoop = 60;
const defaultConnectTimeout = 5;

export interface CheckerDefaults {
  readonly retry: number;
  /** undefined: the delay loop. */
  readonly delayBeforeRetry: number | undefined;
}

/** The bounds of a document. */
const shortest = 0.05;
const longest = 86_400;
const mostFailures = 100;

/** Reads a keyword of timing; undefined where the keyword is another one. `fewest`: retry may be 0 in a checker only. */
export function readTiming(values: Values, node: Node, fewest: 0 | 1): Timing | undefined {
  switch (node.keyword) {
    case 'retry':
    case 'nb_get_retry':
      return given('retry', values.number(node, fewest));
    case 'delay_before_retry':
      return given('delayBeforeRetry', values.seconds(node));
    case 'connect_timeout':
      return given('connectTimeout', values.seconds(node, 0.000001));
    case 'delay_loop':
      return given('delayLoop', values.seconds(node, 0.000001));
    case 'alpha':
      return { alpha: values.truth(node) };
    default:
      return undefined;
  }
}

function given(key: keyof Timing, value: number | undefined): Timing {
  return value === undefined ? {} : { [key]: value };
}

type CheckMap = Exclude<CheckDocument, string>;
type TimingDocument = Pick<CheckMap, 'interval' | 'timeout' | 'retry_interval' | 'rise' | 'fall'>;

/** The same as a document writes it. Whatever keepalived has by default is written out. */
export function timingDocument(
  values: Values,
  { retry, delayBeforeRetry, connectTimeout, delayLoop }: Timing,
  defaults: CheckerDefaults,
  node: Node,
): TimingDocument {
  const { place } = node;
  const { report } = values;
  const wantedInterval = delayLoop ?? defaultDelayLoop;
  const timeout = bounded(values, node, 'timeout', connectTimeout ?? defaultConnectTimeout);
  const interval = bounded(values, node, 'interval', wantedInterval);
  const retries = retry ?? defaults.retry;
  if (retries >= mostFailures) {
    const remedy = 'use fewer retries: detection takes all of them';
    report.lost(place, `${shown(node)}: ${retries} retries; ${mostFailures - 1} are written`, remedy);
  }
  const fall = Math.min(retries + 1, mostFailures);
  const defaulted = [
    ...(delayLoop === undefined ? [`interval ${interval}`] : []),
    ...(connectTimeout === undefined ? [`timeout ${timeout}`] : []),
    ...(retry === undefined ? [`fall ${fall}`] : []),
  ];
  if (defaulted.length > 0)
    report.explicit(place, `${node.keyword}: ${defaulted.join(', ')}, as keepalived by default`);
  const retryInterval = bounded(
    values,
    node,
    'retry_interval',
    delayBeforeRetry ?? defaults.delayBeforeRetry ?? interval,
  );
  return { interval, timeout, ...(fall === 1 ? {} : { retry_interval: retryInterval }), rise: 1, fall };
}

function bounded({ report }: Values, node: Node, key: string, value: number): number {
  const inside = Math.min(Math.max(value, shortest), longest);
  if (inside !== value) {
    const place: SourcePlace = node.place;
    report.lost(
      place,
      `${shown(node)}: ${key} ${value}; ${inside} is written`,
      `use ${shortest} to ${longest} seconds`,
    );
  }
  return Math.round(inside * 1e6) / 1e6;
}
