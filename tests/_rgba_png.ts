import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";

/** A square PNG with alpha, all of its rows alike, as a browser's canvas writes it. */
export function rgbaPng(size: number, pixel: (x: number) => number[]): Uint8Array<ArrayBuffer> {
  const rows = Array.from({ length: size }, () => [
    0,
    ...Array.from({ length: size }, (_, x) => pixel(x)).flat(),
  ]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 6], 8);
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  return new Uint8Array(Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Uint8Array.from(rows.flat()))),
    chunk("IEND", Buffer.alloc(0)),
  ]));
}
