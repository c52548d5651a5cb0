/** The task itself, with its own permissions and the demo model: programs that speak to it, and its end. */
import assert from "node:assert/strict";
import { filesBelow, temporaryFolder } from "../_folders.ts";
import { inBrowser } from "./_browser.ts";
import { inClient, startServer } from "./_server.ts";

Deno.test("npm's clients of OpenAI's API get their pictures", async () => {
  await using server = await startServer();
  assert.match(await inClient("clients.ts", server), /done/);
});

Deno.test("fifty clients at once: no picture is lost, and nobody gets another's", async () => {
  await using server = await startServer();
  assert.match(await inClient("many.ts", server), /done/);
  const names = filesBelow(`${server.folder}/outputs`).filter((path) => path.endsWith(".png"));
  assert.equal(names.filter((path) => !path.includes("/.")).length, 54);
});

Deno.test("a person writes, mends, draws, cancels and finds pictures in a browser", async (test) => {
  await using server = await startServer();
  await inBrowser(test, "page.ts", server);
});

Deno.test("kill -9 loses the picture that was being drawn, and no other", async () => {
  await using folder = await temporaryFolder();
  const first = await startServer([], { folder: folder.path });
  const script = "kill.ts";
  await inClient(script, { ...first, args: ["ask"] });
  await first.stop("SIGKILL");
  await using second = await startServer([], { folder: folder.path, ports: [first.port] });
  await inClient(script, { ...second, args: ["wait"] });
  const pictures = filesBelow(`${folder.path}/outputs`).filter((path) => path.endsWith(".png"));
  assert.equal(pictures.length, 3);
});

Deno.test("a port in use is one sentence, and Ctrl-C ends without an error", async () => {
  await using server = await startServer();
  await assert.rejects(
    startServer([], { ports: [server.port] }),
    /All of the ports \d+ are in use/,
  );
  const { code, said } = await server.stop("SIGINT");
  assert.equal(code, 0);
  assert.match(said, /The studio is open: http:\/\/127\.0\.0\.1:/);
  assert(!/error|\n {4}at /i.test(said), said);
});
