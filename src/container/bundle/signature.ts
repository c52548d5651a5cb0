/**
 * Signatures of a bundle's list of checksums, which stands for every byte of it: by OpenSSH
 * (`ssh-keygen -Y`) or by minisign, whichever the key is of.
 *
 * @module
 */
import { readFile, rm } from "node:fs/promises";
import { NewBieError } from "../../errors.ts";
import { isMissing } from "../../files.ts";
import { UnfinishedFile } from "../../unfinished.ts";
import { BundleError } from "./bundle_error.ts";

/** A program that signs, and what it calls its signatures. */
interface Signer {
  readonly program: "ssh-keygen" | "minisign";
  /** What is added to the name of what is signed. */
  readonly ending: string;
}

const SSH: Signer = { program: "ssh-keygen", ending: ".sig" };
const MINISIGN: Signer = { program: "minisign", ending: ".minisig" };
/** What the signature is for, so that one of the same key for something else is none. */
const NAMESPACE = "newbie-bundle";
/** Whoever has the key: OpenSSH asks for a name. */
const IDENTITY = "newbie";

/**
 * Signs a file; the signature lies beside it. A passphrase is asked for in the terminal.
 *
 * @param key The secret key's file.
 * @returns The signature's path.
 * @throws {NewBieError} When the key cannot be used.
 */
export async function signFile(path: string, key: string): Promise<string> {
  const signer = await signerOf(key);
  const signature = `${path}${signer.ending}`;
  await rm(signature, { force: true });
  const args = signer === SSH
    ? ["-Y", "sign", "-f", key, "-n", NAMESPACE, path]
    : ["-S", "-s", key, "-m", path, "-x", signature];
  const { isDone, said } = await execute(signer, args, { isTerminal: true });
  if (isDone) return signature;
  throw new NewBieError({
    en: `${signer.program} does not sign with ${key}: ${said}`,
    zh: `${signer.program} 无法用 ${key} 签名：${said}`,
  });
}

/**
 * Checks that a file was signed with the secret key that belongs to a public one.
 *
 * @param key The public key's file.
 * @throws {BundleError} When there is no such signature, or it is another's.
 */
export async function checkSignature(path: string, key: string): Promise<void> {
  const signer = await signerOf(key);
  const signature = `${path}${signer.ending}`;
  const bytes = await readFile(path);
  if (await readFile(signature).then(() => false, () => true)) {
    throw new BundleError("not-signed", {
      en:
        `${signature} is not there: the bundle is not signed with a key of this kind. Nothing was ` +
        "installed.",
      zh: `${signature} 不存在：离线包没有用这种密钥签名。未安装任何内容。`,
    });
  }
  const { isDone, said } = signer === SSH
    ? await verifyBySsh(bytes, signature, key)
    : await execute(MINISIGN, ["-V", "-q", "-p", key, "-m", path, "-x", signature]);
  if (isDone) return;
  throw new BundleError("not-signed", {
    en: `${path} was not signed with the key of ${key}: ${said}. Nothing was installed.`,
    zh: `${path} 不是用 ${key} 对应的密钥签名的：${said}。未安装任何内容。`,
  });
}

async function verifyBySsh(bytes: Uint8Array, signature: string, key: string) {
  const text = await readFile(key, "utf8");
  await using signers = await UnfinishedFile.create("signers", { scratchIn: "." });
  const line = `${IDENTITY} namespaces="${NAMESPACE}" ${text.trim().split("\n")[0]}\n`;
  await signers.write(new TextEncoder().encode(line));
  const args = ["-Y", "verify", "-f", signers.path, "-I", IDENTITY, "-n", NAMESPACE];
  return await execute(SSH, [...args, "-s", signature], { input: bytes });
}

async function signerOf(key: string): Promise<Signer> {
  let text: string;
  try {
    text = await readFile(key, "utf8");
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new NewBieError({ en: `There is no key ${key}.`, zh: `密钥 ${key} 不存在。` }, { cause });
  }
  if (text.startsWith("untrusted comment:")) return MINISIGN;
  if (/^(?:-----BEGIN OPENSSH PRIVATE KEY-----|(?:ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/])/.test(text)) {
    return SSH;
  }
  throw new NewBieError({
    en: `${key} is no key of OpenSSH or minisign.`,
    zh: `${key} 不是 OpenSSH 或 minisign 的密钥。`,
  });
}

async function execute(
  { program }: Signer,
  args: readonly string[],
  { input, isTerminal = false }: { input?: Uint8Array; isTerminal?: boolean } = {},
): Promise<{ isDone: boolean; said: string }> {
  try {
    const child = new Deno.Command(program, {
      args: [...args],
      stdin: input !== undefined ? "piped" : isTerminal ? "inherit" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (input !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(input).catch(() => {});
      await writer.close().catch(() => {});
    }
    const { success, stdout, stderr } = await child.output();
    const said = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes).trim());
    return { isDone: success, said: said.find((text) => text !== "")?.split("\n").at(-1) ?? "" };
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new NewBieError({
      en: `${program} is not installed. It comes with the package ` +
        `${program === "minisign" ? "minisign" : "openssh-client"}.`,
      zh: `未安装 ${program}，它属于软件包 ${
        program === "minisign" ? "minisign" : "openssh-client"
      }。`,
    }, { cause });
  }
}
