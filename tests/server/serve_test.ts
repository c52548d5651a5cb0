/** The task itself, with its own permissions and the demo model: programs that speak to it, and its end. */
import assert from "node:assert/strict";
import { filesBelow, temporaryFolder } from "../_folders.ts";
import { inClient, startServer } from "./_server.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

Deno.test("npm's clients of OpenAI's API get their pictures", async () => {
  await using server = await startServer();
  assert.match(await inClient("clients.ts", server), /done/);
});

Deno.test({
  name: "a person writes, mends, draws, cancels and finds pictures in a browser",
  fn: async (test) => {
    const browser = CHROMIUM.find((path) => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    });
    if (browser === undefined) {
      console.error(
        "There is no chromium here, so the page was not tried: apt-get install chromium",
      );
      await test.step({ name: "in chromium", ignore: true, fn: () => {} });
      return;
    }
    await using server = await startServer();
    const folder = new URL("packages/", import.meta.url).pathname;
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--frozen", "--allow-all", "--no-check"],
        ...["--config", `${folder}deno.json`, `${folder}page.ts`, server.url, browser],
      ],
      stdin: "null",
    }).output();
    assert(success, new TextDecoder().decode(stderr));
  },
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
