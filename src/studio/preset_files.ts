/**
 * Presets as files that are written and removed: one preset a file.
 *
 * @module
 */
import { join } from "node:path";
import { RequestError } from "../errors.ts";
import { isMissing, writeFileAtomically } from "../files.ts";
import { shown } from "../shown.ts";
import { nameAfter } from "./outputs.ts";
import { parsePreset, PRESET_FOLDER, presetsOf, type UnreadPreset } from "./preset.ts";

/** The most characters of a name. */
const LONGEST_NAME = 100;
/** Names with these are files to {@linkcode loadPreset}; those with a dot at their head are hidden. */
const ENDING = /^\.|\.(json|csv)$/i;

/**
 * Writes a preset, in place of one of the same name that has a file for itself.
 *
 * @param said What {@linkcode parsePreset} reads.
 * @throws {RequestError} When it is no preset, or one of the name stands in a file with others.
 */
export async function savePreset(
  name: string,
  said: unknown,
  folder = PRESET_FOLDER,
): Promise<void> {
  if (name === "" || name.length > LONGEST_NAME || nameAfter(name) !== name || ENDING.test(name)) {
    throw new RequestError({
      en: `"${shown(name)}" cannot be the name of a preset: expected at most ${LONGEST_NAME} ` +
        "characters that may stand in the name of a file.",
      zh: `“${shown(name)}” 不能作为预设的名称：至多 ${LONGEST_NAME} 个可用于文件名的字符。`,
    });
  }
  parsePreset(said, name, `"${name}"`);
  const before = (await presetsOf(folder)).get(name);
  if (before !== undefined) refuseShared(name, before);
  const path = before?.path ?? join(folder, `${name}.json`);
  await Deno.mkdir(folder, { recursive: true });
  const json = `${JSON.stringify(said, undefined, 2)}\n`;
  await writeFileAtomically(path, new TextEncoder().encode(json));
}

/**
 * Removes a preset that has a file for itself.
 *
 * @returns Whether there was one of the name.
 * @throws {RequestError} When it stands in a file with others.
 */
export async function removePreset(name: string, folder = PRESET_FOLDER): Promise<boolean> {
  const preset = (await presetsOf(folder)).get(name);
  if (preset === undefined) return false;
  refuseShared(name, preset);
  try {
    await Deno.remove(preset.path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function refuseShared(name: string, { path, isAlone }: UnreadPreset): void {
  if (isAlone) return;
  throw new RequestError({
    en: `The preset "${shown(name)}" stands with others in ${path}: change it there, or choose ` +
      "another name.",
    zh: `预设“${shown(name)}”与其他预设同在 ${path} 中：请在那里修改，或换一个名称。`,
  });
}
