/** Lists of checksums, and names of files that end up in them. */
import { formatChecksums, parseChecksums } from "../../../src/integrity/mod.ts";
import { mutateText, wildText } from "./mutate.ts";
import type { FuzzCase } from "./types.ts";

const SHA256 = "0123456789abcdef".repeat(4);
const PIECES: readonly string[] = [
  "a",
  "models",
  "\\",
  "\n",
  "\r",
  "\\n",
  " ",
  "*",
  ".",
  "..",
  "/",
  "\u2028",
  "中",
];

/** What is written has to be read again as it was, and what was read may be written again. */
export function checksumLists(): FuzzCase {
  return (dice) => {
    const name = () => Array.from({ length: dice.roll(6) }, () => dice.pick(PIECES)).join("");
    if (dice.roll(2) === 0) {
      const listed = new Map([[name(), SHA256], [name(), SHA256]]);
      const again = parseChecksums(formatChecksums(listed), "checksums.txt");
      const isSame = again.size === listed.size && again.keys().every((path) => listed.has(path));
      return isSame ? undefined : `${JSON.stringify([...listed])} is read as other names`;
    }
    const lines = Array.from(
      { length: dice.roll(8) },
      () => `${dice.pick(["", "", "\\"])}${SHA256}${dice.pick(["  ", " *", " "])}${name()}`,
    );
    let text = lines.join(dice.pick(["\n", "\r\n"])) + "\n";
    if (dice.roll(2) === 0) text = mutateText(text, dice);
    if (dice.roll(50) === 0) text += wildText(dice);
    const read = parseChecksums(text, "checksums.txt");
    const again = parseChecksums(formatChecksums(read), "checksums.txt");
    return again.size === read.size ? undefined : "a list loses lines when it is written again";
  };
}
