import * as z from "zod";
import { inSchema } from "../schema_problems.ts";

/** Red, green and blue. */
export const PICTURE_CHANNELS = 3;

/** Each stage doubles the picture's side: with more stages no memory could hold the picture. */
export const MOST_STAGES = 16;

/** `out_channels` of a decoder. */
export const outputChannels = z.literal(PICTURE_CHANNELS, {
  error: inSchema({
    en: "the decoder must make pictures of 3 channels",
    zh: "解码器必须生成 3 通道的图片",
  }),
}).default(PICTURE_CHANNELS);

/** `in_channels` of an encoder. */
export const inputChannels = z.literal(PICTURE_CHANNELS, {
  error: inSchema({
    en: "the encoder must take pictures of 3 channels",
    zh: "编码器必须接受 3 通道的图片",
  }),
}).default(PICTURE_CHANNELS);
