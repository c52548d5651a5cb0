/**
 * Workers that share a batch by claims: many simulated ones with clocks of their own that are killed
 * at any moment, and files on a real disk.
 */
import assert from "node:assert/strict";
import { ClaimFolder } from "../../src/studio/claim_folder.ts";
import {
  type ClaimFiles,
  type ClaimState,
  forgetRemoved,
  LEASE_MILLISECONDS,
  turns,
} from "../../src/studio/claims.ts";
import { temporaryFolder } from "../_folders.ts";

/** A deterministic source of chance: mulberry32. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Item {
  readonly id: string;
}

/** A file server, and machines on which workers run. */
class World {
  /** Milliseconds. No worker can read it: each has a clock of its own. */
  now = 0;
  readonly files = new Map<string, { owner: Worker | undefined; made: number }>();
  readonly pictures = new Set<string>();
  readonly drawn: string[] = [];
  /** Pictures that were begun. */
  begun = 0;
  readonly #roll: () => number;
  readonly #queue: { readonly at: number; readonly order: number; readonly wake: () => void }[] =
    [];
  #order = 0;

  constructor(seed: number) {
    this.#roll = dice(seed);
  }

  roll(): number {
    return this.#roll();
  }

  /** Goes on later: nothing happens in between for this worker, and anything for the others. */
  later(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const entry = { at: this.now + milliseconds, order: this.#order++, wake: resolve };
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#queue[middle]!.at > entry.at) low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, entry);
    return promise;
  }

  /** Lets time go on until nobody waits for anything. */
  async run(): Promise<void> {
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      this.now = next.at;
      next.wake();
      // All that follows at this moment happens before time goes on.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

const PICTURE_MILLISECONDS = 8000;
/** Longer than a claim lasts without a sign of life: the first picture of every second worker. */
const LONG_PICTURE_MILLISECONDS = 800_000;
const FIRST_PICTURES = [PICTURE_MILLISECONDS, LONG_PICTURE_MILLISECONDS];
const OPERATION_MILLISECONDS = 4;
const HEARTBEAT_MILLISECONDS = 20_000;
/** By how much a machine's clock is wrong, at most, and how much faster or slower it runs. */
const CLOCK_OFF_MILLISECONDS = 600_000;
const CLOCK_DRIFT = 0.01;

/** What a machine takes for the time. */
class Clock {
  readonly #world: World;
  readonly #offset: number;
  readonly #rate: number;

  constructor(world: World) {
    this.#world = world;
    this.#offset = CLOCK_OFF_MILLISECONDS * (2 * world.roll() - 1);
    this.#rate = 1 + CLOCK_DRIFT * (2 * world.roll() - 1);
  }

  /** What it shows at a moment: now, unless told otherwise. */
  at(moment = this.#world.now): number {
    return this.#offset + this.#rate * moment;
  }
}

/** A worker; a killed one waits for ever at the operation that was its last. */
class Worker implements ClaimFiles {
  #died: number | undefined;
  readonly #world: World;
  readonly #clock: Clock;
  #operationsLeft: number;
  #nextPicture: number;

  /** @param clock That of the machine, by which its workers know each other. */
  constructor(world: World, clock: Clock, operationsLeft: number, firstPicture: number) {
    this.#world = world;
    this.#clock = clock;
    this.#operationsLeft = operationsLeft;
    this.#nextPicture = firstPicture;
  }

  get isDead(): boolean {
    return this.#died !== undefined;
  }

  async #step(milliseconds = OPERATION_MILLISECONDS * (0.5 + this.#world.roll())): Promise<void> {
    if (this.#operationsLeft-- <= 0) {
      this.#died = this.#world.now;
      // What it did last stays as it is.
      await new Promise<void>(() => {});
    }
    await this.#world.later(milliseconds);
  }

  async make(name: string): Promise<boolean> {
    await this.#step();
    if (this.#world.files.has(name)) return false;
    this.#world.files.set(name, { owner: this, made: this.#world.now });
    await this.#step();
    return true;
  }

  async look(name: string): Promise<ClaimState | undefined> {
    await this.#step();
    const file = this.#world.files.get(name);
    if (file === undefined) return undefined;
    const { made } = file;
    const owner = file.owner!;
    // The heart of an owner beats in a thread of its own, until the owner is killed. The file bears
    // the time of the owner's clock, as on file systems that take it from whoever writes.
    const lived = (owner.#died ?? this.#world.now) - made;
    const beat = made + lived - lived % HEARTBEAT_MILLISECONDS;
    return {
      isAlive: owner.#clock === this.#clock ? !owner.isDead : undefined,
      sign: String(owner.#clock.at(beat)),
      patience: LEASE_MILLISECONDS,
    };
  }

  async remove(name: string): Promise<void> {
    await this.#step();
    this.#world.files.delete(name);
  }

  async mark(name: string): Promise<void> {
    await this.#step();
    this.#world.files.set(name, { owner: undefined, made: this.#world.now });
  }

  async has(name: string): Promise<boolean> {
    await this.#step();
    return this.#world.files.has(name);
  }

  async list(): Promise<readonly string[]> {
    await this.#step();
    const names = [...this.#world.files.keys()];
    // What is read takes its time, and is old when it is there.
    await this.#step();
    return names;
  }

  async isMade({ id }: Item): Promise<boolean> {
    await this.#step();
    return this.#world.pictures.has(id);
  }

  async draw({ id }: Item): Promise<void> {
    this.#world.begun++;
    const milliseconds = this.#nextPicture;
    this.#nextPicture = PICTURE_MILLISECONDS;
    // Steps of drawing, at each of which it may be killed.
    for (let step = 0; step < 4; step++) await this.#step(milliseconds / 4);
    this.#world.drawn.push(id);
    assert(!this.#world.pictures.has(id), `${id} was drawn twice`);
    this.#world.pictures.add(id);
    // It may be killed between the picture and what it notes of it.
    await this.#step();
  }

  async work(items: readonly Item[]): Promise<void> {
    const sharing = {
      isMade: (item: Item) => this.isMade(item),
      sleep: (milliseconds: number) => this.#step(milliseconds),
      clock: () => this.#clock.at(),
    };
    for await (const turn of turns(this, items, sharing)) {
      await using _turn = turn;
      await this.draw(turn.item);
      await turn.finish();
    }
  }
}

async function simulate(
  { prompts, workers, killed, seed }: {
    prompts: number;
    workers: number;
    killed: number;
    seed: number;
  },
) {
  const world = new World(seed);
  const items = Array.from({ length: prompts }, (_, index) => ({ id: `item${index}` }));
  // Eight workers to a machine.
  const clocks = Array.from({ length: Math.ceil(workers / 8) }, () => new Clock(world));
  const all: Worker[] = [];
  for (let index = 0; index < workers; index++) {
    // Spread over the whole time in which a worker may live.
    const life = index < killed ? Math.floor(world.roll() * prompts / workers * 12) : Infinity;
    const worker = new Worker(world, clocks[index >> 3]!, life, FIRST_PICTURES[index % 2]!);
    all.push(worker);
    const first = Math.floor(world.roll() * prompts);
    void worker.work([...items.slice(first), ...items.slice(0, first)]);
  }
  await world.run();
  return { world, dead: all.filter(({ isDead }) => isDead).length };
}

Deno.test("10,000 prompts, 64 workers whose clocks differ, one in ten killed: nothing is lost or drawn twice", async () => {
  const { world, dead } = await simulate({ prompts: 10_000, workers: 64, killed: 7, seed: 1 });
  assert.equal(world.pictures.size, 10_000);
  assert.equal(world.drawn.length, 10_000);
  assert(world.begun <= 10_000 + dead, "more than one picture was begun again for a kill");
  assert(dead >= 5, `only ${dead} were killed before the end`);
});

Deno.test("whatever moment they are killed at, the others draw the rest", async () => {
  for (let seed = 2; seed < 40; seed++) {
    const { world } = await simulate({ prompts: 60, workers: 9, killed: 8, seed });
    assert.equal(world.pictures.size, 60, `seed ${seed}`);
    assert.equal(world.drawn.length, 60, `seed ${seed}`);
  }
});

Deno.test("a claim is one worker's, and free when it gives it up or has ended", async () => {
  await using folder = await temporaryFolder();
  const batch = `${folder.path}/batch`;
  await using first = await ClaimFolder.open(batch, folder.path);
  await using second = await ClaimFolder.open(batch, folder.path);
  assert.equal(await first.make("a.0"), true);
  assert.equal(await second.make("a.0"), false);
  const state = await second.look("a.0");
  if (Deno.build.os === "linux") assert.equal(state!.isAlive, true);
  await first.remove("a.0");
  assert.equal(await second.look("a.0"), undefined);
  assert.equal(await second.make("a.0"), true);
});

Deno.test("where nothing names the system's start, claims are not locked: Windows' locks keep readers out", async () => {
  await using folder = await temporaryFolder();
  const open = () =>
    ClaimFolder.open(`${folder.path}/batch`, folder.path, () => Promise.resolve(undefined));
  await using first = await open();
  await using second = await open();
  assert.equal(await first.make("a.0"), true);
  using file = await Deno.open(`${folder.path}/batch/.claims/a.0`);
  assert.equal(await file.tryLock(false), true);
  assert.equal((await second.look("a.0"))!.isAlive, undefined);
});

/** How long a worker waits for the only claim of a folder, in milliseconds of its own clock. */
async function waited(claims: ClaimFolder, onSecond: (second: number) => Promise<void>) {
  const begin = 1e9;
  let now = begin;
  const sharing = {
    isMade: () => Promise.resolve(false),
    clock: () => now,
    async sleep(milliseconds: number) {
      now += milliseconds;
      await onSecond((now - begin) / 1000);
    },
  };
  for await (const turn of turns(claims, [{ id: "a" }], sharing)) await turn.finish();
  return now - begin;
}

async function claimFrom(batch: string, text: string): Promise<string> {
  const path = `${batch}/.claims/a.0`;
  await Deno.mkdir(`${batch}/.claims`, { recursive: true });
  await Deno.writeTextFile(path, text);
  return path;
}
const ELSEWHERE = JSON.stringify({ owner: { id: "x", boot: "another machine" }, isLocked: true });

Deno.test("an owner elsewhere works as long as its claim changes, whatever its clock says", async () => {
  for (const wrong of [-600, 600]) {
    await using folder = await temporaryFolder();
    await using claims = await ClaimFolder.open(`${folder.path}/batch`, folder.path);
    const path = await claimFrom(`${folder.path}/batch`, `${ELSEWHERE}\n`);
    const until = 800;
    const milliseconds = await waited(claims, async (second) => {
      if (second > until) return;
      const time = Date.now() / 1000 + wrong;
      // A sign of life, by a clock that is wrong.
      if (second % 20 === 0) await Deno.writeTextFile(path, ".", { append: true });
      await Deno.utime(path, time, time);
    });
    const behind = milliseconds - until * 1000;
    assert(behind >= LEASE_MILLISECONDS && behind < LEASE_MILLISECONDS + 10_000, `${milliseconds}`);
  }
});

Deno.test("a file server's time alone is a sign of life, and so is a byte more alone", async () => {
  const signs = [
    (path: string, second: number) => Deno.utime(path, second, second),
    async (path: string) => {
      await Deno.writeTextFile(path, ".", { append: true });
      await Deno.utime(path, 1, 1);
    },
  ];
  for (const sign of signs) {
    await using folder = await temporaryFolder();
    await using claims = await ClaimFolder.open(`${folder.path}/batch`, folder.path);
    const path = await claimFrom(`${folder.path}/batch`, `${ELSEWHERE}\n`);
    const milliseconds = await waited(claims, async (second) => {
      if (second <= 1000 && second % 20 === 0) await sign(path, second);
    });
    assert(milliseconds >= 1_000_000 + LEASE_MILLISECONDS, `${milliseconds}`);
  }
});

Deno.test("time in which nobody looked does not count against an owner", async () => {
  await using folder = await temporaryFolder();
  await using claims = await ClaimFolder.open(`${folder.path}/batch`, folder.path);
  await claimFrom(`${folder.path}/batch`, ELSEWHERE);
  let now = 0;
  let looks = 0;
  const sharing = {
    isMade: () => Promise.resolve(false),
    clock: () => now,
    sleep() {
      looks++;
      // The computer slept for an hour.
      now += 3_600_000;
      return Promise.resolve();
    },
  };
  for await (const turn of turns(claims, [{ id: "a" }], sharing)) await turn.finish();
  assert(looks > 4, `${looks}`);
});

Deno.test("a claim of which the owner ended before it wrote its name is free after seconds", async () => {
  await using folder = await temporaryFolder();
  await using claims = await ClaimFolder.open(`${folder.path}/batch`, folder.path);
  await claimFrom(`${folder.path}/batch`, "");
  const milliseconds = await waited(claims, () => Promise.resolve());
  assert(milliseconds >= 10_000 && milliseconds < 20_000, `${milliseconds}`);
});

Deno.test("a picture that somebody removed is made again", async () => {
  await using folder = await temporaryFolder();
  await using claims = await ClaimFolder.open(`${folder.path}/batch`, folder.path);
  await claims.mark("a.made");
  await claims.mark("b.made");
  await forgetRemoved(claims, () => Promise.resolve(new Set(["b"])));
  assert.deepEqual(await claims.list(), ["b.made"]);
});

Deno.test({
  name: "a pipe in a claim's place is nobody's claim, and not waited for",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await temporaryFolder();
    await using claims = await ClaimFolder.open(`${folder.path}/batch`, folder.path);
    const path = `${folder.path}/batch/.claims/a.0`;
    await new Deno.Command("mkfifo", { args: [path] }).output();
    assert.equal((await claims.look("a.0"))!.isAlive, undefined);
    assert(await waited(claims, () => Promise.resolve()) < LEASE_MILLISECONDS);
  },
});
