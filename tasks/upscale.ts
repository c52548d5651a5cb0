/** `deno task upscale`: a larger picture, by a network or by a filter. */
import { createHash } from "node:crypto";
import { basename, extname } from "node:path";
import { InvalidArgumentError } from "commander";
import { wayFromHere } from "../src/files.ts";
import {
  encodePictureAs,
  flattened,
  formatOfName,
  readPictureText,
  WHITE,
} from "../src/image/mod.ts";
import { chooseDevice, type DeviceName } from "../src/machine/mod.ts";
import { dtypePolicy } from "../src/onnx/mod.ts";
import { upscalerNames } from "../src/pipeline/find_upscaler.ts";
import { upscalePicture } from "../src/pipeline/upscale_picture.ts";
import { currentVersions, upscaledTexts, type UpscaleRecord } from "../src/recipe/mod.ts";
import { BATCH_KEYWORD } from "../src/studio/batch.ts";
import { LAST, latestPicture } from "../src/studio/latest_picture.ts";
import { openFolderOfDay, pictureName, savePicture } from "../src/studio/outputs.ts";
import { readPicture } from "../src/studio/read_picture.ts";
import { addDeviceOption } from "./cli/model_options.ts";
import { outputRootHelp, outputsOf } from "./cli/output_root.ts";
import { tell } from "./cli/print.ts";
import { inLanguage, run, task, wholeNumber } from "./cli/task.ts";

const text = inLanguage({
  en: {
    description: "Enlarges a picture: by a network in models/upscaler/ (Real-ESRGAN's RRDBNet or " +
      "SRVGGNetCompact, as safetensors), or by Lanczos' filter where there is none. The new picture " +
      "goes to outputs/YYYYMMDD/ and keeps the recipe of the other.",
    picture: "a PNG, JPEG, WebP or AVIF, or last for the picture that was saved last",
    scale: "how many times as wide and high (default: as the network does, or 2)",
    upscaler:
      "lanczos, or a network's file or its name in models/upscaler (default: the first there)",
    tile: "the side of a network's tiles in pixels of what it makes; smaller ones take less memory",
    output: "its file name (default: the picture's, with -upscaled)",
    device:
      "where a network runs: auto, cpu, cuda, webgpu, or cuda:1 for the second GPU that CUDA shows",
    filter: "There is no network in models/upscaler/: Lanczos' filter enlarges.",
    done: (path: string, from: string, to: string, by: string) =>
      `Done! Saved to ${path} (${from} → ${to}, ${by})`,
    scaleExpected: "Expected a number above 0.",
    transparent:
      "What is transparent in the picture becomes white: enlarged, it has no transparency.",
  },
  zh: {
    description:
      "放大图片：用 models/upscaler/ 中的网络（Real-ESRGAN 的 RRDBNet 或 SRVGGNetCompact，" +
      "safetensors 格式），没有时用 Lanczos 滤波。新图片保存在 outputs/YYYYMMDD/，并保留原图的配方。",
    picture: "PNG、JPEG、WebP 或 AVIF 图片，或用 last 表示最近保存的一张",
    scale: "宽和高各放大多少倍（默认取网络的倍数，或 2）",
    upscaler: "lanczos，或网络的文件，或其在 models/upscaler 中的名称（默认取其中第一个）",
    tile: "网络分块的边长，按放大后的像素计；越小占用内存越少",
    output: "文件名（默认为原名加 -upscaled）",
    device: "网络在哪里运行：auto、cpu、cuda、webgpu，或 cuda:1（CUDA 可见的第二块显卡）",
    filter: "models/upscaler/ 中没有网络：改用 Lanczos 滤波放大。",
    done: (path: string, from: string, to: string, by: string) =>
      `完成！已保存到 ${path}（${from} → ${to}，${by}）`,
    scaleExpected: "应为大于 0 的数。",
    transparent: "图片的透明部分将变为白色：放大后的图片不带透明。",
  },
});

/** @throws {InvalidArgumentError} When it is no number above 0. */
function scaleOf(value: string): number {
  const scale = value.trim() === "" ? NaN : Number(value);
  if (!(scale > 0 && Number.isFinite(scale))) throw new InvalidArgumentError(text.scaleExpected);
  return scale;
}

interface Options {
  readonly json?: true;
  readonly scale?: number;
  readonly upscaler?: string;
  readonly tile?: number;
  readonly output?: string;
  readonly outputRoot?: string;
  readonly device: DeviceName;
}

const command = task("upscale", text.description)
  .argument("<picture>", text.picture)
  .option("--scale <number>", text.scale, scaleOf)
  .option("--upscaler <name>", text.upscaler)
  .option("--tile <pixels>", text.tile, wholeNumber)
  .option("--output <name>", text.output)
  .option("--output-root <folder>", outputRootHelp);
addDeviceOption(command, text.device);

await run<Options>(
  command,
  async ({ scale, tile, output, outputRoot, device, ...asked }, [picture]) => {
    const root = await outputsOf({ outputRoot });
    const path = picture === LAST ? await latestPicture(root) : picture!;
    const stem = basename(path, extname(path));
    const name = pictureName(output ?? `${stem}-upscaled.png`);
    const { bytes, picture: read } = await readPicture(path);
    const image = flattened(read, WHITE);
    if (read.alpha !== undefined) tell(text.transparent);
    const [first] = await upscalerNames();
    const upscaler = asked.upscaler ?? first ?? "lanczos";
    if (asked.upscaler === undefined && first === undefined) tell(text.filter);
    const place = await chooseDevice(device);
    const policy = dtypePolicy(place.device, "auto", place.adapter)!;
    const larger = await upscalePicture(image, {
      upscaler,
      scale,
      tileSize: tile,
      policy,
      deviceId: place.deviceId,
    });
    const record: UpscaleRecord = {
      image: {
        name: wayFromHere(path),
        sha256: createHash("sha256").update(bytes).digest("hex"),
        width: image.width,
        height: image.height,
      },
      scale: larger.scale,
      ...(larger.network === undefined ? {} : {
        upscaler: { ...larger.network, provider: place.device, dtype: policy.convolution },
      }),
      versions: currentVersions(),
    };
    // It is no picture of a batch, and must not be taken for one.
    const { [BATCH_KEYWORD]: _batch, ...kept } = readPictureText(bytes).text;
    const folder = await openFolderOfDay(new Date(), root);
    const file = await encodePictureAs(larger.image, formatOfName(name)!, {
      text: upscaledTexts(kept, record),
    });
    const saved = await savePicture(folder, name, file, { root });
    const { width, height } = larger.image;
    const by = larger.network?.name ?? upscaler;
    tell(text.done(saved, `${image.width}×${image.height}`, `${width}×${height}`, by));
    return { path: saved, width, height, upscaler: by, record };
  },
);
