import assert from "node:assert/strict";
import { bindingFolder } from "../../src/runtime/binding_folder.ts";
import { compareVersions, requiredVersions } from "../../src/machine/required_versions.ts";

Deno.test("versions are compared by their numbers", () => {
  assert.ok(compareVersions("2.9", "2.28") < 0);
  assert.ok(compareVersions("3.4.22", "3.4") > 0);
  assert.equal(compareVersions("2.28", "2.28.0"), 0);
});

Deno.test("ONNX Runtime's library needs the C and C++ libraries that readelf --version-info lists", async () => {
  const folder = bindingFolder({ os: "linux", arch: "x86_64" });
  const needs = await requiredVersions([`${folder}/libonnxruntime.so.1`, "deno.json"]);
  assert.deepEqual([...needs].sort(), [["GLIBC", "2.28"], ["GLIBCXX", "3.4.22"]]);
});
