/** Asks for three pictures and waits for the first, or waits until all that waits is drawn. */
const [url, what] = Deno.args as [string, string];
interface Job {
  readonly state: string;
  readonly pictures: readonly unknown[];
}

if (what === "ask") {
  const body = { prompt: "1girl", count: 3, steps: 6, width: 128, height: 128, seed: "7" };
  await (await fetch(`${url}api/jobs`, { method: "POST", body: JSON.stringify(body) })).text();
}
for (;;) {
  const { jobs } = await (await fetch(`${url}api/jobs`)).json() as { jobs: readonly Job[] };
  const isDone = what === "ask"
    ? jobs.some(({ pictures }) => pictures.length >= 1)
    : jobs.every(({ state }) => state === "done");
  if (isDone) break;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
