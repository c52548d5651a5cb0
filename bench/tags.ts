/**
 * Lists of tags as people bring them: how long it takes to read one, and to complete from it.
 *
 * @module
 */
import { loadTagList } from "../src/tags/mod.ts";
import { median } from "./statistics.ts";

/** About as many as all of Danbooru's tags with more than a few pictures. */
const ROWS = 200_000;
const QUERIES = 200;

/** Milliseconds, but for the rows. */
export interface TagsResult {
  readonly rows: number;
  readonly megabytes: number;
  readonly load: number;
  /** Which sorts the names. */
  readonly firstCompletion: number;
  readonly completion: number;
  readonly nearMiss: number;
}

/** Measures a list of tags that is made here. */
export async function benchTags(): Promise<TagsResult> {
  const folder = await Deno.makeTempDir({ dir: "bench/results", prefix: ".tags_" });
  try {
    const csv = rows();
    await Deno.writeTextFile(`${folder}/tags.csv`, csv);
    const begin = performance.now();
    const list = await loadTagList(folder);
    const load = performance.now() - begin;
    const queries = Array.from({ length: QUERIES }, (_, index) => nameOf(index * 997 % ROWS));
    const firstCompletion = timed(() => list.complete("ba"));
    return {
      rows: list.size,
      megabytes: csv.length / 1e6,
      load,
      firstCompletion,
      completion: median(queries.map((name) => timed(() => list.complete(name.slice(0, 3))))),
      nearMiss: median(queries.map((name) => timed(() => list.near(`${name.slice(0, -1)}x`)))),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The table's rows. */
export function tagRows(result: TagsResult): readonly string[] {
  const { rows, megabytes, load, firstCompletion, completion, nearMiss } = result;
  return [
    `| list of ${rows.toLocaleString("en")} tags, ${megabytes.toFixed(1)} MB of CSV | |`,
    "| --- | --- |",
    `| read | ${load.toFixed(0)} ms |`,
    `| first completion, which sorts the names | ${firstCompletion.toFixed(0)} ms |`,
    `| completion of three letters | ${completion.toFixed(2)} ms |`,
    `| near misses of a tag | ${nearMiss.toFixed(1)} ms |`,
  ];
}

function timed(work: () => unknown): number {
  const begin = performance.now();
  work();
  return performance.now() - begin;
}

const SYLLABLES = "ba be bi bo da de di do ka ke ki ko la le li lo ma me mi mo na ne ni no".split(
  " ",
);

/** A name of its own for each number, of about the length that tags have. */
function nameOf(index: number): string {
  const parts: string[] = [];
  for (let rest = index + 1; rest > 0; rest = Math.floor(rest / SYLLABLES.length)) {
    parts.push(SYLLABLES[rest % SYLLABLES.length]!);
  }
  return `${parts.join("")}_${parts.toReversed().join("")}`;
}

function rows(): string {
  return Array.from({ length: ROWS }, (_, index) => {
    const name = nameOf(index);
    return `${name},0,${ROWS - index},"${name}s,the_${name}"`;
  }).join("\n");
}
