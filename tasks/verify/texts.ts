/** What `deno task verify` and `deno task checksums` say. */
import type {
  DockerfileProblem,
  PackageProblem,
  PatchState,
  PinProblem,
} from "../../src/integrity/mod.ts";
import { formatBytes } from "../../src/format_bytes.ts";
import { inLanguage } from "../cli/language.ts";
import type { Progress } from "../cli/progress.ts";

const ANEW = "deno task checksums --write";

export const text = inLanguage({
  en: {
    description:
      "Compares everything with what is pinned: files with checksums.txt, the packages' code with " +
      "packages.txt, the toolkit's own code with git (in a container with the list that it was built " +
      "with), patches with the packages, deno.lock and the packages with deno.json, Deno and the " +
      "Dockerfile's images with the pins, weights with their config.json. Reads every byte, and " +
      "changes nothing.",
    sha256: "what checksums.txt itself must be, as you keep it elsewhere: sha256sum checksums.txt",
    noDigest: "It must be 64 hexadecimal digits.",
    commit:
      "the commit that must be checked out, as you keep its name elsewhere: git rev-parse HEAD",
    noCommit: "It must be a commit's whole name, 40 or 64 hexadecimal digits.",
    otherCommit: (found: string | undefined, expected: string) =>
      `the toolkit's code: ${
        found === undefined ? "there is no commit here" : `the commit is ${found}`
      }, and should be ${expected}`,
    commitAsKept: "the toolkit's code: the commit is the one that you keep",
    otherList: (found: string, expected: string) =>
      `checksums.txt: its own SHA-256 is ${found}, and should be ${expected}`,
    listAsKept: "checksums.txt: its own SHA-256 is the one that you keep",
    examples: "Examples:\n" +
      "  deno task verify\n" +
      "  deno task verify --json\n" +
      `  ${ANEW}       list weights that you put in place\n\n` +
      "Exit code: 0 when all is as pinned, 1 when not, 2 for a wrong option.",
    progress: (bar: string, done: string, total: string, rest: string) =>
      `${bar} ${done} / ${total}, ${rest} left`,
    asListed: (files: number, amount: string) => `${files} files as listed, ${amount}`,
    checked: (files: number, amount: string) => `${files} files read, ${amount}`,
    amount: (mebibytes: number, rate: number) => `${mebibytes} MiB, ${rate} MB/s`,
    missing: "missing",
    unlisted: "not listed",
    changed: (expected: string, found: string) =>
      `changed: SHA-256 is ${found}, listed is ${expected}`,
    listHint:
      `Files that you changed or added yourself: ${ANEW}. Any other: put the right one back.`,
    cudaAbsent: "not installed (deno task install:cuda; needed with an NVIDIA GPU only)",
    cuda: "CUDA provider",
    patchStates: {
      applied: "applied",
      "not-applied": "not applied: deno task install",
      "does-not-fit": "does not fit",
    } satisfies Record<PatchState, string>,
    packages: (count: number) => `the code of ${count} packages is as listed`,
    packagesHint: "To lay the packages anew: delete node_modules and run deno install --frozen, " +
      "then deno task install. After a change of deno.lock: deno task checksums --packages.",
    packageProblem: (problem: PackageProblem) => {
      const { subject } = problem;
      switch (problem.code) {
        case "unreadable":
          return `${subject}: ${problem.reason.en}`;
        case "other-files":
          return `${subject}: its files are not those of the package that was published and patched`;
        case "not-listed":
          return `${subject}: packages.txt does not list it`;
        case "other-link":
          return `${subject} does not lead to the package of that name`;
        case "other-entry":
          return `${subject} lies where packages are looked up, and is none of them`;
        case "other-program":
          return `${subject} lies where tasks look for programs first, and is none of a package`;
      }
    },
    sources: "the toolkit's code",
    noSources: "cannot be compared, as there is neither git's commit nor a list of sources here",
    noSourcesHint:
      "Take a clone, what deno task pack made, or the image: they say what the code has to be.",
    open: (count: number, first: string) =>
      count === 1
        ? `every user of this machine may change ${first}`
        : `every user of this machine may change ${count} files of the code, such as ${first}`,
    close: (places: readonly string[]) =>
      `Where others work, too: chmod -R o-w ${places.join(" ")}`,
    comparedWith: {
      git: (count: number, commit: string) => `${count} files as git has them in ${commit}`,
      list: (count: number) => `${count} files as in the list of sources.txt`,
    },
    sourceProblems: {
      changed: "changed",
      missing: "missing",
      unlisted: "steers or extends the toolkit, and is not part of it",
    },
    sourcesHints: {
      git:
        "What you did not change yourself: git checkout HEAD puts it back. git status shows all changes.",
      list: "Take the image that was built, not a changed one.",
    },
    pins: "deno.json, deno.lock, packages and Deno are as pinned",
    dockerfile: "builds on the pinned images",
    fits: "weights fit their config.json",
    demo: "demo model",
    about: (subject: string, what: string) => `${subject}: ${what}`,
    pinProblem: (problem: PinProblem) => {
      const { subject } = problem;
      switch (problem.code) {
        case "unreadable":
          return `${subject}: ${problem.reason.en}`;
        case "not-exact":
          return `deno.json asks for ${subject}, which is no exact version of an npm package`;
        case "not-frozen":
          return `${subject} does not freeze the lock`;
        case "not-locked":
          return `deno.lock does not lock ${subject}, which deno.json asks for`;
        case "not-asked":
          return `deno.lock has ${subject}, which deno.json does not ask for`;
        case "no-integrity":
          return `deno.lock has no checksum of ${subject}`;
        case "not-resolved":
          return `deno.lock lacks ${subject}, which another package needs`;
        case "other-version":
          return `${subject} is ${problem.found}, and should be ${problem.expected}`;
        case "other-binary":
          return `${subject}: the Deno that runs has SHA-256 ${problem.found}, and the pinned one ` +
            problem.expected;
      }
    },
    dockerfileProblem: (problem: DockerfileProblem) => {
      switch (problem.code) {
        case "unreadable":
          return `cannot be read: ${problem.reason.en}`;
        case "other-image":
          return `line ${problem.line}: ${problem.found} is not a pinned image (src/integrity/pins.ts)`;
        case "no-digest":
          return `line ${problem.line}: ${problem.found} is named without a digest`;
        case "no-image":
          return `does not build on the pinned ${problem.expected}`;
      }
    },
    sound: "All is as pinned.",
    unsound: (count: number) =>
      `${count} ${count === 1 ? "thing is" : "things are"} not as pinned.`,
    checksums: {
      description:
        "Compares checksums.txt with the files that it must list: models/, patches/, deno.lock, " +
        "packages.txt and ONNX Runtime's libraries. With --write it is made again, for weights that you put in place.",
      write: "write checksums.txt",
      packages: "write packages.txt for the packages that are installed, after a change of " +
        "deno.lock, and checksums.txt",
      packagesWritten: (count: number) => `packages.txt lists ${count} packages now.`,
      examples: "Examples:\n" +
        "  deno task checksums           what would change\n" +
        "  deno task checksums --write\n" +
        "  sha256sum -c --ignore-missing checksums.txt\n\n" +
        "Exit code: 0 when the list is right, or was written, 1 when it is not, 2 for a wrong option.",
      added: "new",
      changed: "changed",
      removed: "no longer there",
      right: "checksums.txt is right.",
      written: (files: number) => `checksums.txt lists ${files} files now.`,
      stale: `checksums.txt is not right. If all that is named is meant: ${ANEW}`,
      notWritable: (name: string, code: string) => `${name} cannot be written (${code}).`,
    },
  },
  zh: {
    description:
      "将一切与固定的版本比较：文件与 checksums.txt，软件包的代码与 packages.txt，工具自身的代码与 git" +
      "（在容器中则与构建时的列表），补丁与软件包，deno.lock 和软件包与 deno.json，Deno 和 Dockerfile " +
      "的镜像与固定的摘要，权重与各自的 config.json。读取每个字节，不做任何改动。",
    sha256: "checksums.txt 自身应有的校验值，由你另行保存：sha256sum checksums.txt",
    noDigest: "应为 64 位十六进制数字。",
    commit: "应检出的提交，由你另行保存其名称：git rev-parse HEAD",
    noCommit: "应为提交的完整名称，40 或 64 位十六进制数字。",
    otherCommit: (found: string | undefined, expected: string) =>
      `工具自身的代码：${
        found === undefined ? "这里没有提交" : `提交为 ${found}`
      }，应为 ${expected}`,
    commitAsKept: "工具自身的代码：提交与你保存的一致",
    otherList: (found: string, expected: string) =>
      `checksums.txt：自身的 SHA-256 为 ${found}，应为 ${expected}`,
    listAsKept: "checksums.txt：自身的 SHA-256 与你保存的一致",
    examples: "示例：\n" +
      "  deno task verify\n" +
      "  deno task verify --json\n" +
      `  ${ANEW}       登记自己放入的权重\n\n` +
      "退出码：0 表示全部一致，1 表示有出入，2 表示选项有误。",
    progress: (bar: string, done: string, total: string, rest: string) =>
      `${bar} ${done} / ${total}，还需 ${rest}`,
    asListed: (files: number, amount: string) => `${files} 个文件与记录一致，${amount}`,
    checked: (files: number, amount: string) => `已读取 ${files} 个文件，${amount}`,
    amount: (mebibytes: number, rate: number) => `${mebibytes} MiB，${rate} MB/s`,
    missing: "缺失",
    unlisted: "没有记录",
    changed: (expected: string, found: string) => `已改变：SHA-256 为 ${found}，记录为 ${expected}`,
    listHint: `如果是自己修改或添加的文件：${ANEW}。否则请放回正确的文件。`,
    cudaAbsent: "未安装（deno task install:cuda；仅在有 NVIDIA 显卡时需要）",
    cuda: "CUDA 执行提供程序",
    patchStates: {
      applied: "已应用",
      "not-applied": "未应用：deno task install",
      "does-not-fit": "不适用",
    } satisfies Record<PatchState, string>,
    packages: (count: number) => `${count} 个软件包的代码与记录一致`,
    packagesHint:
      "重新安装软件包：删除 node_modules，运行 deno install --frozen，再运行 deno task " +
      "install。deno.lock 有改动之后：deno task checksums --packages。",
    packageProblem: (problem: PackageProblem) => {
      const { subject } = problem;
      switch (problem.code) {
        case "unreadable":
          return `${subject}：${problem.reason.zh}`;
        case "other-files":
          return `${subject}：其文件与发布并打过补丁的软件包不同`;
        case "not-listed":
          return `${subject}：packages.txt 没有记录它`;
        case "other-link":
          return `${subject} 指向的不是同名的软件包`;
        case "other-entry":
          return `${subject} 位于查找软件包的位置，却不属于任何软件包`;
        case "other-program":
          return `${subject} 位于任务最先查找程序的位置，却不是任何软件包的程序`;
      }
    },
    sources: "工具自身的代码",
    noSources: "无法比较，因为这里既没有 git 提交，也没有源代码列表",
    noSourcesHint: "请使用 git 克隆、deno task pack 打包的工具或镜像：它们记录了代码应有的内容。",
    open: (count: number, first: string) =>
      count === 1
        ? `本机所有用户都可以改动 ${first}`
        : `本机所有用户都可以改动 ${count} 个代码文件，例如 ${first}`,
    close: (places: readonly string[]) =>
      `如果还有其他人使用本机：chmod -R o-w ${places.join(" ")}`,
    comparedWith: {
      git: (count: number, commit: string) => `${count} 个文件与 git 提交 ${commit} 中的一致`,
      list: (count: number) => `${count} 个文件与镜像构建时一致`,
    },
    sourceProblems: {
      changed: "已改变",
      missing: "缺失",
      unlisted: "会影响或扩展工具，但不属于它",
    },
    sourcesHints: {
      git: "如果不是自己改的：用 git checkout HEAD 恢复。git status 会列出所有改动。",
      list: "请使用构建出来的镜像，而不是改动过的。",
    },
    pins: "deno.json、deno.lock、软件包和 Deno 与固定的版本一致",
    dockerfile: "基于固定的镜像",
    fits: "权重与 config.json 相符",
    demo: "演示模型",
    about: (subject: string, what: string) => `${subject}：${what}`,
    pinProblem: (problem: PinProblem) => {
      const { subject } = problem;
      switch (problem.code) {
        case "unreadable":
          return `${subject}：${problem.reason.zh}`;
        case "not-exact":
          return `deno.json 中的 ${subject} 不是 npm 软件包的精确版本`;
        case "not-frozen":
          return `${subject} 没有冻结锁文件`;
        case "not-locked":
          return `deno.json 需要 ${subject}，但 deno.lock 没有锁定它`;
        case "not-asked":
          return `deno.lock 中有 ${subject}，但 deno.json 不需要它`;
        case "no-integrity":
          return `deno.lock 中没有 ${subject} 的校验值`;
        case "not-resolved":
          return `deno.lock 中缺少另一个软件包所需的 ${subject}`;
        case "other-version":
          return `${subject} 是 ${problem.found}，应为 ${problem.expected}`;
        case "other-binary":
          return `${subject}：正在运行的 Deno 的 SHA-256 为 ${problem.found}，固定的是 ` +
            problem.expected;
      }
    },
    dockerfileProblem: (problem: DockerfileProblem) => {
      switch (problem.code) {
        case "unreadable":
          return `无法读取：${problem.reason.zh}`;
        case "other-image":
          return `第 ${problem.line} 行：${problem.found} 不是固定的镜像（src/integrity/pins.ts）`;
        case "no-digest":
          return `第 ${problem.line} 行：${problem.found} 没有注明摘要`;
        case "no-image":
          return `没有使用固定的镜像 ${problem.expected}`;
      }
    },
    sound: "一切与固定的版本一致。",
    unsound: (count: number) => `有 ${count} 处与固定的版本不一致。`,
    checksums: {
      description:
        "将 checksums.txt 与它应列出的文件比较：models/、patches/、deno.lock 以及 ONNX Runtime 的库。" +
        "加上 --write 会重新生成，用于登记自己放入的权重。",
      write: "写入 checksums.txt",
      packages: "deno.lock 改动之后，按已安装的软件包写入 packages.txt 和 checksums.txt",
      packagesWritten: (count: number) => `packages.txt 现在列出 ${count} 个软件包。`,
      examples: "示例：\n" +
        "  deno task checksums           查看会有哪些变化\n" +
        "  deno task checksums --write\n" +
        "  sha256sum -c --ignore-missing checksums.txt\n\n" +
        "退出码：0 表示记录正确或已写入，1 表示不正确，2 表示选项有误。",
      added: "新增",
      changed: "已改变",
      removed: "已不存在",
      right: "checksums.txt 正确。",
      written: (files: number) => `checksums.txt 现在列出 ${files} 个文件。`,
      stale: `checksums.txt 不正确。如果以上变化都是有意的：${ANEW}`,
      notWritable: (name: string, code: string) => `无法写入 ${name}（${code}）。`,
    },
  },
});

/** How much has been read of all files. */
export function reading({ bar, done, total, left }: Progress): string {
  return text.progress(bar, formatBytes(done), formatBytes(total), left);
}
