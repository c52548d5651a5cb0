/** The gallery's pictures, of which a page is read when it comes into sight: there may be 10,000. */
import { report } from "./report.ts";
import { api } from "./api.ts";
import { promptApi } from "./prompt_api.ts";
import { getState, setState } from "./store.ts";
import type { GalleryPage, GalleryPicture } from "./types.ts";

/** Pictures that are asked for at once. */
const PAGE = 100;
const SEARCHING_MILLISECONDS = 1000;

/** By their places; those that were not read yet are absent. */
let pictures: (GalleryPicture | undefined)[] = [];
/** Pages that were read, or are being read. */
let asked = new Set<number>();
/** The places in sight. */
let inSight: readonly [from: number, to: number] = [0, PAGE - 1];
let edition = 0;

/** The picture at a place; undefined while it is being read. */
export function pictureAt(index: number): GalleryPicture | undefined {
  return pictures[index];
}

/** Reads what is in sight anew; the rest is read when it comes into sight. */
export async function loadGallery(): Promise<void> {
  if (getState().galleryFilter === "bin") return;
  const own = ++edition;
  const pages = pagesOf(inSight);
  try {
    const answers = await Promise.all(pages.map(read));
    if (own !== edition) return;
    const [{ total }] = answers as [GalleryPage];
    pictures = new Array(total);
    asked = new Set(pages);
    answers.forEach((answer, index) => place(answer, pages[index]!));
    // More is found as more is read.
    const { search, gallery } = getState();
    if (search === "" || gallery?.isSearched !== false) return;
    setTimeout(() => own === edition && void loadGallery(), SEARCHING_MILLISECONDS);
  } catch (error) {
    if (own === edition) report(error);
  }
}

/** Says which places are in sight. */
export function show(from: number, to: number): void {
  inSight = [from, to];
  const own = edition;
  for (const page of pagesOf(inSight).filter((page) => !asked.has(page))) {
    asked.add(page);
    read(page).then((answer) => {
      if (own !== edition) return;
      // Pictures came or went meanwhile, so that places have changed.
      if (answer.total !== pictures.length) return void loadGallery();
      place(answer, page);
    }, (error) => {
      asked.delete(page);
      report(error);
    });
  }
}

function pagesOf([from, to]: readonly [number, number]): readonly number[] {
  const first = Math.floor(Math.max(0, from) / PAGE);
  const last = Math.max(first, Math.floor(to / PAGE));
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function read(page: number): Promise<GalleryPage> {
  const { search, galleryFilter } = getState();
  return api.gallery(search, page * PAGE, PAGE, galleryFilter === "favourites");
}

function place({ pictures: read, total, isSearched }: GalleryPage, page: number): void {
  for (const [index, picture] of read.entries()) pictures[page * PAGE + index] = picture;
  publish(total, isSearched);
}

function publish(total: number, isSearched: boolean): void {
  const known = pictures.filter((picture) => picture !== undefined);
  setState({ gallery: { pictures: known, total, isSearched } });
}

/** Marks a picture, or takes the mark off. */
export async function markFavourite(name: string, isFavourite: boolean): Promise<void> {
  try {
    await promptApi.mark([name], isFavourite);
  } catch (error) {
    return report(error);
  }
  pictures = pictures.map((picture) =>
    picture?.name === name ? { ...picture, isFavourite } : picture
  );
  const { gallery } = getState();
  if (gallery !== undefined) publish(gallery.total, gallery.isSearched);
  // A picture without a mark does not stay among the favourites, and its place is taken.
  if (getState().galleryFilter === "favourites") await loadGallery();
}
