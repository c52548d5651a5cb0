import { BLOCK_LAYOUTS, type BlockType, type Unpacked } from "./blocks.ts";

/**
 * Takes whole blocks apart.
 *
 * @param stored The blocks' bytes.
 */
export function unpackBlocks(type: BlockType, stored: Uint8Array): Unpacked {
  const { values, bytes, scaleValues, unpack } = BLOCK_LAYOUTS[type];
  const blocks = stored.length / bytes;
  const scales = blocks * values / scaleValues;
  const unpacked = {
    points: new Uint8Array(blocks * values),
    scales: new Float32Array(scales),
    minima: new Float32Array(scales),
  };
  for (let index = 0; index < blocks; index++) unpack(stored, index * bytes, unpacked, index);
  return unpacked;
}
