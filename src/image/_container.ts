/** What a file that is no PNG says besides its pixels. */
export interface Container {
  /** As the header states it, before any turning; absent where there is none to be found. */
  readonly size: { readonly width: number; readonly height: number } | undefined;
  /** A TIFF. */
  readonly exif: Uint8Array | undefined;
  /** Packets. */
  readonly xmp: readonly Uint8Array[];
  /** Whether the outer form is whole. */
  readonly isWhole: boolean;
  /** EXIF's number of the turning that the format itself states; it goes before EXIF's. */
  readonly orientation?: number;
  /** Why the decoder cannot read it, though it is sound. */
  readonly unsupported?: import("../language.ts").Texts<string>;
}
