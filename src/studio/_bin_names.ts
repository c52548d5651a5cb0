/**
 * What pictures are called in the bin, all of whose files lie in one folder: the moment, some random
 * digits, and the whole name.
 *
 * @module
 */
import { basename, extname } from "node:path";

/** Bytes that systems allow a file's name. */
const LONGEST_NAME = 255;

/**
 * A name for a picture in the bin that no other has.
 *
 * @param name Its name in the gallery, with slashes.
 * @param time When it is thrown away.
 */
export function nameInBin(name: string, time: Date): string {
  const place = `${time.getTime()}-${crypto.randomUUID().slice(0, 8)}~`;
  return place + inOneName(name, LONGEST_NAME - place.length);
}

/** When a picture was thrown away: milliseconds since 1970. */
export function timeInBin(binned: string): number {
  return Number(binned.split("-")[0]);
}

/** The name that a picture had before it was thrown away; undefined where nothing in the bin is called so. */
export function nameBeforeBin(binned: string): string | undefined {
  const [, parts] = /^\d+-[0-9a-f]{8}~(.+)$/.exec(binned) ?? [];
  if (parts === undefined || basename(binned) !== binned || binned.includes("\0")) return undefined;
  const names = parts.split("~").map((part) =>
    part.replaceAll(/%(?:7E|25)/g, (code) => decodeURIComponent(code))
  );
  if (names.some((part) => part === "" || part.startsWith("."))) return undefined;
  return names.join("/");
}

/**
 * A name as that of one file: `~` for slashes, and for `~` and `%` their codes.
 *
 * @param room Bytes that it may have. What is longer loses ends of its longest parts, not its ending.
 */
function inOneName(name: string, room: number): string {
  const ending = extname(name);
  const parts = name.slice(0, name.length - ending.length).split("/")
    .map((part) => [...part].map((letter) => letter.replace(/[%~]/, encodeAscii)));
  const lengthOf = (letters: readonly string[]) => byteLength(letters.join(""));
  const written = () => parts.map((letters) => letters.join("")).join("~") + ending;
  while (byteLength(written()) > room) {
    const longest = parts.reduce((one, part) => lengthOf(part) > lengthOf(one) ? part : one);
    if (longest.length > 1) longest.pop();
    else parts.shift();
  }
  return written();
}

/** A letter as in addresses: `~`, too, which these keep. */
function encodeAscii(letter: string): string {
  return `%${letter.charCodeAt(0).toString(16).toUpperCase()}`;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
