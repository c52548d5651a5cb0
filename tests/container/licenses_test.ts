/** The licences of what comes along. */
import assert from "node:assert/strict";
import { isLicenseText, licensesText } from "../../src/container/engine/licenses.ts";

Deno.test("licences' texts are known by the names of their files", () => {
  for (
    const name of ["LICENSE", "license.md", "LICENCE-MIT.txt", "NOTICE", "ThirdPartyNotices.txt"]
  ) {
    assert(isLicenseText(name), name);
  }
  for (const name of ["index.js", "lib/LICENSE", "licenses.ts.map.js/x", "README.md"]) {
    assert(!isLicenseText(name), name);
  }
});

Deno.test("each package has its text, and one without a text says what it names", () => {
  const text = licensesText([
    { name: "b", version: "2.0.0", license: "ISC", texts: [["LICENSE", "the text of b\r\n"]] },
    { name: "a", version: "1.0.0", license: "MIT", texts: [] },
    { name: "onnxruntime-node", version: "1.29.0", license: "MIT", texts: [] },
  ], { tini: true });
  assert.match(
    text,
    /a 1\.0\.0: MIT\n\nThe package carries no text.*MIT\.\n.*b 2\.0\.0: ISC\n\nthe text of b\n/s,
  );
  assert.match(text, /onnxruntime-node 1\.29\.0: MIT\n\nCopyright \(c\) Microsoft/);
  assert.match(text, /Thomas Orozco/);
  assert.match(text, /Deno authors/);
  assert.doesNotMatch(licensesText([], { tini: false }), /Orozco/);
});
