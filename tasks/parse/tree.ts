/** A prompt's elements, drawn as a tree. */
import { visible } from "../../src/shown.ts";
import type { PromptNode } from "../../src/prompt/mod.ts";

/** Colours parts of the picture, or leaves them as they are. */
export interface Paint {
  name(text: string): string;
  branch(text: string): string;
}

/** The lines of a tree, an element each. */
export function treeLines(roots: readonly PromptNode[], paint: Paint): string[] {
  return roots.flatMap((root) => [head(root, paint), ...branches(root, paint)]);
}

function branches(node: PromptNode, paint: Paint): string[] {
  const items = node.content.filter((item) => typeof item !== "string" || item.trim() !== "");
  if (node.children.length === 0) return [];
  return items.flatMap((item, index) => {
    const isLast = index === items.length - 1;
    const first = paint.branch(isLast ? "└─ " : "├─ ");
    const others = paint.branch(isLast ? "   " : "│  ");
    if (typeof item === "string") return [first + oneLine(item)];
    return [first + head(item, paint), ...branches(item, paint).map((line) => others + line)];
  });
}

function head({ name, attributes, children, text }: PromptNode, paint: Paint): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${oneLine(value)}"`);
  const own = children.length > 0 || text === "" ? "" : ` ${oneLine(text)}`;
  return paint.name(name) + written.join("") + own;
}

/** Text without what would break lines or steer a terminal. */
function oneLine(text: string): string {
  return visible(text.trim().replace(/\s+/g, " "));
}
