import type { Job } from "../studio/job.ts";
import { loraText } from "../studio/lora_request.ts";
import { wordedSettings } from "../studio/worded_settings.ts";
import type { ServerContext } from "./types.ts";

/**
 * A job as JSON: its request in the words of the settings, which can be asked for again; files by the
 * gallery's names for them.
 */
export function jobJson(
  { request, pictures, sheet, grid, ...job }: Job,
  { gallery }: ServerContext,
) {
  const { image, mask, ...settings } = wordedSettings(request);
  const { loras = [] } = request;
  return {
    ...job,
    request: {
      ...settings,
      ...(image === undefined ? {} : { image: gallery.nameOf(String(image)) }),
      ...(mask === undefined ? {} : { mask: gallery.nameOf(String(mask)) }),
      ...(loras.length === 0 ? {} : { lora: loras.map(loraText) }),
      ...(grid === undefined ? {} : { grid }),
    },
    pictures: pictures.map(({ path: _, ...picture }) => picture),
    ...(sheet === undefined
      ? {}
      : { sheet: { name: sheet.name, width: sheet.width, height: sheet.height } }),
  };
}
