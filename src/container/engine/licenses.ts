/** The licences of everything that comes along and was not written here. */
import { DENO, TINI } from "../../integrity/mod.ts";

/** The file with their texts, at the top of an image, a bundle and a pack. */
export const LICENSES = "LICENSES.txt";

/** A package with what it says of its licence. */
export interface LicensedPackage {
  readonly name: string;
  readonly version: string;
  /** As its package.json names it. */
  readonly license: string | undefined;
  /** Its own texts, by the names of their files. */
  readonly texts: readonly (readonly [file: string, text: string])[];
}

/** Whether a file at the top of a package is a licence's text. */
export function isLicenseText(path: string): boolean {
  return /^(?:licen[cs]e|copying|notice|third-?party-?notices?|authors)(?:[.-][\w.-]+)?$/i.test(
    path,
  );
}

/** What MIT asks to be kept, where a package carries no text: what the project's own licence says. */
const HOLDERS: Readonly<Record<string, string>> = {
  "onnxruntime-common": "Copyright (c) Microsoft Corporation",
  "onnxruntime-node": "Copyright (c) Microsoft Corporation",
  "@xterm/headless": "Copyright (c) 2017-2019, The xterm.js authors\n" +
    "Copyright (c) 2014-2016, SourceLair Private Company\n" +
    "Copyright (c) 2012-2013, Christopher Jeffrey",
  "@lydell/node-pty-linux-x64": "Copyright (c) 2012-2015, Christopher Jeffrey\n" +
    "Copyright (c) 2016, Daniel Imms\nCopyright (c) 2018, Microsoft Corporation",
};

const MIT =
  `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the
following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO
EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR
THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

const RULE = "=".repeat(80);

/**
 * One text with all licences, in the order of the names; equal packages give equal bytes.
 *
 * @param packages npm's. Deno is always among what comes along.
 * @param options `tini`: whether that is, too.
 */
export function licensesText(
  packages: readonly LicensedPackage[],
  { tini }: { readonly tini: boolean },
): string {
  const deno = {
    name: "deno",
    version: DENO.version,
    license: "MIT",
    texts: [["LICENSE", `Copyright 2018-2026 the Deno authors\n\n${MIT}`]] as const,
  };
  const init = {
    name: "tini",
    version: TINI.version,
    license: "MIT",
    texts: [["LICENSE", `Copyright (c) 2015 Thomas Orozco <thomas@orozco.fr>\n\n${MIT}`]] as const,
  };
  const all: LicensedPackage[] = [deno, ...(tini ? [init] : []), ...packages];
  all.sort((a, b) => `${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1);
  const sections = all.map((item) => `${RULE}\n${headOf(item)}\n\n${textOf(item)}`);
  return `${HEAD}\n${sections.join("\n")}`;
}

const HEAD =
  `What comes with this toolkit and was written by others, with the licences that they gave it. The
toolkit's own is in LICENSE. Deno is built of V8 and of many libraries in Rust, whose licences are in
Deno's repository, https://github.com/denoland/deno; ONNX Runtime names what it is built of in
ThirdPartyNotices.txt of https://github.com/microsoft/onnxruntime. Packages of the operating system in an
image have their texts in /usr/share/doc.
`;

function headOf({ name, version, license }: LicensedPackage): string {
  return `${name} ${version}: ${license ?? "see below"}`;
}

function textOf({ name, license, texts }: LicensedPackage): string {
  if (texts.length > 0) {
    return texts.map(([, text]) => `${text.replaceAll("\r\n", "\n").trim()}\n`).join("\n");
  }
  const holder = HOLDERS[name];
  if (license === "MIT" && holder !== undefined) return `${holder}\n\n${MIT}`;
  return `The package carries no text of its licence${
    license === undefined ? "" : `, and names it: ${license}`
  }.\n`;
}
