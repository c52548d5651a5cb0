/**
 * Whether a module may be started as a thread: a thread is read from its own file, and the program
 * may lack the permission to read it.
 */
export async function mayStartThread(module: URL): Promise<boolean> {
  if (module.protocol !== "file:") return false;
  return (await Deno.permissions.query({ name: "read", path: module })).state === "granted";
}
