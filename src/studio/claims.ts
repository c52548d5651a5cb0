/**
 * Any number of workers drain one batch, in a folder that all of them see.
 *
 * Whoever wants to make a picture makes a file first that only one can make: the claim. It names its
 * owner, and its owner writes into it now and then. Whoever waits watches whether the claim changes, and
 * how long it has not, by a clock of its own. No time that another machine or the file server has
 * written is compared with it: their clocks may say anything. A claim whose owner is gone stays where it
 * is, and the next worker makes the claim of the next number: so nobody ever takes a claim away that
 * somebody else has just made. Whether a picture is made says the picture alone; claims only keep others
 * from making it at the same time, and may be removed whenever nobody works.
 *
 * @module
 */

/** What a claim says of its owner. */
export interface Owner {
  /** Tells this worker from every other. */
  readonly id: string;
  /** The start of the system that it runs on; absent where that has no name. */
  readonly boot?: string | undefined;
  /** For people. */
  readonly host?: string | undefined;
  readonly pid: number;
  /** When the worker began, by its own clock: ISO 8601. */
  readonly started: string;
}

/** What is known of a claim's owner. */
export interface ClaimState {
  /** Whether the owner is known to work, or known to be gone; undefined where nothing is known. */
  readonly isAlive: boolean | undefined;
  /** Changes whenever the owner writes into the claim. */
  readonly sign: string;
  /** Milliseconds without a change after which an owner counts as gone of whom nothing is known. */
  readonly patience: number;
}

/** The folder of claims, of a disk or of a simulation. */
export interface ClaimFiles {
  /**
   * Makes a file, holds it for this worker and keeps it fresh until it is removed.
   *
   * @returns False when there is one of the name already.
   */
  make(name: string): Promise<boolean>;
  /** What is known of a file's owner; undefined when there is no such file. */
  look(name: string): Promise<ClaimState | undefined>;
  /** Removes a file; one that is not there is no fault. */
  remove(name: string): Promise<void>;
  /** Makes an empty file, or leaves the one that is there. */
  mark(name: string): Promise<void>;
  has(name: string): Promise<boolean>;
  /** The names of all files. */
  list(): Promise<readonly string[]>;
}

/** Something that is to be made once. */
export interface Claimable {
  /** Fit for a file's name, without a dot. */
  readonly id: string;
}

/** How to share out a batch. */
export interface TurnsOptions<T> {
  /** Whether an item is made already; it is asked under the item's claim. */
  readonly isMade: (item: T) => Promise<boolean>;
  /** Is told of each item that somebody else made. */
  readonly onMade?: (item: T) => void;
  /** Is told when nothing is left but what others work at. */
  readonly onWaiting?: (items: readonly T[]) => void;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** Milliseconds since any moment, by a clock that nobody sets: `performance.now` unless given. */
  readonly clock?: () => number;
}

/** An item that nobody else makes until the turn is disposed. */
export interface Turn<T> extends AsyncDisposable {
  readonly item: T;
  /** Says that the item is made. */
  finish(): Promise<void>;
}

/**
 * How long after its last sign of life the owner of a claim counts as gone, where nothing better is
 * known: longer than a file server takes to start again.
 */
export const LEASE_MILLISECONDS = 300_000;
/**
 * The most that counts between two looks at a claim. A worker that slept, or waited for a file server
 * that did not answer, has seen nothing meanwhile: the owner's next sign may be on its way.
 */
const MOST_BETWEEN_LOOKS = 60_000;
/** How often whoever has nothing to do looks for claims whose owners are gone. */
const POLL_MILLISECONDS = 2000;

const MADE = ".made";
const nameOf = ({ id }: Claimable, number: number) => `${id}.${number}`;
const madeName = ({ id }: Claimable) => `${id}${MADE}`;

/**
 * The items that this worker is to make, one after the other. It ends when every item was made by
 * somebody, or was given up by this worker: its turn was disposed without {@linkcode Turn.finish}.
 *
 * @param items In the order in which this worker goes through them; workers that begin at different
 *   places meet least often.
 */
export async function* turns<T extends Claimable>(
  files: ClaimFiles,
  items: readonly T[],
  {
    isMade,
    onMade = () => {},
    onWaiting = () => {},
    sleep,
    clock = () => performance.now(),
  }: TurnsOptions<T>,
): AsyncGenerator<Turn<T>> {
  const watch = new Watch(clock);
  let hasToldOfWaiting = false;
  for (let open = items; open.length > 0;) {
    const busy: T[] = [];
    let hadTurn = false;
    let made = await madeItems(files);
    for (const item of open) {
      if (made.has(item.id)) {
        onMade(item);
        continue;
      }
      const number = await claim(files, item, watch);
      if (number === undefined) {
        busy.push(item);
        continue;
      }
      if (await files.has(madeName(item)) || await isMade(item)) {
        await finish(files, item, number);
        onMade(item);
        // Others were here. One look tells of all that they made.
        made = await madeItems(files);
        continue;
      }
      hadTurn = true;
      let isFinished = false;
      const turn: Turn<T> = {
        item,
        async finish() {
          isFinished = true;
          await finish(files, item, number);
        },
        async [Symbol.asyncDispose]() {
          if (!isFinished) await files.remove(nameOf(item, number));
        },
      };
      yield turn;
    }
    open = busy;
    if (open.length === 0 || hadTurn) continue;
    if (!hasToldOfWaiting) onWaiting(open);
    hasToldOfWaiting = true;
    await sleep(POLL_MILLISECONDS);
  }
}

/**
 * Takes out marks of pictures that were made and are there no more: whoever removed them wants them
 * made again.
 *
 * @param findMade Finds the ids of all pictures that are there.
 */
export async function forgetRemoved(
  files: ClaimFiles,
  findMade: () => Promise<ReadonlySet<string>>,
): Promise<ReadonlySet<string>> {
  // In this order: a picture is there before its mark is.
  const marked = await madeItems(files);
  const there = await findMade();
  for (const id of marked) if (!there.has(id)) await files.remove(madeName({ id }));
  return there;
}

/** For how long claims have not changed, as far as this worker has seen. */
class Watch {
  readonly #clock: () => number;
  readonly #seen = new Map<string, { sign: string; last: number; quiet: number }>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Milliseconds; 0 at the first look, and where the claim has changed since the last one. */
  quietFor(name: string, sign: string): number {
    const now = this.#clock();
    const before = this.#seen.get(name);
    const quiet = before?.sign === sign
      ? before.quiet + Math.min(now - before.last, MOST_BETWEEN_LOOKS)
      : 0;
    this.#seen.set(name, { sign, last: now, quiet });
    return quiet;
  }
}

/** @returns The number of the claim that this worker has now; undefined where another one works. */
async function claim(
  files: ClaimFiles,
  item: Claimable,
  watch: Watch,
): Promise<number | undefined> {
  for (let number = 0;; number++) {
    const name = nameOf(item, number);
    // Twice, as a claim may be given up between the two looks.
    for (let attempt = 0;; attempt++) {
      if (await files.make(name)) return number;
      const state = await files.look(name);
      if (state === undefined && attempt === 0) continue;
      if (state === undefined || !isGone(state, watch.quietFor(name, state.sign))) return undefined;
      break;
    }
  }
}

function isGone({ isAlive, patience }: ClaimState, quiet: number): boolean {
  return isAlive === undefined ? quiet > patience : !isAlive;
}

/** Whoever finds the claims gone finds the mark, and whoever finds no mark finds the picture. */
async function finish(files: ClaimFiles, item: Claimable, number: number): Promise<void> {
  await files.mark(madeName(item));
  for (let own = number; own >= 0; own--) await files.remove(nameOf(item, own));
}

async function madeItems(files: ClaimFiles): Promise<ReadonlySet<string>> {
  const names = await files.list();
  return new Set(
    names.filter((name) => name.endsWith(MADE)).map((name) => name.slice(0, -MADE.length)),
  );
}
