/** What a server on a network says of itself. */
import { renderUnicodeCompact } from "uqr";

const TOKEN_BYTES = 24;

/** A token that nobody can guess. */
export function newToken(): string {
  return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

/** The addresses of this machine in its networks. */
export function lanAddresses(): readonly string[] {
  const own = Deno.networkInterfaces()
    .filter(({ family, address }) => family === "IPv4" && !address.startsWith("127."))
    .map(({ address }) => address);
  return own.length === 0 ? ["127.0.0.1"] : own;
}

/** The link to the page, with the token in it. */
export function linkWithToken(link: string, token: string | undefined): string {
  return token === undefined ? link : `${link}?token=${encodeURIComponent(token)}`;
}

/** A link as a QR code, line by line. */
export function qrCode(link: string): readonly string[] {
  return renderUnicodeCompact(link, { border: 2 }).split("\n");
}
