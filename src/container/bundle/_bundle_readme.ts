/** What a bundle says of itself, to people. */
import { formatBytes } from "../../format_bytes.ts";

/** What the instructions speak of. */
export interface BundleFacts {
  readonly name: string;
  readonly reference: string;
  readonly digest: string;
  readonly platform: string;
  readonly bytes: number;
  readonly hasWeights: boolean;
}

/** The instructions that come with a bundle, in English and in Chinese. */
export function bundleReadme(facts: BundleFacts): string {
  const { name, reference, digest, platform, bytes, hasWeights } = facts;
  return `NewBie toolkit, offline: ${name}

Image     ${reference} (${platform}), ${digest}
Weights   ${hasWeights ? "the real model's, in models/" : "the demo model's, in the image"}
Size      ${formatBytes(bytes)}

On a machine with docker (or podman) and sh, and no network:

  sh load.sh            verifies every byte, then loads the image and unpacks the rest
  sh load.sh --verify   only verifies

Volumes (${name}.tar.001, .002, ...) may lie in several folders or on several discs: name
them after load.sh. Afterwards:

  sh ${name}-installed/run.sh test
  sh ${name}-installed/run.sh create

With a checkout of the toolkit, \`deno task load FOLDER\` does the same.

By hand: sha256sum -c SHA256SUMS, then
  cat ${name}.tar* | tar -xOf - image.tar | docker load
sbom.spdx.json lists all that is inside (SPDX 2.3), and LICENSES.txt in the archive the licences.


NewBie 工具箱离线版：${name}

镜像      ${reference}（${platform}），${digest}
权重      ${hasWeights ? "真实模型，位于 models/" : "演示模型，位于镜像内"}
大小      ${formatBytes(bytes)}

在装有 docker（或 podman）和 sh、没有网络的机器上：

  sh load.sh            先校验每一个字节，再加载镜像并解开其余文件
  sh load.sh --verify   只校验

分卷（${name}.tar.001、.002……）可以放在多个文件夹或多张光盘上，把它们写在 load.sh 之后即可。然后：

  sh ${name}-installed/run.sh test
  sh ${name}-installed/run.sh create

若有工具箱的代码，deno task load 文件夹 的作用相同。

手动操作：sha256sum -c SHA256SUMS，然后
  cat ${name}.tar* | tar -xOf - image.tar | docker load
sbom.spdx.json 列出其中的全部内容（SPDX 2.3），归档中的 LICENSES.txt 是各项许可证。
`;
}
