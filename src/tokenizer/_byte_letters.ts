/** GPT-2's letters for bytes: those that can be seen stand for themselves, others begin at U+0100. */
const LETTERS: readonly string[] = (() => {
  const isSeen = (byte: number) =>
    byte >= 0x21 && byte <= 0x7e || byte >= 0xa1 && byte <= 0xac || byte >= 0xae;
  let next = 0x100;
  return Array.from(
    { length: 256 },
    (_, byte) => String.fromCharCode(isSeen(byte) ? byte : next++),
  );
})();

const utf8 = new TextEncoder();

/** A text as letters for its bytes in UTF-8. */
export const byteLetters = (text: string): string =>
  Array.from(utf8.encode(text), (byte) => LETTERS[byte]!).join("");
