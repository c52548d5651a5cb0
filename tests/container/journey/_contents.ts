/** What an engine has, and how it is put aside and removed. */
import assert from "node:assert/strict";
import { BASE, output } from "./_engine.ts";
import { IMAGE, LATEST } from "./_names.ts";

/** A container that has ended is still listed while a busy engine removes it. */
const REMOVED_WITHIN_SECONDS = 20;

/** The images, containers and volumes that an engine keeps and had not then. */
export async function newSince(before: ReadonlySet<string>): Promise<string[]> {
  for (let second = 0;; second++) {
    const left = (await everything()).difference(before);
    if (left.size === 0 || second === REMOVED_WITHIN_SECONDS) return [...left];
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

export async function everything(): Promise<Set<string>> {
  const lists = [["images", "--all", "--quiet"], ["ps", "--all", "--quiet"], [
    "volume",
    "ls",
    "--quiet",
  ]];
  const found = await Promise.all(lists.map((list) => output("docker", ...list)));
  return new Set(found.flatMap((text) => text.split("\n")));
}

/** Puts images of other builds, which an engine may have, out of the way and back in the end. */
export async function keepImages(): Promise<AsyncDisposable> {
  const kept: [name: string, elsewhere: string][] = [];
  for (const name of [IMAGE, LATEST]) {
    const elsewhere = name.replace("newbie:", "newbie-kept:");
    const isThere = await output("docker", "tag", name, elsewhere).then(() => true, () => false);
    if (isThere) kept.push([name, elsewhere]);
  }
  return {
    async [Symbol.asyncDispose]() {
      await removeAll();
      for (const [name, elsewhere] of kept) {
        await output("docker", "tag", elsewhere, name);
        await output("docker", "rmi", elsewhere);
      }
    },
  };
}

/** No name that a build or a load has given is left, and neither is the base image. */
export async function removeAll(): Promise<void> {
  for (const name of [IMAGE, LATEST, BASE]) await output("docker", "rmi", name).catch(() => {});
  const left = await output("docker", "images", "--quiet", "newbie");
  assert.equal(left, "");
}
