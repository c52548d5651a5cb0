/** What `deno task pack` makes, unpacked where neither Deno, npm nor git is on the path. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { filesBelow, temporaryFolder } from "../_folders.ts";
import { ROOT, sh } from "../integrity/_packages.ts";
import { runTask } from "./_task_command.ts";

Deno.test({
  name: "the packed toolkit proves itself and draws, and says what was changed in it",
  ignore: Deno.build.os !== "linux" || Deno.build.arch !== "x86_64",
  fn: async () => {
    await using folder = await temporaryFolder();
    const out = join(folder.path, "new folder/newbie.tar");
    const { code, out: said, err } = await runTask("pack", ["--no-models", "--json", "--out", out]);
    assert.equal(code, 0, err);
    const [sum] = (await sh("sha256sum", [out], ROOT)).out.split(" ");
    assert.equal(JSON.parse(said).sha256, sum);

    assert.equal((await sh("tar", ["-xf", out], folder.path)).code, 0);
    await Deno.remove(join(out, ".."), { recursive: true });
    const [{ name }] = await Array.fromAsync(Deno.readDir(folder.path)) as [Deno.DirEntry];
    const top = join(folder.path, name);
    // Wherever it is unpacked, all links stay inside.
    const links = await sh("find", [".", "-type", "l", "-printf", "%l\n"], top);
    assert.doesNotMatch(links.out, /^\//m);
    const broken = await sh("find", [".", "-xtype", "l"], top);
    assert.equal(broken.out, "");

    const newbie = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(join(top, "newbie"), {
        args,
        clearEnv: true,
        env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent", LC_ALL: "C", NO_COLOR: "1" },
        stdin: "null",
      }).output();
      const decoder = new TextDecoder();
      return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
    };
    const sound = await newbie("verify");
    assert.equal(sound.code, 0, sound.out + sound.err);
    const small = ["--width", "64", "--height", "64", "--steps", "1", "--seed", "1"];
    const drawn = await newbie("create", "--prompt", "1girl", ...small);
    assert.equal(drawn.code, 0, drawn.err);
    const pictures = filesBelow(join(top, "outputs")).filter((path) => path.endsWith(".png"));
    assert.equal(pictures.length, 1);

    // As people put programs on their path: a link to a link that is relative.
    await Deno.mkdir(join(folder.path, "bin"));
    await Deno.symlink(join("..", name, "newbie"), join(folder.path, "bin/newbie"));
    await Deno.symlink("newbie", join(folder.path, "bin/nb"));
    const linked = await sh("bin/nb", ["parse", "1girl"], folder.path);
    assert.equal(linked.code, 0, linked.err);

    await Deno.writeTextFile(join(top, "src/mod.ts"), "// changed\n", { append: true });
    await Deno.writeTextFile(join(top, "tasks/added.ts"), "");
    await Deno.writeTextFile(join(top, "newbie"), "# changed\n", { append: true });
    const changed = await newbie("verify");
    assert.equal(changed.code, 1);
    assert.match(changed.out, /^✗ src\/mod\.ts: changed$/m);
    assert.match(changed.out, /^✗ tasks\/added\.ts: /m);
    assert.match(changed.out, /^✗ newbie: changed$/m);
  },
});
