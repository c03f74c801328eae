// SPDX-License-Identifier: Apache-2.0
import { EventEmitter } from 'node:events';
import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { MessageChannel, type MessagePort, messageVersion } from '../../../src/core/messages.ts';

const question = { ask: Type.Object({ number: Type.Integer({ minimum: 0 }) }) };
const reply = { answer: Type.Object({ text: Type.String() }), done: Type.Object({}) };

/** A port that hands what is sent to the other one, as JSON. */
class Port extends EventEmitter implements MessagePort {
  connected = true;
  other: Port | undefined;

  send(message: unknown, callback: (error: Error | null) => void): boolean {
    this.other?.emit('message', JSON.parse(JSON.stringify(message)));
    callback(null);
    return true;
  }
}

function pair() {
  const [parent, child] = [new Port(), new Port()];
  [parent.other, child.other] = [child, parent];
  return {
    parent,
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
  ])('of %s are errors that say why, and reach no listener', (_, message, words) => {
    const { child, answers } = pair();
    const heard: unknown[] = [];
    const errors: unknown[] = [];
    answers.listen({ ask: fields => heard.push(fields) }, error => errors.push(error));
    child.emit('message', message);
    expect(heard).toEqual([]);
    expect(errors).toMatchObject([{ code: 'SLUICE_MESSAGE', message: expect.stringMatching(words) }]);
  });

  it('to a process that has ended are dropped', () => {
    const { parent, asks } = pair();
    parent.connected = false;
    parent.send = () => {
      throw new Error('the channel is closed');
    };
    expect(() => asks.send('ask', { number: 1 })).not.toThrow();
  });

  it('do not reach a listener that has stopped listening', () => {
    const { asks, answers } = pair();
    const heard: unknown[] = [];
    answers.listen({ ask: fields => heard.push(fields) }, () => undefined)();
    asks.send('ask', { number: 1 });
    expect(heard).toEqual([]);
  });
});
