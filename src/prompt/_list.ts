/** Commas, also those that Chinese and Japanese input methods write. */
const SEPARATOR = /[,，、]/;

/**
 * The items of a comma-separated list, white space between words made one space, empty items left
 * out.
 */
export function listItems(text: string): string[] {
  return text.split(SEPARATOR).map((item) => item.trim().replace(/[ \t\r\n]+/g, " "))
    .filter((item) => item !== "");
}
