/** Questions to the server about what goes into a prompt, and about marks and the bin. */
import { ask, inAddress, send } from "./api.ts";
import type {
  Adapter,
  BinnedPicture,
  GridCount,
  JobPlan,
  Preset,
  PresetContent,
  WildcardValues,
  Words,
} from "./prompt_types.ts";

export const promptApi = {
  mark: (names: readonly string[], isFavourite: boolean) =>
    send<{ changed: number }>("/api/gallery/favourites", { names, isFavourite }),
  bin: () => ask<{ pictures: BinnedPicture[] }>("/api/gallery/bin"),
  emptyBin: () => ask<{ deleted: number }>("/api/gallery/bin", { method: "DELETE" }),
  presets: () => ask<{ presets: Preset[] }>("/api/presets"),
  preset: (name: string) => ask<PresetContent>(`/api/presets/${inAddress(name)}`),
  savePreset: (name: string, words: Words) =>
    send<{ name: string }>(`/api/presets/${inAddress(name)}`, words, { method: "PUT" }),
  removePreset: (name: string) =>
    ask<{ deleted: true }>(`/api/presets/${inAddress(name)}`, { method: "DELETE" }),
  grid: (grid: string, signal: AbortSignal) =>
    send<GridCount>("/api/prompts/grid", { grid }, { signal }),
  plan: (words: Words, signal?: AbortSignal) =>
    send<JobPlan>("/api/prompts/plan", words, signal === undefined ? {} : { signal }),
  adapters: () => ask<{ adapters: Adapter[] }>("/api/adapters"),
  wildcards: () => ask<{ wildcards: string[] }>("/api/wildcards"),
  wildcard: (name: string) => ask<WildcardValues>(`/api/wildcards/${inAddress(name)}`),
};

/** Where a picture in the bin can be seen. */
export function addressInBin(binned: string): string {
  return `/api/gallery/bin/${encodeURIComponent(binned)}`;
}
