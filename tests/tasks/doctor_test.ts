/** Runs `deno task doctor` as a user does, with the permissions that deno.json gives it. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { columnsOf } from "../../tasks/cli/columns.ts";
import { ROOT, runTask } from "./_task_command.ts";

const root = ROOT.pathname;

const doctor = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runTask("doctor", args, { env: { NO_COLOR: "", LD_LIBRARY_PATH: "", ...env } });

Deno.test("this machine can make pictures, and doctor says with what", async () => {
  const { code, out, err } = await doctor([]);
  assert.equal(code, 0, err);
  for (const section of ["System", "GPU", "CUDA libraries", "Execution provider", "Models"]) {
    assert(out.includes(`\n${section}\n`) || out.startsWith(`${section}\n`), section);
  }
  assert.match(out, /✓ ONNX Runtime loads and computes on the CPU\./);
  assert.match(out, /✓ device "auto" uses the CPU\./);
  assert(!out.includes("\x1b"), "colours are for terminals");
  assert.match(err, /^(?!.*Error)/s);
});

Deno.test("the report fits 80 columns in both languages, but for commands", async () => {
  for (const language of ["en", "zh"]) {
    const { code, out } = await doctor(["--lang", language]);
    assert.equal(code, 0);
    assert.equal(/[\u4e00-\u9fff]/.test(out), language === "zh");
    let inCommand = false;
    for (const line of out.split("\n")) {
      inCommand = line.startsWith("  $ ") || inCommand && line.startsWith("    ");
      if (!inCommand) assert(columnsOf(line) <= 80, line);
    }
  }
});

Deno.test("--json prints one object with facts and findings, and nothing else", async () => {
  const { code, out } = await doctor(["--json"]);
  assert.equal(code, 0);
  assert.equal(out.trim().split("\n").length, 1);
  const { canMakePictures, provider, findings, fits, facts } = JSON.parse(out);
  assert.equal(canMakePictures, true);
  assert(["cpu", "cuda"].includes(provider));
  for (const { code, severity, message } of findings) {
    assert.match(code, /^[a-z-]+$/);
    assert(["ok", "note", "warning", "error"].includes(severity));
    assert(message.length > 0);
  }
  assert(fits.length > 0);
  // The same machine in other words.
  const { stdout } = await new Deno.Command("cat", { args: ["/proc/meminfo"] }).output();
  const [total] = /\d+/.exec(new TextDecoder().decode(stdout))!;
  assert.equal(facts.machine.memoryTotal, Number(total) * 1024);
  assert(facts.machine.usableCores >= 1 && facts.machine.usableCores <= facts.machine.cores);
  assert.equal(facts.machine.deno, Deno.version.deno);
  const { imports } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  assert.equal(imports["onnxruntime-node"], `npm:onnxruntime-node@${facts.binding.version}`);
  assert(facts.disks.every(({ free }: { free: number }) => free > 0));
});

Deno.test("a folder without a model is an answer: exit 0, since the demo model is left", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, out } = await doctor(["--model", folder]);
    assert.equal(code, 0);
    assert.match(out, /✗ No model was found/);
    assert.match(out, /deno task create --model models\/demo/);
    const chinese = await doctor(["--model", folder, "--lang", "zh"]);
    assert.match(chinese.out, /✗ .*没有找到模型/);
  } finally {
    await Deno.remove(folder);
  }
});

Deno.test("where there is no model at all the exit code is 1, and --json says why", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        "--allow-read",
        "--allow-sys",
        `--allow-ffi=${join(root, "node_modules")}`,
        "--allow-env",
        `--config=${join(root, "deno.json")}`,
        join(root, "tasks/doctor.ts"),
        "--json",
        "--lang=en",
      ],
      cwd: folder,
    }).output();
    assert.equal(code, 1);
    const { error, canMakePictures, findings } = JSON.parse(new TextDecoder().decode(stdout));
    assert.match(error.message, /cannot be made/);
    assert.equal(canMakePictures, false);
    const found = findings.map(({ code }: { code: string }) => code);
    assert(found.includes("model-absent"));
    assert(found.includes("binding-works"), "what is well is said too");
  } finally {
    await Deno.remove(folder);
  }
});

Deno.test("a model elsewhere is looked at where it is", async () => {
  const { code, out } = await doctor(["--json", "--model", "models/demo"]);
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).facts.model.folder, "models/demo");
});

Deno.test("an nvidia-smi on the PATH is asked, also where LD_LIBRARY_PATH is set", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const script = join(folder, "nvidia-smi");
    const row = "0, NVIDIA GeForce RTX 4090, 24564, 24000, 570.86.15, 8.9";
    await Deno.writeTextFile(
      script,
      `#!/bin/sh\ncase "$1" in\n--query*) echo "${row}" ;;\n*) echo "CUDA Version: 12.8" ;;\nesac\n`,
    );
    await Deno.chmod(script, 0o755);
    const { code, out, err } = await doctor([], {
      PATH: `${folder}:${dirname(Deno.execPath())}:/usr/bin:/bin`,
      LD_LIBRARY_PATH: folder,
    });
    assert.equal(code, 0, err);
    assert.match(out, /GPU 0 +NVIDIA GeForce RTX 4090, 24\.0 GiB/);
    assert.match(out, /570\.86\.15, CUDA up to 12\.8/);
    assert(out.replace(/\s+/g, " ").includes("CUDA 13 needs 580 or newer"));
    assert(out.includes(folder), "LD_LIBRARY_PATH is among the places looked at");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("--help exits with 0 and shows examples; wrong requests exit with 2", async () => {
  const help = await doctor(["--help"]);
  assert.equal(help.code, 0);
  assert.match(help.out, /Usage: deno task doctor/);
  assert.match(help.out, /deno task doctor --json/);
  const chinese = await doctor(["--help"], { LC_ALL: "zh_CN.UTF-8" });
  assert.match(chinese.out, /示例：/);
  const wrong = await doctor(["--no-such-option"]);
  assert.equal(wrong.code, 2);
  const folder = await doctor(["--json", "--model", "no/such/folder"]);
  assert.equal(folder.code, 2);
  assert.match(JSON.parse(folder.out).error.message, /no\/such\/folder/);
});
