// SPDX-License-Identifier: Apache-2.0
// Capture files built by hand, in either byte order: what our own writer never makes and the reader must read.

export class CaptureBytes {
  readonly #pieces: Buffer[] = [];
  #bigEndian: boolean;

  constructor(order: 'little' | 'big' = 'little') {
    this.#bigEndian = order === 'big';
  }

  order(order: 'little' | 'big'): this {
    this.#bigEndian = order === 'big';
    return this;
  }

  u16(value: number): this {
    const piece = Buffer.alloc(2);
    if (this.#bigEndian) piece.writeUInt16BE(value);
    else piece.writeUInt16LE(value);
    return this.raw(piece);
  }

  u32(value: number): this {
    const piece = Buffer.alloc(4);
    if (this.#bigEndian) piece.writeUInt32BE(value);
    else piece.writeUInt32LE(value);
    return this.raw(piece);
  }

  u64(value: bigint): this {
    const piece = Buffer.alloc(8);
    if (this.#bigEndian) piece.writeBigUInt64BE(BigInt.asUintN(64, value));
    else piece.writeBigUInt64LE(BigInt.asUintN(64, value));
    return this.raw(piece);
  }

  raw(bytes: Uint8Array): this {
    this.#pieces.push(Buffer.from(bytes));
    return this;
  }

  pcapHeader(magic: number, linkType = 1): this {
    return this.u32(magic).u16(2).u16(4).u32(0).u32(0).u32(65535).u32(linkType);
  }

  pcapRecord(seconds: number, fraction: number, bytes: Uint8Array, originalLength = bytes.length): this {
    return this.u32(seconds).u32(fraction).u32(bytes.length).u32(originalLength).raw(bytes);
  }

  block(type: number, writeBody: (body: CaptureBytes) => void): this {
    const body = new CaptureBytes(this.#bigEndian ? 'big' : 'little');
    writeBody(body);
    const bytes = body.build();
    const padding = Buffer.alloc(-bytes.length & 3);
    const length = bytes.length + padding.length + 12;
    return this.u32(type).u32(length).raw(bytes).raw(padding).u32(length);
  }

  section(): this {
    return this.block(0x0a0d0d0a, body => body.u32(0x1a2b3c4d).u16(1).u16(0).u64(-1n));
  }

  interface(linkType: number, writeOptions: (body: CaptureBytes) => void = () => {}, snapLength = 0): this {
    return this.block(1, body => writeOptions(body.u16(linkType).u16(0).u32(snapLength)));
  }

  option(code: number, value: Uint8Array): this {
    return this.u16(code)
      .u16(value.length)
      .raw(value)
      .raw(Buffer.alloc(-value.length & 3));
  }

  enhancedPacket(
    interfaceId: number,
    ticks: bigint,
    bytes: Uint8Array,
    originalLength = bytes.length,
    writeOptions: (body: CaptureBytes) => void = () => {},
  ): this {
    return this.block(6, body => {
      body
        .u32(interfaceId)
        .u32(Number(ticks >> 32n))
        .u32(Number(ticks & 0xffffffffn));
      body
        .u32(bytes.length)
        .u32(originalLength)
        .raw(bytes)
        .raw(Buffer.alloc(-bytes.length & 3));
      writeOptions(body);
    });
  }

  build(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
