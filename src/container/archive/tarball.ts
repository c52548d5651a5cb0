import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createTarDecoder } from "modern-tar";
import { PinError } from "../../integrity/mod.ts";

/** A file of an npm package. */
export interface PackedFile {
  /** Below the package's folder. */
  readonly path: string;
  readonly isExecutable: boolean;
  readonly bytes: Uint8Array;
}

const OWNER_MAY_EXECUTE = 0o100;

/**
 * Unpacks an npm package, once its bytes have proved to be the locked ones.
 *
 * @param isWanted Tells by its path whether a file is kept.
 * @throws {PinError} When the tarball is another.
 */
export async function unpackTarball(
  name: string,
  tarball: Uint8Array,
  integrity: string,
  isWanted: (path: string) => boolean,
): Promise<PackedFile[]> {
  const found = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  if (found !== integrity) {
    throw new PinError(
      "other-bytes",
      name,
      {
        en:
          `The tarball of ${name} is not the locked one: its checksum is ${found}, and should be ` +
          `${integrity}. Delete it, and it is fetched again.`,
        zh:
          `${name} 的压缩包与锁文件不符：校验值为 ${found}，应为 ${integrity}。删除后会重新下载。`,
      },
    );
  }
  const files = new Map<string, PackedFile>();
  const entries = new Blob([tarball as Uint8Array<ArrayBuffer>]).stream().pipeThrough(
    new DecompressionStream("gzip"),
  )
    .pipeThrough(createTarDecoder({ strict: true }));
  for await (const { header, body } of entries) {
    // The first folder is "package" in most packages, and npm drops it whatever its name.
    const path = header.name.slice(header.name.indexOf("/") + 1);
    const isSafe = path !== "" && !path.split("/").includes("..");
    if (header.type !== "file" || !isSafe || !isWanted(path)) {
      await body.pipeTo(new WritableStream());
      continue;
    }
    const isExecutable = ((header.mode ?? 0) & OWNER_MAY_EXECUTE) !== 0;
    files.set(path, { path, isExecutable, bytes: await new Response(body).bytes() });
  }
  return [...files.values()].sort((a, b) =>
    Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))
  );
}
