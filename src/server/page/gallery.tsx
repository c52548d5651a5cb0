/** All pictures, the newest first. */
import { useEffect, useRef, useState } from "preact/hooks";
import { loadGallery, loadMore, searchFor } from "./actions.ts";
import { addressOf } from "./api.ts";
import { Icon } from "./icons.tsx";
import { shortened } from "./stage.tsx";
import { useStore } from "./store.ts";
import { textsOf } from "./texts.ts";
import { openFile, openViewer } from "./viewer.tsx";

const SEARCH_DELAY = 250;

export function Gallery() {
  const { language, gallery, search } = useStore();
  const texts = textsOf(language);
  const [typed, setTyped] = useState(search);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const end = useRef<HTMLDivElement>(null);
  const file = useRef<HTMLInputElement>(null);

  useEffect(() => void loadGallery(), []);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) void loadMore();
    }, { rootMargin: "600px" });
    if (end.current !== null) observer.observe(end.current);
    return () => observer.disconnect();
  }, [gallery?.pictures.length]);

  const pictures = gallery?.pictures ?? [];
  const hasMore = gallery !== undefined && pictures.length < gallery.total;
  return (
    <main class="gallery" id="main">
      <h1 class="visually-hidden">{texts.gallery}</h1>
      <div class="gallery-bar">
        <div class="search">
          <Icon name="search" />
          <input
            type="search"
            aria-label={texts.search}
            placeholder={texts.search}
            value={typed}
            onInput={(event) => {
              const next = event.currentTarget.value;
              setTyped(next);
              clearTimeout(timer.current);
              timer.current = setTimeout(() => searchFor(next), SEARCH_DELAY);
            }}
          />
        </div>
        <span class="hint" role="status">
          {gallery === undefined ? "" : texts.pictures(gallery.total)}
        </span>
        <button type="button" class="button" onClick={() => file.current?.click()}>
          <Icon name="file" /> {texts.openPicture}
        </button>
        <input
          ref={file}
          type="file"
          accept="image/png,image/jpeg,image/webp,image/avif"
          hidden
          onChange={(event) => {
            const [chosen] = event.currentTarget.files ?? [];
            if (chosen !== undefined) openFile(chosen);
            event.currentTarget.value = "";
          }}
        />
      </div>
      {search !== "" && gallery?.isSearched === false && <p class="hint">{texts.searching}</p>}
      {gallery !== undefined && pictures.length === 0 && (
        <p class="empty-gallery">{search === "" ? texts.noPictures : texts.nothingFound}</p>
      )}
      <ul class="thumbnails">
        {pictures.map(({ name, notes, time }) => (
          <li key={`${name} ${time}`}>
            <button
              type="button"
              onClick={() => openViewer(name)}
              aria-label={shortened(notes?.prompt ?? name) || name}
            >
              <img src={addressOf.thumbnail(name)} alt="" loading="lazy" decoding="async" />
            </button>
          </li>
        ))}
      </ul>
      {hasMore && <div ref={end} class="more-below" />}
    </main>
  );
}
