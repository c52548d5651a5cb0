/**
 * Throws damaged safetensors headers at the parser. Each must end in a well-formed result or in a
 * `SafetensorsError`: no other error, none slower than a second, and no more than 100 MB of memory
 * for all of them together. What is accepted is held against `JSON.parse` and against the rule that
 * tensors tile the data. `deno task fuzz` runs it.
 *
 * @module
 */

import { parseHeader, parsePrefix, PREFIX_BYTES } from "../../../src/safetensors/header.ts";
import { readSafetensorsHeader, SafetensorsError } from "../../../src/safetensors/mod.ts";
import { Dice } from "./dice.ts";

const SLOWEST_MS = 1000;
const MOST_RSS_GROWTH = 100_000_000;
/** One case in so many goes through a real file, and each whose header lies in a hole. */
const THROUGH_FILE_EVERY = 100;
const MEASURE_MEMORY_EVERY = 64;
const MOST_VIOLATIONS_TOLD = 10;
/** Stretches of zeros after the header; in a file, a hole that takes no disk. */
const HOLES: readonly number[] = [0, 8, 1 << 20, 99_999_999, 100_000_001, 1 << 30];
const MOST_TENSORS = 12;

const DTYPES: readonly (readonly [name: string, bytes: number])[] = [
  ["F32", 4],
  ["F16", 2],
  ["BF16", 2],
  ["I64", 8],
  ["U8", 1],
];

/** Values that parsers have stumbled over. */
const HOSTILE_VALUES: readonly string[] = [
  "-1",
  "0",
  "1.5",
  "1e9",
  "01",
  "9007199254740991",
  "9007199254740993",
  "18446744073709551616",
  "1e999",
  "NaN",
  "null",
  "true",
  '""',
  '"\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  "{}",
  "[]",
  "[".repeat(2000),
  '{"a":'.repeat(2000),
  `[${"1,".repeat(3000)}1]`,
];
const HOSTILE_LENGTHS: readonly bigint[] = [
  0n,
  1n,
  7n,
  99_999_999n,
  100_000_000n,
  100_000_001n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 8n,
  2n ** 64n - 1n,
];

/** What a file holds, as far as the parser looks: all but the data. */
interface Case {
  readonly kind: string;
  /** The length and the header. */
  readonly head: Uint8Array;
  readonly fileSize: number;
}

const encoder = new TextEncoder();

/** The parts of a header, still easy to damage; what each part says is JSON text. */
interface Draft {
  members: [name: string, value: string][];
  dataBytes: number;
}

function draft(dice: Dice): Draft {
  let dataBytes = 0;
  const members: [string, string][] = [];
  const count = dice.roll(MOST_TENSORS);
  for (let i = 0; i < count; i++) {
    // The dtypes that are no weight's come seldom, or few headers would be accepted.
    const [dtype, bytes] = DTYPES[dice.roll(20) === 0 ? 3 + dice.roll(2) : dice.roll(3)]!;
    const shape = Array.from({ length: dice.roll(4) }, () => dice.roll(6));
    const begin = dataBytes;
    dataBytes += bytes * shape.reduce((product, extent) => product * extent, 1);
    const name = dice.roll(10) === 0 ? dice.pick(["__proto__", "é", "", "\n", "🍀"]) + i : `t${i}`;
    members.push([
      JSON.stringify(name),
      `{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${dataBytes}]}`,
    ]);
  }
  if (dice.roll(2) === 0) members.unshift(['"__metadata__"', '{"format":"pt"}']);
  return { members, dataBytes };
}

function spell({ members }: Draft, dice: Dice): string {
  const text = `{${members.map(([name, value]) => `${name}:${value}`).join(",")}}`;
  return text + " ".repeat(dice.roll(9));
}

function finish(kind: string, header: Uint8Array, dataBytes: number, length?: bigint): Case {
  const head = new Uint8Array(PREFIX_BYTES + header.length);
  new DataView(head.buffer).setBigUint64(0, length ?? BigInt(header.length), true);
  head.set(header, PREFIX_BYTES);
  return { kind, head, fileSize: head.length + dataBytes };
}

/** Replaces one number, string or bracketed value somewhere in a text. */
function replaceValue(text: string, dice: Dice): string {
  const places = [...text.matchAll(/\d+|"[^"]*"|\[[^\]]*\]/g)];
  if (places.length === 0) return text;
  const place = dice.pick(places);
  return text.slice(0, place.index) + dice.pick(HOSTILE_VALUES) +
    text.slice(place.index + place[0].length);
}

const KINDS: Readonly<Record<string, (draft: Draft, dice: Dice, kind: string) => Case>> = {
  valid: (draft, dice, kind) => finish(kind, encoder.encode(spell(draft, dice)), draft.dataBytes),
  "hostile value": (draft, dice, kind) =>
    finish(kind, encoder.encode(replaceValue(spell(draft, dice), dice)), draft.dataBytes),
  "number changed": (draft, dice, kind) => {
    const text = spell(draft, dice).replace(
      /\d+(?=[,\]])/g,
      (number) => dice.roll(8) === 0 ? String(Number(number) + dice.roll(5) - 2) : number,
    );
    return finish(kind, encoder.encode(text), draft.dataBytes);
  },
  "member repeated": (draft, dice, kind) => {
    const { members } = draft;
    if (members.length > 0) members.splice(dice.roll(members.length), 0, dice.pick(members));
    return finish(kind, encoder.encode(spell(draft, dice)), draft.dataBytes);
  },
  "member dropped": (draft, dice, kind) => {
    draft.members.splice(dice.roll(draft.members.length + 1), 1);
    return finish(kind, encoder.encode(spell(draft, dice)), draft.dataBytes);
  },
  "field dropped": (draft, dice, kind) => {
    const text = spell(draft, dice).replace(
      /"(dtype|shape|data_offsets)":[^"}]*("[^"]*")?,?/g,
      (field) => dice.roll(8) === 0 ? "" : field,
    );
    return finish(kind, encoder.encode(text), draft.dataBytes);
  },
  "bytes flipped": (draft, dice, kind) => {
    const header = encoder.encode(spell(draft, dice));
    const flips = 1 + dice.roll(4);
    for (let i = 0; i < flips; i++) header[dice.roll(header.length)]! ^= 1 << dice.roll(8);
    return finish(kind, header, draft.dataBytes);
  },
  "bytes overwritten": (draft, dice, kind) => {
    const header = encoder.encode(spell(draft, dice));
    const at = dice.roll(header.length);
    for (let i = at; i < Math.min(at + 8, header.length); i++) header[i] = dice.roll(256);
    return finish(kind, header, draft.dataBytes);
  },
  "stretch copied": (draft, dice, kind) => {
    const header = encoder.encode(spell(draft, dice));
    const from = dice.roll(header.length);
    header.copyWithin(dice.roll(header.length), from, from + dice.roll(64));
    return finish(kind, header, draft.dataBytes);
  },
  truncated: (draft, dice, kind) => {
    const whole = finish(kind, encoder.encode(spell(draft, dice)), draft.dataBytes);
    const fileSize = dice.roll(whole.fileSize);
    return { kind, head: whole.head.slice(0, fileSize), fileSize };
  },
  extended: (draft, dice, kind) =>
    finish(kind, encoder.encode(spell(draft, dice)), draft.dataBytes + 1 + dice.roll(1000)),
  "random bytes": (_draft, dice, kind) => {
    const header = Uint8Array.from({ length: 1 + dice.roll(200) }, () => dice.roll(256));
    if (dice.roll(2) === 0) header[0] = "{".charCodeAt(0);
    return finish(kind, header, dice.roll(100));
  },
  "hostile length": (draft, dice, kind) => {
    const header = encoder.encode(spell(draft, dice));
    return finish(kind, header, dice.pick(HOLES), dice.pick(HOSTILE_LENGTHS));
  },
};

/** Whether a case's header lies, in part, in the hole that stands for its data. */
function headerIsInHole({ head, fileSize }: Case): boolean {
  if (head.length < PREFIX_BYTES) return false;
  const length = new DataView(head.buffer).getBigUint64(0, true);
  return length > BigInt(head.length - PREFIX_BYTES) && length <= BigInt(fileSize - PREFIX_BYTES);
}

function parseInMemory({ head, fileSize }: Case): Accepted {
  const source = "case.safetensors";
  const length = parsePrefix(head.subarray(0, PREFIX_BYTES), fileSize, source);
  const header = head.subarray(PREFIX_BYTES, PREFIX_BYTES + length);
  return parseHeader(header, fileSize, { source, file: source, opaque: new Set() });
}

async function parseThroughFile({ head, fileSize }: Case, path: string): Promise<Accepted> {
  await Deno.writeFile(path, head);
  await Deno.truncate(path, fileSize);
  return await readSafetensorsHeader(path);
}

type Accepted = Pick<Awaited<ReturnType<typeof readSafetensorsHeader>>, "tensors" | "opaque">;

/** What is wrong with a result, judged without the parser. */
function judge({ head, fileSize }: Case, accepted: Accepted): string | undefined {
  const length = Number(new DataView(head.buffer).getBigUint64(0, true));
  const header = head.subarray(PREFIX_BYTES, PREFIX_BYTES + length);
  let names: string[];
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(header);
    names = Object.keys(JSON.parse(text) as object).filter((name) => name !== "__metadata__");
  } catch {
    return "accepted what is not JSON";
  }
  const tensors = new Map([...accepted.tensors, ...accepted.opaque]);
  if (names.length !== tensors.size || names.some((name) => !tensors.has(name))) {
    return "accepted other tensors than JSON.parse finds";
  }
  let end = PREFIX_BYTES + length;
  const stretches = [...tensors.values()].map(({ offset, byteLength }) => [offset, byteLength]);
  for (const [offset, bytes] of stretches.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!)) {
    if (offset !== end) return "accepted a gap or an overlap";
    end += bytes!;
  }
  return end === fileSize ? undefined : "accepted data that belongs to no tensor";
}

/** Runs `count` cases; the seed decides which. */
export async function fuzz(count: number, seed: number) {
  const dice = new Dice(seed);
  const kinds = Object.keys(KINDS);
  const outcomes: Record<string, { accepted: number; refused: number }> = {};
  for (const kind of kinds) outcomes[kind] = { accepted: 0, refused: 0 };
  const violations: string[] = [];
  let throughFile = 0;
  let slowestMs = 0;
  const folder = await Deno.makeTempDir();
  const path = `${folder}/case.safetensors`;
  const rssBefore = Deno.memoryUsage().rss;
  let rssPeak = rssBefore;
  const started = performance.now();
  try {
    for (let i = 0; i < count; i++) {
      const kind = dice.pick(kinds);
      const wanted = KINDS[kind]!(draft(dice), dice, kind);
      const inFile = i % THROUGH_FILE_EVERY === 0 || headerIsInHole(wanted);
      if (inFile) throughFile++;
      const begun = performance.now();
      try {
        const accepted = inFile ? await parseThroughFile(wanted, path) : parseInMemory(wanted);
        const fault = judge(wanted, accepted);
        if (fault !== undefined) violations.push(`case ${i} (${kind}): ${fault}`);
        outcomes[kind]!.accepted++;
      } catch (error) {
        outcomes[kind]!.refused++;
        if (!(error instanceof SafetensorsError)) violations.push(`case ${i} (${kind}): ${error}`);
      }
      const took = performance.now() - begun;
      slowestMs = Math.max(slowestMs, took);
      if (took > SLOWEST_MS) violations.push(`case ${i} (${kind}): took ${took.toFixed(0)} ms`);
      if (inFile || i % MEASURE_MEMORY_EVERY === 0) {
        rssPeak = Math.max(rssPeak, Deno.memoryUsage().rss);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const seconds = (performance.now() - started) / 1000;
  const rssGrowth = rssPeak - rssBefore;
  if (rssGrowth > MOST_RSS_GROWTH) violations.push(`memory grew by ${rssGrowth} bytes`);
  return {
    count,
    seed,
    throughFile,
    seconds: Number(seconds.toFixed(2)),
    slowestMs: Number(slowestMs.toFixed(2)),
    rssBeforeBytes: rssBefore,
    rssGrowthBytes: rssGrowth,
    outcomes,
    violationCount: violations.length,
    violations: violations.slice(0, MOST_VIOLATIONS_TOLD),
  };
}
