/** The star on a picture. */
import { useEffect, useState } from "preact/hooks";
import { api } from "./api.ts";
import { markFavourite } from "./gallery_pages.ts";
import { Icon } from "./icons.tsx";
import { promptTextsOf } from "./prompt_texts.ts";
import { useStore } from "./store.ts";

/** Marks a picture of the gallery; what is known of it is looked up where it is not given. */
export function FavouriteButton({ name, isFavourite, isInRow = true }: {
  readonly name: string;
  readonly isFavourite?: boolean;
  /** Whether the keyboard stops at it. */
  readonly isInRow?: boolean;
}) {
  const texts = promptTextsOf(useStore().language);
  const [found, setFound] = useState<boolean | undefined>(undefined);
  const isMarked = isFavourite ?? found ?? false;
  useEffect(() => {
    if (isFavourite !== undefined) return;
    let isCurrent = true;
    setFound(undefined);
    api.gallery(name, 0, 20).then(({ pictures }) => {
      const picture = pictures.find((picture) => picture.name === name);
      // Whoever was quicker knows it.
      if (isCurrent && picture !== undefined) setFound((known) => known ?? picture.isFavourite);
    }, () => {});
    return () => void (isCurrent = false);
  }, [name, isFavourite]);
  const label = isMarked ? texts.notFavourite : texts.favourite;
  return (
    <button
      type="button"
      class="icon-button star"
      aria-pressed={isMarked}
      aria-label={texts.favourite}
      title={label}
      {...(isInRow ? {} : { tabIndex: -1 })}
      onClick={() => {
        setFound(!isMarked);
        void markFavourite(name, !isMarked);
      }}
    >
      <Icon name="star" />
    </button>
  );
}
