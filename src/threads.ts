/**
 * Whether a module may be started as a thread: a thread is a program that is read from its file,
 * which a program may not be allowed to.
 */
export async function mayStartThread(module: URL): Promise<boolean> {
  if (module.protocol !== "file:") return false;
  return (await Deno.permissions.query({ name: "read", path: module })).state === "granted";
}
