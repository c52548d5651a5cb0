/** Recipes come from anyone: which networks they can lead to. */
import assert from "node:assert/strict";
import { RequestError } from "../../src/errors.ts";
import { recipeUpscaler } from "../../src/studio/recipe_upscaler.ts";

const OUTSIDE = ["/etc/hostname", "../../../../../etc/hostname", "C:\\secret", "..\\secret"];

Deno.test("a recipe's network is a name here, and leads to no file elsewhere", async () => {
  for (const name of OUTSIDE) {
    for (
      const recipe of [
        { hires: { scale: 2, upscaler: name } },
        { hires: { scale: 2, upscaler: name }, upscaler: { name, sha256: "0".repeat(64) } },
      ]
    ) {
      await assert.rejects(recipeUpscaler(recipe as never, "a.png"), (error) => {
        assert(error instanceof RequestError);
        const own = JSON.stringify(name.split(/[\\/]/).at(-1));
        assert.match(error.message, /a\.png was drawn twice\. /);
        assert(error.message.includes(`upscaler ${own}`), error.message);
        return true;
      });
    }
  }
});

Deno.test("a recipe enlarged by no network needs none", async () => {
  for (const recipe of [{}, { hires: { scale: 2 } }, { hires: { scale: 2, upscaler: "latent" } }]) {
    assert.equal(await recipeUpscaler(recipe as never, "a.png"), undefined);
  }
});
