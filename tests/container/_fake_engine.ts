/**
 * A stand-in for a container engine, in a process of its own because tests have no network. It
 * answers in the words of Docker's Engine API (version 1.41), as Engine 20.10.24 was seen to.
 *
 *     deno run -A tests/container/_fake_engine.ts SOCKET LOG SCENARIO
 *
 * Every request that changes something goes to LOG, a line each.
 */
const [path, log, scenario] = Deno.args as [string, string, string];

/** The image to build on. */
const BASE = `sha256:${"b".repeat(64)}`;
const BUILT = `sha256:${"f".repeat(64)}`;
const image = (id: string, Architecture: string) => ({
  Id: id,
  Os: "linux",
  Architecture,
  Size: 1,
  RepoTags: ["base:latest"],
  RepoDigests: [],
  Config: { Labels: null },
  RootFS: { Layers: [] },
});

Deno.serve({ path, onListen() {} } as Deno.ServeUnixOptions, async (request) => {
  const { pathname, search } = new URL(request.url);
  if (request.method !== "GET") {
    await Deno.writeTextFile(log, `${request.method} ${pathname}\n`, { append: true });
  }
  if (pathname === "/version") {
    return Response.json({ Version: "20.10.24", ApiVersion: "1.41", Os: "linux", Arch: "amd64" });
  }
  if (pathname === "/info") return Response.json({ Runtimes: {}, SecurityOptions: [] });
  if (pathname === "/images/json") return Response.json([]);
  if (pathname === "/images/base:latest/json") {
    return Response.json(image(BASE, scenario === "other-architecture" ? "arm64" : "amd64"));
  }
  if (pathname === `/images/${BUILT}/json`) return Response.json(image(BUILT, "amd64"));
  if (pathname === "/build") return await build(request, search);
  if (request.method === "DELETE") return Response.json([{ Deleted: pathname }]);
  return Response.json({ message: `no such image: ${pathname}` }, { status: 404 });
});

async function build(request: Request, search: string): Promise<Response> {
  if (scenario === "refused") {
    return Response.json({ message: "no space left on device" }, { status: 500 });
  }
  await request.arrayBuffer();
  const stage = [
    { stream: "Step 1/3 : FROM base" },
    { stream: "\n" },
    { stream: ` ---> ${"b".repeat(12)}\n` },
    { stream: "Step 2/3 : COPY a b" },
    { stream: "\n" },
    { stream: ` ---> ${"c".repeat(12)}\n` },
    { stream: "Step 3/3 : RUN false" },
    { stream: "\n" },
    { stream: ` ---> Running in ${"d".repeat(12)}\n` },
  ];
  const rest = {
    "failing-step": [
      { stream: "\u001b[91mcannot find the thing\n\u001b[0m" },
      { stream: `Removing intermediate container ${"d".repeat(12)}\n` },
      {
        errorDetail: { code: 3, message: "The command 'false' returned a non-zero code: 3" },
        error: "The command 'false' returned a non-zero code: 3",
      },
    ],
    "good": [
      { stream: ` ---> ${"f".repeat(12)}\n` },
      { aux: { ID: BUILT } },
      { stream: `Successfully built ${"f".repeat(12)}\n` },
      { stream: search.includes("networkmode=none") ? "no network\n" : "a network\n" },
    ],
    "no-image": [],
    "broken-off": undefined,
    "endless": [],
  }[scenario];
  const encode = (message: object) => new TextEncoder().encode(`${JSON.stringify(message)}\r\n`);
  const body = new ReadableStream({
    start(controller) {
      for (const message of [...stage, ...rest ?? []]) controller.enqueue(encode(message));
      if (scenario === "endless") return;
      if (rest === undefined) setTimeout(() => Deno.exit(0), 200);
      else controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}
