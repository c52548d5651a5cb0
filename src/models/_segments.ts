/** Layers `from` … `to` − 1. */
export interface Segment {
  readonly from: number;
  readonly to: number;
}

/** Cuts layers into so many runs of nearly the same length, none of them empty if possible. */
export function cutEvenly(layers: number, segments: number): readonly Segment[] {
  const count = Math.max(1, Math.min(segments, layers));
  const edge = (index: number) => Math.round(index * layers / count);
  return Array.from({ length: count }, (_, index) => ({ from: edge(index), to: edge(index + 1) }));
}
