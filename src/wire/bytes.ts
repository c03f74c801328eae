// SPDX-License-Identifier: Apache-2.0
// Writes headers through a DataView. Numbers are big-endian, as on the wire.

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Makes `length` zero bytes and lets `write` fill them. */
export function header(length: number, write: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  write(viewOf(bytes), bytes);
  return bytes;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads hexadecimal digits, such as "45 00 0014". Blanks are ignored. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new TypeError(`no pairs of hexadecimal digits: "${text}"`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** Appends zeros up to the next multiple of `unit` bytes. */
export function padded(bytes: Uint8Array, unit: number): Uint8Array {
  const missing = (unit - (bytes.length % unit)) % unit;
  return missing === 0 ? bytes : concat(bytes, new Uint8Array(missing));
}
