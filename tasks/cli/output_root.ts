/** The option that says where pictures go, for every task that makes some. */
import { chooseOutputs } from "../../src/studio/choose_outputs.ts";
import { inLanguage } from "./language.ts";

const text = inLanguage({
  en: {
    help:
      "the folder below which pictures go (default: outputs in the toolkit's folder, or where " +
      "that is read-only, in the folder that you start in)",
  },
  zh: {
    help:
      "图片保存在此文件夹之下（默认：工具箱文件夹中的 outputs；若其只读，则为启动时所在文件夹中的 outputs）",
  },
});

export const { help: outputRootHelp } = text;

/** The folder of outputs; `deno task` says where a person stood when it went to the toolkit. */
export async function outputsOf(
  { outputRoot }: { readonly outputRoot?: string | undefined },
): Promise<string> {
  return await chooseOutputs({ asked: outputRoot, startedIn: Deno.env.get("INIT_CWD") });
}
