/** All pictures, the newest first; those in sight alone are in the page. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { remove, searchFor } from "./actions.ts";
import { addressOf } from "./api.ts";
import { Bin } from "./bin.tsx";
import { FavouriteButton } from "./favourite_button.tsx";
import { loadGallery, markFavourite, pictureAt, show } from "./gallery_pages.ts";
import { Icon } from "./icons.tsx";
import { promptTextsOf } from "./prompt_texts.ts";
import { shortened } from "./stage.tsx";
import { type GalleryFilter, setState, useStore } from "./store.ts";
import { textsOf } from "./texts.ts";
import { openFile, openViewer } from "./viewer.tsx";

const SEARCH_DELAY = 250;
const FILTERS = ["all", "favourites", "bin"] as const;
/** Pixels. */
const NARROWEST = 168;
const NARROWEST_ON_A_PHONE = 104;
const PHONE = 640;
const GAP = 12;
/** Rows above and below those in sight. */
const MORE_ROWS = 3;

export function Gallery() {
  const { language, gallery, search, galleryFilter } = useStore();
  const texts = textsOf(language);
  const own = promptTextsOf(language);
  const [typed, setTyped] = useState(search);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const file = useRef<HTMLInputElement>(null);

  useEffect(() => void loadGallery(), [galleryFilter]);

  const choose = (filter: GalleryFilter) => {
    scrollTo(0, 0);
    setState({ galleryFilter: filter, gallery: undefined });
  };
  const isBin = galleryFilter === "bin";
  const count = isBin || gallery === undefined
    ? ""
    : galleryFilter === "favourites"
    ? own.favourites(gallery.total)
    : texts.pictures(gallery.total);
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
            disabled={isBin}
            value={typed}
            onInput={(event) => {
              const next = event.currentTarget.value;
              setTyped(next);
              clearTimeout(timer.current);
              timer.current = setTimeout(() => searchFor(next), SEARCH_DELAY);
            }}
          />
        </div>
        <div class="switch" role="group" aria-label={own.filters}>
          {FILTERS.map((name) => (
            <button
              type="button"
              key={name}
              aria-pressed={galleryFilter === name}
              onClick={() => choose(name)}
            >
              <Icon name={name === "all" ? "grid" : name === "bin" ? "trash" : "star"} />
              {own.filter[name]}
            </button>
          ))}
        </div>
        <span class="hint" role="status">{count}</span>
        <span class="hint gallery-keys">{isBin ? "" : own.galleryKeys}</span>
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
      {isBin ? <Bin /> : (
        <>
          {search !== "" && gallery?.isSearched === false && <p class="hint">{texts.searching}</p>}
          {gallery?.total === 0 && (
            <p class="empty-gallery">
              {search !== ""
                ? texts.nothingFound
                : galleryFilter === "favourites"
                ? own.noFavourites
                : texts.noPictures}
            </p>
          )}
          {gallery !== undefined && gallery.total > 0 && <Thumbnails total={gallery.total} />}
        </>
      )}
    </main>
  );
}

/** Where the thumbnails stand. */
interface Layout {
  readonly columns: number;
  /** Pixels from one row to the next. */
  readonly rowHeight: number;
  /** The rows that are in the page. */
  readonly first: number;
  readonly last: number;
}

function Thumbnails({ total }: { readonly total: number }) {
  const list = useRef<HTMLUListElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const [layout, setLayout] = useState<Layout>({ columns: 4, rowHeight: 200, first: 0, last: 5 });
  /** The place that the keyboard is at. */
  const [current, setCurrent] = useState(0);
  const isMoved = useRef(false);

  const arrange = () => {
    const { clientWidth: width, offsetTop } = box.current!;
    const narrowest = innerWidth < PHONE ? NARROWEST_ON_A_PHONE : NARROWEST;
    const columns = Math.max(1, Math.floor((width + GAP) / (narrowest + GAP)));
    const rowHeight = (width + GAP) / columns;
    const rows = Math.ceil(total / columns);
    const top = scrollY - offsetTop;
    const first = Math.max(0, Math.min(rows - 1, Math.floor(top / rowHeight) - MORE_ROWS));
    const last = Math.min(rows - 1, Math.ceil((top + innerHeight) / rowHeight) + MORE_ROWS);
    const next = { columns, rowHeight, first, last: Math.max(first, last) };
    setLayout((before) =>
      (Object.keys(next) as (keyof Layout)[]).every((key) => before[key] === next[key])
        ? before
        : next
    );
    show(next.first * columns, Math.min(total, (next.last + 1) * columns) - 1);
  };
  useLayoutEffect(() => {
    arrange();
    const observer = new ResizeObserver(arrange);
    observer.observe(box.current!);
    addEventListener("scroll", arrange, { passive: true });
    return () => {
      observer.disconnect();
      removeEventListener("scroll", arrange);
    };
  }, [total]);
  useLayoutEffect(() => {
    if (!isMoved.current) return;
    const found = list.current!.querySelector<HTMLElement>(`[data-place="${current}"]`);
    isMoved.current = found === null;
    // The list keeps the keyboard until the picture is read.
    (found ?? list.current!).focus({ preventScroll: true });
  });

  const { columns, rowHeight, first, last } = layout;
  const from = first * columns;
  const places = Array.from(
    { length: Math.max(0, Math.min(total, (last + 1) * columns) - from) },
    (_, index) => from + index,
  );
  const isCurrentHere = current >= from && current < from + places.length;

  const go = (place: number) => {
    const next = Math.max(0, Math.min(total - 1, place));
    const top = box.current!.offsetTop + Math.floor(next / columns) * rowHeight;
    const bar = document.querySelector(".bar")?.clientHeight ?? 0;
    if (top - bar < scrollY) scrollTo(0, top - bar - GAP);
    else if (top + rowHeight > scrollY + innerHeight) scrollTo(0, top + rowHeight - innerHeight);
    isMoved.current = true;
    setCurrent(next);
    arrange();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by: Readonly<Record<string, number>> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -total,
      End: total,
    };
    const picture = pictureAt(current);
    if (by[event.key] !== undefined) go(current + by[event.key]!);
    else if (picture === undefined) return;
    else if (event.key === "f") void markFavourite(picture.name, !picture.isFavourite);
    else if (event.key === "Delete") void remove(picture.name);
    else return;
    event.preventDefault();
  };

  return (
    <div class="thumbnails-box" ref={box} style={{ height: `${heightOf(total, layout)}px` }}>
      <ul
        class="thumbnails"
        ref={list}
        tabIndex={-1}
        onKeyDown={onKeyDown}
        style={{
          gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
          transform: `translateY(${first * rowHeight}px)`,
        }}
      >
        {places.map((place) => (
          <Thumbnail
            key={pictureAt(place)?.name ?? place}
            place={place}
            total={total}
            isInRow={isCurrentHere ? place === current : place === from}
            onFocus={() => setCurrent(place)}
          />
        ))}
      </ul>
    </div>
  );
}

function heightOf(total: number, { columns, rowHeight }: Layout): number {
  return Math.ceil(total / columns) * rowHeight - GAP;
}

function Thumbnail({ place, total, isInRow, onFocus }: {
  readonly place: number;
  readonly total: number;
  readonly isInRow: boolean;
  readonly onFocus: () => void;
}) {
  const picture = pictureAt(place);
  const isPicture = picture !== undefined;
  return (
    <li aria-setsize={total} aria-posinset={place + 1} aria-busy={!isPicture}>
      {isPicture && (
        <>
          <button
            type="button"
            class="thumbnail"
            data-place={place}
            tabIndex={isInRow ? 0 : -1}
            onFocus={onFocus}
            onClick={() => openViewer(picture.name)}
            aria-label={shortened(picture.notes?.prompt ?? picture.name) || picture.name}
          >
            <img
              src={addressOf.thumbnail(picture.name)}
              alt=""
              loading="lazy"
              decoding="async"
            />
          </button>
          <span class={`on-thumbnail ${picture.isFavourite ? "marked" : ""}`}>
            <FavouriteButton
              name={picture.name}
              isFavourite={picture.isFavourite}
              isInRow={false}
            />
          </span>
        </>
      )}
    </li>
  );
}
