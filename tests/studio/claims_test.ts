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

/** A file server with its own clock, and machines on which workers run. */
class World {
  /** Milliseconds. */
  now = 0;
  readonly files = new Map<string, { owner: Worker | undefined; time: number }>();
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
const OPERATION_MILLISECONDS = 4;

/** A worker; a killed one waits for ever at the operation that was its last. */
class Worker implements ClaimFiles {
  isDead = false;
  readonly #world: World;
  readonly #machine: number;
  #operationsLeft: number;
  /** Set while a picture is drawn: the heart beats then, until the worker is killed. */
  #held: string | undefined;

  constructor(world: World, machine: number, operationsLeft: number) {
    this.#world = world;
    this.#machine = machine;
    this.#operationsLeft = operationsLeft;
  }

  async #step(milliseconds = OPERATION_MILLISECONDS * (0.5 + this.#world.roll())): Promise<void> {
    if (this.#operationsLeft-- <= 0) {
      this.isDead = true;
      // What it did last stays as it is.
      await new Promise<void>(() => {});
    }
    await this.#world.later(milliseconds);
  }

  async make(name: string): Promise<boolean> {
    await this.#step();
    if (this.#world.files.has(name)) return false;
    this.#world.files.set(name, { owner: this, time: this.#world.now });
    this.#held = name;
    await this.#step();
    return true;
  }

  async look(name: string): Promise<ClaimState | undefined> {
    await this.#step();
    const file = this.#world.files.get(name);
    if (file === undefined) return undefined;
    const { owner } = file;
    const isKnown = owner !== undefined && owner.#machine === this.#machine;
    // The heart of a living owner beats in a thread of its own.
    const time = owner === undefined || owner.isDead ? file.time : this.#world.now;
    return { isAlive: isKnown ? !owner.isDead : undefined, age: this.#world.now - time };
  }

  async remove(name: string): Promise<void> {
    await this.#step();
    this.#world.files.delete(name);
    if (this.#held === name) this.#held = undefined;
  }

  async mark(name: string): Promise<void> {
    await this.#step();
    this.#world.files.set(name, { owner: undefined, time: this.#world.now });
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
    // Steps of drawing, at each of which it may be killed.
    for (let step = 0; step < 4; step++) await this.#step(PICTURE_MILLISECONDS / 4);
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
  const all: Worker[] = [];
  for (let index = 0; index < workers; index++) {
    // Spread over the whole time in which a worker may live.
    const life = index < killed ? Math.floor(world.roll() * prompts / workers * 12) : Infinity;
    // Eight workers to a machine.
    const worker = new Worker(world, index >> 3, life);
    all.push(worker);
    const first = Math.floor(world.roll() * prompts);
    void worker.work([...items.slice(first), ...items.slice(0, first)]);
  }
  await world.run();
  return { world, dead: all.filter(({ isDead }) => isDead).length };
}

Deno.test("10,000 prompts and 64 workers, one in ten killed: nothing is lost, nothing drawn twice", async () => {
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
  assert(state!.age < 60_000);
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

Deno.test("an owner elsewhere is gone when its claim has grown old by the file server's clock", async () => {
  await using folder = await temporaryFolder();
  await using claims = await ClaimFolder.open(`${folder.path}/batch`, folder.path);
  const path = `${folder.path}/batch/.claims/a.0`;
  const owner = { owner: { id: "x", boot: "another machine" }, isLocked: true };
  await Deno.writeTextFile(path, JSON.stringify(owner));
  const item = { id: "a" };
  const isDrawn = async () => {
    let waited = false;
    const sharing = {
      isMade: () => Promise.resolve(false),
      sleep: () => Promise.reject(new Error("waiting")),
      onWaiting: () => waited = true,
    };
    try {
      for await (const turn of turns(claims, [item], sharing)) await turn[Symbol.asyncDispose]();
    } catch (error) {
      assert.equal((error as Error).message, "waiting");
    }
    return !waited;
  };
  assert.equal(await isDrawn(), false);
  const old = (Date.now() - LEASE_MILLISECONDS - 60_000) / 1000;
  await Deno.utime(path, old, old);
  assert.equal(await isDrawn(), true);
  // Ended while it wrote its name.
  await Deno.writeTextFile(path, "");
  assert.equal(await isDrawn(), false);
  const before = Date.now() / 1000 - 60;
  await Deno.utime(path, before, before);
  assert.equal(await isDrawn(), true);
});

Deno.test("a picture that somebody removed is made again", async () => {
  await using folder = await temporaryFolder();
  await using claims = await ClaimFolder.open(`${folder.path}/batch`, folder.path);
  await claims.mark("a.made");
  await claims.mark("b.made");
  await forgetRemoved(claims, () => Promise.resolve(new Set(["b"])));
  assert.deepEqual(await claims.list(), ["b.made"]);
});
