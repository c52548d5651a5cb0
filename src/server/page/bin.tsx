/** What was thrown away, until the bin is emptied. */
import { useEffect, useState } from "preact/hooks";
import { report } from "./actions.ts";
import { api } from "./api.ts";
import { Icon } from "./icons.tsx";
import { addressInBin, promptApi } from "./prompt_api.ts";
import { promptTextsOf } from "./prompt_texts.ts";
import type { BinnedPicture } from "./prompt_types.ts";
import { getState, notify, useStore } from "./store.ts";

export function Bin() {
  const texts = promptTextsOf(useStore().language);
  const [pictures, setPictures] = useState<readonly BinnedPicture[] | undefined>(undefined);
  const [isAsking, setAsking] = useState(false);

  const load = () => promptApi.bin().then(({ pictures }) => setPictures(pictures), report);
  useEffect(() => void load(), []);

  const restore = async ({ binned }: BinnedPicture) => {
    try {
      await api.restore(binned);
      notify({ text: promptTextsOf(getState().language).restored, kind: "info" });
    } catch (error) {
      report(error);
    }
    await load();
  };
  const empty = async () => {
    setAsking(false);
    try {
      await promptApi.emptyBin();
    } catch (error) {
      report(error);
    }
    await load();
  };

  if (pictures === undefined) return <div aria-busy="true" />;
  if (pictures.length === 0) return <p class="empty-gallery">{texts.noBin}</p>;
  return (
    <>
      <div class="bin-bar">
        <span class="hint" role="status">{texts.inBin(pictures.length)}</span>
        {isAsking
          ? (
            <>
              <button type="button" class="button danger" onClick={() => void empty()}>
                <Icon name="trash" /> {texts.reallyEmpty(pictures.length)}
              </button>
              <button type="button" class="button" onClick={() => setAsking(false)}>
                {texts.keepThem}
              </button>
            </>
          )
          : (
            <button type="button" class="button danger" onClick={() => setAsking(true)}>
              <Icon name="trash" /> {texts.emptyBin}
            </button>
          )}
      </div>
      <ul class="binned">
        {pictures.map((picture) => (
          <li key={picture.binned}>
            <img
              src={addressInBin(picture.binned)}
              alt={picture.name}
              loading="lazy"
              decoding="async"
            />
            <button
              type="button"
              class="button small"
              aria-label={`${texts.restore}: ${picture.name}`}
              onClick={() => void restore(picture)}
            >
              <Icon name="again" /> {texts.restore}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
