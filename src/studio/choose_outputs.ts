import { isAbsolute, join, relative, resolve } from "node:path";
import { NewBieError, RequestError } from "../errors.ts";
import { DiskError, OUTPUTS, prepareFolder } from "./outputs.ts";

/** Where a person wants pictures to go. */
export interface OutputsWish {
  /** The folder that was asked for; from {@linkcode OutputsWish.startedIn} where it is relative. */
  readonly asked?: string | undefined;
  /** The folder in which the person stood; absent where it is the toolkit's own. */
  readonly startedIn?: string | undefined;
}

/**
 * The folder below which all pictures of this run go: the one that is asked for, or `outputs/` in
 * the toolkit's own folder. Where that cannot be written, as in an installation that many share, it
 * is `outputs/` in the folder in which the person started. It is made where it is missing.
 *
 * @returns A path from the toolkit's folder where it lies in there, else an absolute one.
 * @throws {RequestError} When Deno was not given leave to write there.
 * @throws {NewBieError} When nothing can be written there, with what to do.
 */
export async function chooseOutputs({ asked, startedIn }: OutputsWish = {}): Promise<string> {
  const here = startedIn ?? Deno.cwd();
  if (asked !== undefined) {
    const root = shortest(resolve(here, asked));
    try {
      await prepareFolder(root, root);
      return root;
    } catch (error) {
      throw error instanceof Deno.errors.NotCapable ? noLeave(resolve(here, asked)) : error;
    }
  }
  try {
    await prepareFolder(OUTPUTS);
    return OUTPUTS;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const own = shortest(join(here, OUTPUTS));
    if (own === OUTPUTS) throw nowhere(error, here);
    await prepareFolder(own, own).catch(() => {
      throw nowhere(error, here);
    });
    return own;
  }
}

function shortest(path: string): string {
  const way = relative(Deno.cwd(), path);
  return way === "" || way.startsWith("..") || isAbsolute(way) ? path : way;
}

function noLeave(folder: string): RequestError {
  return new RequestError({
    en: [
      `${folder}: Deno lets this task write below ${OUTPUTS}/ of the toolkit, and below ${OUTPUTS}/ ` +
      "of the folder in which it is started; nowhere else. Start it where the pictures are to be:",
      `  cd ${folder} && deno task --config ${Deno.cwd()}/deno.json create …`,
      `or make a link there: ln -s ${folder} ${OUTPUTS}`,
    ],
    zh: [
      `${folder}：Deno 只允许本任务写入工具箱的 ${OUTPUTS}/ 和启动时所在文件夹的 ${OUTPUTS}/。` +
      "请在要存放图片的地方启动：",
      `  cd ${folder} && deno task --config ${Deno.cwd()}/deno.json create …`,
      `或在那里建立链接：ln -s ${folder} ${OUTPUTS}`,
    ],
  });
}

function nowhere(error: DiskError, here: string): NewBieError {
  // Deno's lists of folders are divided by commas.
  if (here.includes(",")) {
    return new NewBieError({
      en: [
        error.message,
        `${here} cannot be used instead: Deno gives no leave for a folder with a comma in its name. ` +
        "Start in another one.",
      ],
      zh: [
        error.explain("zh"),
        `也不能改用 ${here}：Deno 无法授权名称中带逗号的文件夹。请在其他文件夹中启动。`,
      ],
    }, { cause: error });
  }
  return new NewBieError({
    en: [
      error.message,
      "An installation that others look after is used from a folder of one's own; pictures go to " +
      `${OUTPUTS}/ there:`,
      `  cd ~ && deno task --config ${Deno.cwd()}/deno.json create …`,
    ],
    zh: [
      error.explain("zh"),
      `由他人维护的安装，请在自己的文件夹中使用，图片保存在那里的 ${OUTPUTS}/：`,
      `  cd ~ && deno task --config ${Deno.cwd()}/deno.json create …`,
    ],
  }, { cause: error });
}
