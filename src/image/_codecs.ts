/**
 * The codecs of JPEG, WebP and AVIF: MozJPEG, libwebp, and libavif with libaom and dav1d, compiled to
 * WebAssembly in Squoosh's builds, which the packages @jsquash/… publish.
 *
 * They run inside this process without permission for network, child processes or native code. Each
 * use has an instance of its own: WebAssembly's memory never shrinks, and what one file did to it
 * does not reach the next.
 *
 * @module
 */
import avifDecoder from "@jsquash/avif/codec/dec/avif_dec.js";
import avifEncoder from "@jsquash/avif/codec/enc/avif_enc.js";
import { defaultOptions as AVIF_OPTIONS } from "@jsquash/avif/meta.js";
import jpegDecoder from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import jpegEncoder from "@jsquash/jpeg/codec/enc/mozjpeg_enc.js";
import { defaultOptions as JPEG_OPTIONS } from "@jsquash/jpeg/meta.js";
import webpDecoder from "@jsquash/webp/codec/dec/webp_dec.js";
import webpEncoder from "@jsquash/webp/codec/enc/webp_enc.js";
import { defaultOptions as WEBP_OPTIONS } from "@jsquash/webp/meta.js";
import { cutShort, Fault } from "./_fault.ts";
import type { RgbImage } from "./types.ts";

/** Pixels of four bytes, of which the last is alpha. */
export interface Rgba {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** What a module of Emscripten is made with. */
interface ModuleOptions {
  readonly noInitialRun: boolean;
  readonly instantiateWasm: (
    imports: WebAssembly.Imports,
    use: (instance: WebAssembly.Instance) => void,
  ) => WebAssembly.Exports;
  readonly print: (line: string) => void;
  readonly printErr: (line: string) => void;
}

type Factory<T> = (options: ModuleOptions) => Promise<T>;

const compiled = new Map<string, Promise<WebAssembly.Module>>();

async function instance<T>(
  factory: unknown,
  wasm: string,
  warn: (line: string) => void = () => {},
): Promise<T> {
  const place = new URL(import.meta.resolve(wasm));
  let module = compiled.get(wasm);
  if (module === undefined) {
    module = Deno.readFile(place).then((bytes) => WebAssembly.compile(bytes));
    compiled.set(wasm, module);
    module.catch(() => compiled.delete(wasm));
  }
  const ready = await module;
  return await (factory as Factory<T>)({
    noInitialRun: true,
    instantiateWasm: (imports, use) => {
      const instance = new WebAssembly.Instance(ready, imports);
      use(instance);
      return instance.exports;
    },
    print: () => {},
    printErr: warn,
  });
}

interface Decoder {
  decode(data: Uint8Array, option?: boolean | number): Rgba | null;
}

interface Encoder {
  encode(data: Uint8Array, width: number, height: number, options: object): Uint8Array | null;
}

/** @throws {Fault} When the file is damaged, cut short, or of a kind that MozJPEG does not decode. */
export async function decodeJpeg(bytes: Uint8Array): Promise<Rgba> {
  const warnings: string[] = [];
  const decoder = await instance<Decoder>(
    jpegDecoder,
    "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm",
    (line) => void warnings.push(line),
  );
  const rgba = decodedBy(() => decoder.decode(bytes, false), warnings);
  // It fills up with grey what it does not find, and says so.
  if (warnings.some((line) => /premature end/i.test(line))) throw cutShort();
  return rgba;
}

/** @throws {Fault} When the file is damaged, or cut short. */
export async function decodeWebp(bytes: Uint8Array): Promise<Rgba> {
  const decoder = await instance<Decoder>(
    webpDecoder,
    "@jsquash/webp/codec/dec/webp_dec.wasm",
  );
  return decodedBy(() => decoder.decode(bytes), []);
}

/** @throws {Fault} When the file is damaged, or cut short. */
export async function decodeAvif(bytes: Uint8Array): Promise<Rgba> {
  const decoder = await instance<Decoder>(
    avifDecoder,
    "@jsquash/avif/codec/dec/avif_dec.wasm",
  );
  return decodedBy(() => decoder.decode(bytes, 8), []);
}

function decodedBy(decode: () => Rgba | null, warnings: readonly string[]): Rgba {
  let rgba: Rgba | null = null;
  try {
    rgba = decode();
  } catch {
    // WebAssembly's exceptions carry an address alone; what was printed says why.
  }
  if (rgba !== null) return rgba;
  const [why] = warnings;
  throw why === undefined
    ? new Fault("its data cannot be decoded", "其数据无法解码")
    : new Fault(`its data cannot be decoded: ${why}`, `其数据无法解码：${why}`);
}

/** Nothing to be seen of the loss; the lines of drawings stay clean without chroma subsampling. */
const QUALITY = 95;
/** AVIF's scale is another one. */
const AVIF_QUALITY = 85;
/** libaom's slower speeds save a tenth of the bytes for many times the seconds. */
const AVIF_SPEED = 9;
/** In MozJPEG's and libavif's words: no subsampling. */
const FULL_CHROMA = { jpeg: 1, avif: 3 } as const;

/** A JPEG of three full channels. */
export async function encodeJpeg(image: RgbImage): Promise<Uint8Array> {
  const encoder = await instance<Encoder>(
    jpegEncoder,
    "@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm",
  );
  return encodedBy(encoder, image, {
    ...JPEG_OPTIONS,
    quality: QUALITY,
    auto_subsample: false,
    chroma_subsample: FULL_CHROMA.jpeg,
  });
}

/** A lossy WebP, which knows subsampled chroma alone; it is made of the sharp kind. */
export async function encodeWebp(image: RgbImage): Promise<Uint8Array> {
  const encoder = await instance<Encoder>(webpEncoder, "@jsquash/webp/codec/enc/webp_enc.wasm");
  return encodedBy(encoder, image, { ...WEBP_OPTIONS, quality: QUALITY, use_sharp_yuv: 1 });
}

/** An AVIF of eight bits and three full channels. */
export async function encodeAvif(image: RgbImage): Promise<Uint8Array> {
  const encoder = await instance<Encoder>(avifEncoder, "@jsquash/avif/codec/enc/avif_enc.wasm");
  return encodedBy(encoder, image, {
    ...AVIF_OPTIONS,
    quality: AVIF_QUALITY,
    speed: AVIF_SPEED,
    subsample: FULL_CHROMA.avif,
  });
}

function encodedBy(encoder: Encoder, image: RgbImage, options: object): Uint8Array {
  const { data, width, height } = image;
  const rgba = new Uint8Array(4 * width * height);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba[to] = data[from]!;
    rgba[to + 1] = data[from + 1]!;
    rgba[to + 2] = data[from + 2]!;
    rgba[to + 3] = 255;
  }
  const encoded = encoder.encode(rgba, width, height, options);
  if (encoded === null) throw new Fault("it cannot be encoded", "无法编码");
  // A copy: what the encoder gives is part of its memory.
  return Uint8Array.from(encoded);
}
