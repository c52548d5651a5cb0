/** The page while its server is killed and comes back. */
import { exists } from "../../src/files.ts";
import { temporaryFolder } from "../_folders.ts";
import { inBrowser } from "./_browser.ts";
import { startServer } from "./_server.ts";

/** Waits for a file, or for the end of whoever was to write it. */
async function written(path: string, writer: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = () => void (isOver = true);
  writer.then(over, over);
  while (!isOver && !await exists(path)) await new Promise((resolve) => setTimeout(resolve, 50));
}

Deno.test("a page outlives its server, with its prompt and the picture that was being drawn", async (test) => {
  await using folder = await temporaryFolder();
  const first = await startServer([], { folder: folder.path });
  const page = inBrowser(test, "lost_page.ts", first, [folder.path]);
  await written(`${folder.path}/drawing`, page);
  await first.stop("SIGKILL");
  await written(`${folder.path}/noticed`, page);
  await using _second = await startServer([], { folder: folder.path, ports: [first.port] });
  await page;
});
