// SPDX-License-Identifier: Apache-2.0
// The terminal of `sluice top`: keys in, lines out. It is in raw mode and shows its other screen while it is open. However
// the process ends, it leaves the terminal as it was; only SIGKILL leaves it to reset(1).
import type { ReadStream, WriteStream } from 'node:tty';
import { type Key, KeyReader } from './keys.ts';
import type { Line, Screen } from './view.ts';

export interface TerminalEvents {
  keys(keys: readonly Key[]): void;
  /** The screen has another size, or lost what was on it. */
  redraw(): void;
  /** A signal asks for the end, or the terminal is gone. */
  end(): void;
}

const [enterScreen, leaveScreen] = ['\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l'];
const [home, toLineEnd, toScreenEnd] = ['\x1b[H', '\x1b[K', '\x1b[J'];
const styles = { heading: '\x1b[7m', selected: '\x1b[1;7m', error: '\x1b[1m' } as const;
const plain = '\x1b[m';

/** The bytes of a key follow each other within this time, over a slow ssh, too. */
const keyMilliseconds = 100;

/** A process that stops has stopped within this time. */
const stopMilliseconds = 100;

/** A terminal that does not know its size has that of a VT100. */
const usualScreen: Screen = { columns: 80, rows: 24 };

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class Terminal {
  readonly #input: ReadStream;
  readonly #output: WriteStream;
  readonly #events: TerminalEvents;
  readonly #reader = new KeyReader();
  #timer: NodeJS.Timeout | undefined;
  #isEntered = false;

  constructor(input: ReadStream, output: WriteStream, events: TerminalEvents) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
  }

  get screen(): Screen {
    const { columns, rows } = this.#output;
    return { columns: columns || usualScreen.columns, rows: rows || usualScreen.rows };
  }

  open(): void {
    for (const signal of endSignals) process.on(signal, this.#events.end);
    process.on('SIGCONT', this.#goOn).on('exit', this.#leave);
    // The error of a terminal that is gone. close() leaves this listener, since a later call may fail, too.
    this.#input.on('error', this.#events.end).on('end', this.#events.end);
    this.#input.setEncoding('utf8').on('data', this.#read);
    this.#output.on('resize', this.#events.redraw);
    this.#enter();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const signal of endSignals) process.off(signal, this.#events.end);
    process.off('SIGCONT', this.#goOn).off('exit', this.#leave);
    this.#input.off('data', this.#read).pause();
    this.#output.off('resize', this.#events.redraw);
    this.#leave();
  }

  /** Stops the process as Ctrl-Z does, until somebody lets it go on. */
  suspend(): void {
    this.#leave();
    process.kill(0, 'SIGTSTP');
    // Where no shell could let it go on (`ssh HOST sluice top`), the kernel does not stop it, and no SIGCONT comes.
    this.#timer = setTimeout(this.#goOn, stopMilliseconds);
  }

  /** Draws nothing while the terminal is given back. */
  draw(lines: readonly Line[]): void {
    if (!this.#isEntered) return;
    const texts = lines.map(({ text, style }) => {
      return `${style === undefined ? text : `${styles[style]}${text}${plain}`}${toLineEnd}`;
    });
    this.#output.write(`${home}${texts.join('\r\n')}${toScreenEnd}`);
  }

  #enter(): void {
    this.#isEntered = true;
    this.#input.setRawMode(true);
    this.#output.write(enterScreen);
  }

  readonly #leave = (): void => {
    this.#isEntered = false;
    this.#output.write(leaveScreen);
    this.#input.setRawMode(false);
  };

  readonly #goOn = (): void => {
    // The shell may have changed the mode meanwhile, of which the stream does not know.
    this.#input.setRawMode(false);
    this.#enter();
    this.#events.redraw();
  };

  readonly #read = (text: string): void => {
    clearTimeout(this.#timer);
    this.#events.keys(this.#reader.read(text));
    if (this.#reader.isWaiting) {
      this.#timer = setTimeout(() => this.#events.keys(this.#reader.flush()), keyMilliseconds);
    }
  };
}
