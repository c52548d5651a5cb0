/**
 * `deno task serve` with the demo model on the CPU, as a browser's page asks it: pictures, previews,
 * faults in a prompt, memory after many pictures, and a gallery of many.
 *
 * The measuring is done in a process of its own: the benchmark's task has no network.
 *
 * @module
 */
import { basename, join } from "node:path";
import { type EvalScene, readEvalSet } from "./eval/eval_set.ts";
import { inProcess } from "./process.ts";
import { startServer } from "./start_server.ts";
import { median, percentile } from "./statistics.ts";

/** The demo model's pictures as it makes them by default. */
const PICTURE = { width: 256, height: 256, steps: 30 };
const REQUESTS = 10;
const PREVIEWS = 5;
/** The smallest ones: memory that is lost with each picture does not depend on its size alone. */
const SMALL_PICTURE = { width: 64, height: 64, steps: 2 };
const SMALL_PICTURES_A_JOB = 10;
const COUNTS = [10, 100, 250, 500];
/** From here on whatever is loaded once is loaded, and memory should grow no more. */
const SETTLED = 100;
const LINTS = 200;
const GALLERY_PICTURES = 10_000;
const FOLDER_PICTURES = 500;
/** As the page asks for them. */
const PAGE_PICTURES = 60;
const PAGES = 5;
/** Longer than the gallery believes its folders to be as they were. */
const STALE_MILLISECONDS = 1100;
/** A browser asks one server six things at once. */
const CONNECTIONS = 6;
const SEARCH = "green_hair";

/** Milliseconds that half of the requests took at the most, and 99 in 100. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** Milliseconds where nothing else is said. */
export interface ServeResult {
  readonly picture: typeof PICTURE;
  /** Jobs of one picture each that are all asked for at once, without previews. */
  readonly requests: { readonly count: number; readonly perMinute: number };
  /** From a job's request to its first preview, the model being loaded: the median. */
  readonly firstPreview: number;
  readonly lint: {
    readonly count: number;
    readonly idle: Latency;
    /** While pictures are drawn, and previews watched. */
    readonly drawing: Latency;
  };
  /** The server's resident memory. */
  readonly memory: {
    readonly picture: typeof SMALL_PICTURE;
    readonly after: readonly { readonly pictures: number; readonly mebibytes: number }[];
    /** From 100 pictures on, MiB. */
    readonly growth: number;
  };
  readonly gallery: {
    readonly pictures: number;
    /** The first page that a new server is asked for. */
    readonly firstPage: number;
    /** From then on until all pictures were looked at, and a search misses none. */
    readonly lookedAt: number;
    /** Medians, with the folders looked through again. */
    readonly page: number;
    readonly search: number;
    readonly found: number;
    /** All thumbnails of a page: made, and asked for again. */
    readonly thumbnails: number;
    readonly thumbnailsAgain: number;
  };
}

/** Measures the server; needs leave to run programs alone. */
export async function benchServe(log: (lines: readonly string[]) => void): Promise<ServeResult> {
  return await inProcess<ServeResult>("bench/serve.ts", undefined, "own", log);
}

/** The tables' rows. */
export function serveTable(result: ServeResult): readonly string[] {
  const { picture, requests, firstPreview, lint, memory, gallery } = result;
  const sized = ({ width, height, steps }: typeof PICTURE) =>
    `${width} × ${height}, ${steps} steps`;
  const milliseconds = (value: number) => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
  return [
    `| pictures of ${sized(picture)} | |`,
    "| --- | --- |",
    `| requests a minute, of ${requests.count} at once, without previews | ${
      requests.perMinute.toFixed(1)
    } |`,
    `| request to first preview, median of ${PREVIEWS} | ${milliseconds(firstPreview)} |`,
    "",
    `| faults of a prompt, ${lint.count} requests | p50 | p99 |`,
    "| --- | --- | --- |",
    ...([["idle", lint.idle], ["while a picture is drawn", lint.drawing]] as const).map(
      ([name, { p50, p99 }]) => `| ${name} | ${milliseconds(p50)} | ${milliseconds(p99)} |`,
    ),
    "",
    `| resident memory, pictures of ${sized(memory.picture)} | |`,
    "| --- | --- |",
    ...memory.after.map(({ pictures, mebibytes }) =>
      `| after ${pictures} | ${mebibytes.toFixed(0)} MiB |`
    ),
    `| growth from ${SETTLED} to ${COUNTS.at(-1)} | ${memory.growth.toFixed(0)} MiB |`,
    "",
    `| gallery of ${gallery.pictures.toLocaleString("en")} pictures | |`,
    "| --- | --- |",
    `| first page of ${PAGE_PICTURES} after the start | ${milliseconds(gallery.firstPage)} |`,
    `| all pictures looked at, for searches | ${milliseconds(gallery.lookedAt)} |`,
    `| any page, then | ${milliseconds(gallery.page)} |`,
    `| a search that finds ${gallery.found.toLocaleString("en")} | ${
      milliseconds(gallery.search)
    } |`,
    `| a page's thumbnails, the first time | ${milliseconds(gallery.thumbnails)} |`,
    `| and again | ${milliseconds(gallery.thumbnailsAgain)} |`,
  ];
}

interface Job {
  readonly id: string;
  readonly state: string;
  readonly pictures: readonly { readonly name: string }[];
}

/** What the server answers, as far as it is needed here. */
class Client {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async ask(path: string, body?: unknown): Promise<Response> {
    const response = await fetch(
      `${this.#url}${path}`,
      body === undefined ? {} : {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      },
    );
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  async json<T>(path: string, body?: unknown): Promise<T> {
    return await (await this.ask(path, body)).json();
  }

  async draw(words: object): Promise<Job> {
    return await this.json<Job>("api/jobs", words);
  }

  /** Watches a job until it has ended as it should. */
  async ended(
    { id }: Job,
    { state = "done", previews = true }: { state?: string; previews?: boolean } = {},
  ): Promise<Job> {
    await (await this.ask(`api/jobs/${id}/events?previews=${Number(previews)}`)).text();
    const job = await this.json<Job>(`api/jobs/${id}`);
    if (job.state !== state) throw new Error(`A job is ${job.state}: ${JSON.stringify(job)}`);
    return job;
  }

  /** Asks for pictures, and resolves with the first preview; goes on watching until disposed. */
  async drawUntilPreview(words: object): Promise<AsyncDisposable> {
    const job = await this.draw(words);
    const events = (await this.ask(`api/jobs/${job.id}/events`)).body!;
    const isSeen = Promise.withResolvers<void>();
    const watch = async () => {
      let said = "";
      for await (const text of events.pipeThrough(new TextDecoderStream())) {
        said += text;
        if (said.includes("event: preview")) isSeen.resolve();
      }
      isSeen.reject(new Error(`No preview: ${said}`));
    };
    const watching = watch();
    await isSeen.promise;
    return {
      [Symbol.asyncDispose]: async () => {
        await this.json(`api/jobs/${job.id}/cancel`, {});
        await watching;
        await this.ended(job, { state: "cancelled" });
      },
    };
  }
}

async function measure(log: (line: string) => void): Promise<ServeResult> {
  const scenes = (await readEvalSet()).slice(0, REQUESTS);
  await using server = await startServer();
  const client = new Client(server.url);
  const words = { prompt: scenes[0]!.prompts.xml, ...PICTURE };
  await client.ended(await client.draw(words));

  const { perMinute, files } = await requestsAMinute(client, scenes);
  log(`${perMinute.toFixed(1)} requests a minute`);

  const previews: number[] = [];
  for (let run = 0; run < PREVIEWS; run++) {
    const begin = performance.now();
    await using _job = await client.drawUntilPreview(words);
    previews.push(performance.now() - begin);
  }
  const firstPreview = median(previews);
  log(`first preview after ${firstPreview.toFixed(0)} ms`);

  const lint = await benchLint(client, words);
  log(`p99 of lint ${lint.idle.p99.toFixed(1)} ms, drawing ${lint.drawing.p99.toFixed(1)} ms`);

  const memory = await benchMemory(client, server.pid, scenes, log);
  const gallery = await benchGallery(files.map((name) => join(server.folder, "outputs", name)));
  log(`first page of the gallery after ${gallery.firstPage.toFixed(0)} ms`);
  return {
    picture: PICTURE,
    requests: { count: scenes.length, perMinute },
    firstPreview,
    lint,
    memory,
    gallery,
  };
}

async function requestsAMinute(client: Client, scenes: readonly EvalScene[]) {
  const begin = performance.now();
  const jobs = await Promise.all(
    scenes.map(({ prompts, seed }) =>
      client.draw({ prompt: prompts.xml, seed: String(seed), ...PICTURE })
    ),
  );
  const ended = await Promise.all(jobs.map((job) => client.ended(job, { previews: false })));
  const minutes = (performance.now() - begin) / 60_000;
  return {
    perMinute: scenes.length / minutes,
    files: ended.flatMap(({ pictures }) => pictures.map(({ name }) => name)),
  };
}

async function benchLint(
  client: Client,
  words: { readonly prompt: string } & typeof PICTURE,
): Promise<ServeResult["lint"]> {
  const { prompt, width, height } = words;
  const latency = async (): Promise<Latency> => {
    const times: number[] = [];
    for (let run = -LINTS; run < LINTS; run++) {
      const time = await timed(() => client.json("api/prompts/lint", { prompt, width, height }));
      if (run >= 0) times.push(time);
    }
    return { p50: median(times), p99: percentile(times, 99) };
  };
  const idle = await latency();
  await using _job = await client.drawUntilPreview({ ...words, count: 100 });
  return { count: LINTS, idle, drawing: await latency() };
}

async function benchMemory(
  client: Client,
  pid: number,
  scenes: readonly EvalScene[],
  log: (line: string) => void,
): Promise<ServeResult["memory"]> {
  const after: { pictures: number; mebibytes: number }[] = [];
  let drawn = 0;
  for (const pictures of COUNTS) {
    for (; drawn < pictures; drawn += SMALL_PICTURES_A_JOB) {
      const { prompts: { xml: prompt } } = scenes[drawn / SMALL_PICTURES_A_JOB % scenes.length]!;
      const words = { prompt, ...SMALL_PICTURE, count: SMALL_PICTURES_A_JOB };
      await client.ended(await client.draw(words));
    }
    const mebibytes = await residentMemory(pid);
    after.push({ pictures, mebibytes });
    log(`${mebibytes.toFixed(0)} MiB after ${pictures} pictures`);
  }
  const settled = after.find(({ pictures }) => pictures === SETTLED)!;
  return {
    picture: SMALL_PICTURE,
    after,
    growth: after.at(-1)!.mebibytes - settled.mebibytes,
  };
}

/** VmRSS of a process, in MiB (Linux). */
async function residentMemory(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
}

interface Page {
  readonly pictures: readonly { readonly name: string }[];
  readonly total: number;
  readonly isSearched: boolean;
}

/** @param files Pictures, of which the gallery has many names. */
async function benchGallery(files: readonly string[]): Promise<ServeResult["gallery"]> {
  const folder = await Deno.makeTempDir();
  try {
    await fillGallery(join(folder, "outputs"), files);
    await using server = await startServer([], { folder });
    const client = new Client(server.url);
    const page = (skip: number, search = "") =>
      client.json<Page>(`api/gallery?search=${search}&skip=${skip}&limit=${PAGE_PICTURES}`);
    const begin = performance.now();
    const { pictures, total } = await page(0);
    const firstPage = performance.now() - begin;
    if (total !== GALLERY_PICTURES) throw new Error(`The gallery has ${total} pictures.`);
    let found = await page(0, SEARCH);
    while (!found.isSearched) found = await page(0, SEARCH);
    const lookedAt = performance.now() - begin;

    const pages: number[] = [];
    const searches: number[] = [];
    for (let run = 0; run < PAGES; run++) {
      const skip = run * Math.floor(GALLERY_PICTURES / PAGES);
      await new Promise((resolve) => setTimeout(resolve, STALE_MILLISECONDS));
      pages.push(await timed(() => page(skip)));
      await new Promise((resolve) => setTimeout(resolve, STALE_MILLISECONDS));
      searches.push(await timed(() => page(0, SEARCH)));
    }
    const thumbnails = async () => {
      const names = pictures.map(({ name }) => name).values();
      await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
        for (const name of names) await (await client.ask(`api/gallery/thumbnail/${name}`)).bytes();
      }));
    };
    return {
      pictures: total,
      firstPage,
      lookedAt,
      page: median(pages),
      search: median(searches),
      found: found.total,
      thumbnails: await timed(thumbnails),
      thumbnailsAgain: await timed(thumbnails),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Lays pictures into folders of days; each name is a file of its own to the gallery. */
async function fillGallery(outputs: string, files: readonly string[]): Promise<void> {
  for (let index = 0; index < GALLERY_PICTURES; index++) {
    const day = join(outputs, String(20260101 + Math.floor(index / FOLDER_PICTURES)));
    if (index % FOLDER_PICTURES === 0) await Deno.mkdir(day, { recursive: true });
    const file = files[index % files.length]!;
    await Deno.link(file, join(day, `${index}_${basename(file)}`));
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

if (import.meta.main) console.log(JSON.stringify(await measure((line) => console.error(line))));
