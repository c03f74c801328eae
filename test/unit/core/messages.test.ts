// SPDX-License-Identifier: Apache-2.0
import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { MessageChannel, type MessagePort, messageVersion } from '../../../src/core/messages.ts';

const question = { ask: Type.Object({ number: Type.Integer({ minimum: 0 }) }) };
const reply = { answer: Type.Object({ text: Type.String() }), done: Type.Object({}) };

/** A port that hands what is sent to the other one, as JSON. */
class Port implements MessagePort {
  other: Port | undefined;
  isClosed = false;
  take: (message: unknown) => void = () => undefined;

  send(message: unknown): void {
    this.other?.take(JSON.parse(JSON.stringify(message)));
  }

  listen(take: (message: unknown) => void): void {
    this.take = take;
  }

  close(): void {
    this.isClosed = true;
  }
}

function pair() {
  const [parent, child] = [new Port(), new Port()];
  [parent.other, child.other] = [child, parent];
  return {
    child,
    asks: new MessageChannel(parent, question, reply),
    answers: new MessageChannel(child, reply, question),
  };
}

describe('messages between processes', () => {
  it('reach the listener of their kind, with their fields', () => {
    const { asks, answers } = pair();
    const heard: unknown[] = [];
    answers.listen({ ask: fields => heard.push(fields) }, error => heard.push(error));
    asks.send('ask', { number: 7 });
    expect(heard).toEqual([{ number: 7 }]);
  });

  it('that do not fit their schema are not sent', () => {
    const { asks } = pair();
    expect(() => asks.send('ask', { number: -1 })).toThrow(/'ask' .* does not fit its schema at \/number/);
  });

  it.each([
    ['another version', { version: messageVersion + 1, kind: 'ask', fields: { number: 1 } }, /another version: 2/],
    ['an unknown kind', { version: messageVersion, kind: 'toString', fields: {} }, /not known here: "toString"/],
    ['a field of another type', { version: messageVersion, kind: 'ask', fields: { number: '1' } }, /at \/number/],
    ['a missing field', { version: messageVersion, kind: 'ask', fields: {} }, /does not fit/],
    ['no version', { kind: 'ask', fields: { number: 1 } }, /no version and kind: \{"kind":"ask"/],
    ['a plain word', 'ready', /no version and kind: "ready"/],
    ['nothing', null, /no version and kind/],
  ])('of %s are errors that say why, reach no listener and are the last that is read', (_, message, words) => {
    const { child, answers } = pair();
    const heard: unknown[] = [];
    const errors: unknown[] = [];
    answers.listen({ ask: fields => heard.push(fields) }, error => errors.push(error));
    child.take(message);
    expect(heard).toEqual([]);
    expect(child.isClosed).toBe(true);
    expect(errors).toMatchObject([{ code: 'SLUICE_MESSAGE', message: expect.stringMatching(words) }]);
  });
});
