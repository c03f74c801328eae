// SPDX-License-Identifier: Apache-2.0
// What has happened to servers and services, in the log and as events: each with the evidence.
import type { EventFacts } from '../core/events/event.ts';
import type { Logger } from '../core/logger.ts';
import type { GroupNews, TargetView } from './engine/group.ts';

export function logNews(logger: Logger, { group, about, target, health }: GroupNews): void {
  const isUp = health === 'up';
  if (target !== undefined) {
    const fields = { group, target: target.target.key, evidence: evidenceOf(target) };
    if (isUp) logger.info(fields, 'the target is up');
    else logger.warn(fields, 'the target is down');
  } else if (about === 'quorum') {
    if (isUp) logger.info({ group }, 'the quorum is met');
    else logger.warn({ group }, 'the quorum is lost');
  }
}

export function eventOf({ group, about, target, health }: GroupNews): EventFacts {
  const isUp = health === 'up';
  if (target !== undefined) {
    const subject = `${target.target.key} of ${group}`;
    const evidence = evidenceOf(target);
    return {
      ...{ kind: isUp ? 'server.up' : 'server.down', severity: isUp ? 'info' : 'warning', subject },
      text: `real server ${subject} is ${health}: ${evidence.join('; ')}`,
      fields: { service: group, server: target.target.key, evidence },
    };
  }
  const fields = { service: group };
  const severity = isUp ? 'info' : 'error';
  if (about === 'quorum') {
    const text = `${group}: the quorum is ${isUp ? 'met again' : 'lost'}`;
    return { kind: isUp ? 'quorum.met' : 'quorum.lost', severity, subject: group, text, fields };
  }
  const text = isUp ? `${group}: a real server is up again` : `${group}: no real server is up`;
  return { kind: isUp ? 'service.has-servers' : 'service.no-servers', severity, subject: group, text, fields };
}

function evidenceOf({ checks }: TargetView): string[] {
  return checks.map(({ watch }) => `${watch.check.name}: ${watch.last?.detail ?? 'no result yet'}`);
}
