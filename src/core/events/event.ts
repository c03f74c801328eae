// SPDX-License-Identifier: Apache-2.0
// What happened on this host, as an operator reads it: a server went down, a process crashed, a snapshot was applied. Who
// knows of a change tells it at the moment of the change; control numbers events and keeps them.
import Type, { type Static } from 'typebox';
import type { Immutable } from '../immutable.ts';

const fieldSchema = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String())]);

const facts = {
  kind: Type.String({ description: 'What happened: a name that does not change', examples: ['server.down'] }),
  severity: Type.Enum(['info', 'warning', 'error'], { description: 'error: somebody should look at it now' }),
  subject: Type.String({ description: 'To what it happened', examples: ['10.0.2.11:8080 of tcp 10.0.1.100:80'] }),
  text: Type.String({ description: 'A sentence for people, the subject included' }),
  fields: Type.Optional(Type.Record(Type.String(), fieldSchema, { description: 'The facts behind the sentence' })),
};

/** What a plane tells. */
export type EventFacts = Immutable<Static<ReturnType<typeof factsSchema>>>;

function factsSchema() {
  return Type.Object(facts);
}

const at = Type.String({ description: 'When', examples: ['2026-01-31T12:00:00.000Z'] });
const number = Type.Integer({ minimum: 1, description: 'Grows by one with each event' });

/** An event as the process of a plane keeps it until control has it. */
export const toldSchema = Type.Object({ number, at, ...facts });

export type ToldEvent = Immutable<Static<typeof toldSchema>>;

/** An event as control keeps it. */
export const eventSchema = Type.Object({
  ...{ number, at, ...facts },
  source: Type.Optional(
    Type.Object(
      { plane: Type.String(), instance: Type.String(), number: Type.Integer() },
      { description: 'The process of a plane that told it, and its number there' },
    ),
  ),
});

export type SluiceEvent = Immutable<Static<typeof eventSchema>>;

/** Tells that something has happened at this moment. */
export type Tell = (facts: EventFacts) => void;
