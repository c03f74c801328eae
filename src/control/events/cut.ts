// SPDX-License-Identifier: Apache-2.0
// Bounds the strings of an event: a reason, the problems of a document or a change may be of any length.
import type { SluiceEvent } from '../../core/events/event.ts';

/** Of each string, in characters: enough to see what is meant. */
export const longestString = 500;

type Unnumbered = Omit<SluiceEvent, 'number'>;

export function cut(event: Unnumbered): Unnumbered {
  const { subject, text, fields } = event;
  return {
    ...event,
    ...{ subject: cutString(subject), text: cutString(text) },
    ...(fields === undefined ? {} : { fields: cutFields(fields) }),
  };
}

function cutFields(fields: NonNullable<Unnumbered['fields']>): NonNullable<Unnumbered['fields']> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (typeof value === 'string') return [name, cutString(value)];
      return [name, Array.isArray(value) ? value.map(cutString) : value];
    }),
  );
}

function cutString(text: string): string {
  return text.length <= longestString ? text : `${text.slice(0, longestString - 1)}…`;
}
