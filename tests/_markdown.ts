/** Reading the project's documents: blocks, links, pictures, headings, figures. */
import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";

/** A document of the repository. */
export interface Document {
  /** From the repository's root: `docs/create.md`. */
  readonly path: string;
  readonly text: string;
}

/** The fenced blocks of a language, as they are written. */
export function blocks({ text }: Document, language: string): string[] {
  const fences = text.matchAll(/^```(\w*)\n([^]*?)^```$/gm);
  return [...fences].filter((match) => match[1] === language).map((match) => match[2]!);
}

/** What is outside of fenced blocks and of code in a line. */
function prose({ text }: Document): string {
  return text.replace(/^```\w*\n[^]*?^```$/gm, "").replace(/`[^`\n]*`/g, "code");
}

/** A link within the repository. */
export interface Link {
  /** From the repository's root; the document itself for a bare `#anchor`. */
  readonly path: string;
  readonly anchor: string | undefined;
}

/** Links to the repository's own files. Pictures are not among them. */
export function links(document: Document): Link[] {
  const found = prose(document).matchAll(/(?<!!)\[(?:[^\][]|\[[^\]]*\])*\]\((?!\w+:)([^)]+)\)/g);
  return [...found].map(([, target]) => {
    const [path, anchor] = target!.split("#");
    return {
      path: path === "" ? document.path : join(dirname(document.path), path!),
      anchor,
    };
  });
}

/** Pictures, from the repository's root. */
export function pictures(document: Document): string[] {
  const found = document.text.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g);
  return [...found].map(([, target]) => join(dirname(document.path), target!));
}

/** The levels of the headings, in order. */
function headingLevels({ text }: Document): number[] {
  return headings(text).map(([marks]) => marks.length);
}

/** What links may name after `#`: GitHub's names of the headings. */
function anchors({ text }: Document): Set<string> {
  return new Set(
    headings(text).map(([, title]) => {
      const plain = title.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
      return plain.replace(/[^\p{L}\p{N}\p{M}\p{Pc}\- ]/gu, "").replaceAll(" ", "-");
    }),
  );
}

function headings(text: string): [marks: string, title: string][] {
  const outside = text.replace(/^```\w*\n[^]*?^```$/gm, "");
  return [...outside.matchAll(/^(#+) (.+)$/gm)].map(([, marks, title]) => [marks!, title!]);
}

/** Numbers with their units, sorted. */
function figures({ text }: Document): string[] {
  return [...text.matchAll(/\d[\d.,]*(?: ?%| (?:ms|s|GiB|MiB|GB|MB|dB))(?![\w])/g)]
    .map(([figure]) => figure.replace(" ", "")).sort();
}

/** The name of a document in the other language. */
export function inOtherLanguage(path: string): string {
  return path.endsWith(".zh-CN.md")
    ? path.replace(/\.zh-CN\.md$/, ".md")
    : path.replace(/\.md$/, ".zh-CN.md");
}

/** Blocks of these languages are the same in both languages of a document. */
const SHARED_LANGUAGES = ["sh", "bash", "yaml", "json", "xml", "ts"];

/** Asserts that two documents differ in their language alone. */
export function assertSameInBoth(english: Document, chinese: Document): void {
  const name = basename(english.path);
  for (const language of SHARED_LANGUAGES) {
    const what = `${name}: ${language} blocks`;
    assert.deepEqual(blocks(chinese, language), blocks(english, language), what);
  }
  assert.deepEqual(pictures(chinese), pictures(english), `${name}: pictures`);
  assert.deepEqual(headingLevels(chinese), headingLevels(english), `${name}: headings`);
  assert.deepEqual(figures(chinese), figures(english), `${name}: figures`);
  const targets = (document: Document) =>
    links(document).map(({ path }) => path.replace(/\.zh-CN\.md$/, ".md"))
      .filter((path) => path !== english.path).sort();
  assert.deepEqual(targets(chinese), targets(english), `${name}: links`);
}

/**
 * Asserts that all that a document links to is there, headings too, and that a document has what a
 * reader cannot do without: headings, a link, and a link to its other language.
 */
export async function assertWhole(
  document: Document,
  open: (path: string) => Promise<Document | undefined>,
): Promise<void> {
  const { path } = document;
  assert(headingLevels(document).length > 1, `${path} has no headings`);
  const found = links(document);
  assert(found.length > 1, `${path} has no links`);
  for (const { path: target, anchor } of found) {
    const linked = await open(target);
    assert(linked !== undefined, `${path} links to ${target}, which is not there`);
    if (anchor === undefined) continue;
    assert(anchors(linked).has(anchor), `${path} links to ${target}#${anchor}: no such heading`);
  }
  for (const picture of pictures(document)) {
    assert(await open(picture) !== undefined, `${path} shows ${picture}, which is not there`);
  }
}
