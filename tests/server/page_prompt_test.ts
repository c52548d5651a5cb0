/** What stands around the prompt on the page, and the gallery, with the demo model, in a browser. */
import { temporaryFolder } from "../_folders.ts";
import { inBrowser } from "./_browser.ts";
import { ROOT, startServer } from "./_server.ts";

Deno.test("a person uses presets, adapters, wildcards, grids, favourites and the bin in a browser", async (test) => {
  await using folder = await temporaryFolder();
  await Deno.mkdir(`${folder.path}/wildcards`);
  await Deno.writeTextFile(`${folder.path}/wildcards/hair.txt`, "red_hair\nblue_hair\n");
  await Deno.mkdir(`${folder.path}/models/loras`, { recursive: true });
  for (const name of ["night_light", "tsukimi"]) {
    await Deno.mkdir(`${folder.path}/models/loras/${name}`);
    for (const file of ["adapter_config.json", "adapter_model.safetensors"]) {
      const path = `${name}/${file}`;
      await Deno.copyFile(
        `${ROOT}models/demo/loras/${path}`,
        `${folder.path}/models/loras/${path}`,
      );
    }
  }
  await using server = await startServer([], { folder: folder.path });
  await inBrowser(test, "prompt_page.ts", server);
});
