// SPDX-License-Identifier: Apache-2.0
// Messages between a parent process and its child (message-frames.ts has them as bytes). Both ends name the same kinds of
// messages, each with a schema. A message of another version, of an unknown kind or of another shape is an error that
// names the field; it is never taken for something else. What a process says before the other end listens is kept.
import Type, { type Static, type TObject } from 'typebox';
import { Value } from 'typebox/value';
import { MessageError } from './errors.ts';

/** The messages that one end sends: a schema of the fields of each kind. */
export type MessageKinds = Readonly<Record<string, TObject>>;

type Kind<M extends MessageKinds> = Extract<keyof M, string>;
export type Fields<M extends MessageKinds, K extends Kind<M>> = Static<M[K]>;

type Listeners<M extends MessageKinds> = { [K in Kind<M>]: (fields: Fields<M, K>) => void };

/** Raised when a message changes its meaning or its fields. A parent and its child are started from the same files. */
export const messageVersion = 1;

/** What carries the messages. */
export interface MessagePort {
  /** If the other process has ended, the message is dropped: the end of a process is reported by its exit. */
  send(message: unknown): void;
  /** Calls `take` for each message; `broken` when what comes can be no message, after which nothing more is read. */
  listen(take: (message: unknown) => void, broken: (error: unknown) => void): void;
  /** Nothing is read or sent any more. */
  close(): void;
}

const envelope = Type.Object({ version: Type.Number(), kind: Type.String(), fields: Type.Unknown() });

export class MessageChannel<Sent extends MessageKinds, Received extends MessageKinds> {
  readonly #port: MessagePort;
  readonly #sent: Sent;
  readonly #received: Received;

  constructor(port: MessagePort, sent: Sent, received: Received) {
    this.#port = port;
    this.#sent = sent;
    this.#received = received;
  }

  send<K extends Kind<Sent>>(kind: K, fields: Fields<Sent, K>): void {
    checkFields(kind, this.#sent[kind], fields);
    this.#port.send({ version: messageVersion, kind, fields });
  }

  /**
   * Calls the listener of each message's kind. After the first message that does not fit, nothing more is read, and
   * `onError` gets a MessageError.
   */
  listen(listeners: Listeners<Received>, onError: (error: unknown) => void): void {
    this.#port.listen(message => {
      let call: () => void;
      try {
        call = this.#understand(message, listeners);
      } catch (error) {
        this.close();
        onError(error);
        return;
      }
      call();
    }, onError);
  }

  /** Nothing is read or sent any more. */
  close(): void {
    this.#port.close();
  }

  /** The call that the message asks for. */
  #understand(message: unknown, listeners: Listeners<Received>): () => void {
    if (!Value.Check(envelope, message)) {
      throw new MessageError('a message between processes has no version and kind', { value: message });
    }
    const { version, kind, fields } = message;
    if (version !== messageVersion) {
      throw new MessageError('a message between processes is of another version', {
        value: version,
        remedy: `restart sluice: this process understands version ${messageVersion}`,
      });
    }
    if (!Object.hasOwn(this.#received, kind)) {
      throw new MessageError('a message between processes is of a kind that is not known here', { value: kind });
    }
    const known = kind as Kind<Received>;
    checkFields(known, this.#received[known], fields);
    return () => listeners[known](fields as Fields<Received, typeof known>);
  }
}

function checkFields(kind: string, schema: TObject | undefined, fields: unknown): void {
  if (schema !== undefined && Value.Check(schema, fields)) return;
  const [first] = schema === undefined ? [] : Value.Errors(schema, fields);
  const where = first === undefined ? '' : ` at ${first.instancePath || '/'} (${first.message})`;
  throw new MessageError(`the message '${kind}' between processes does not fit its schema${where}`, { value: fields });
}
