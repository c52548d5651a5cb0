/** Folders that tests fill. */

/** An empty folder that is gone in the end. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Runs with an empty folder, which is gone afterwards. */
export async function inTempFolder(use: (folder: string) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  await use(folder.path);
}

/** Names of all files below a folder, sorted. */
export function filesBelow(folder: string): string[] {
  const found: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...filesBelow(path));
    else found.push(path);
  }
  return found.sort();
}
