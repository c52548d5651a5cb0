/**
 * A job: pictures that somebody asked for, and how far they are.
 *
 * @module
 */
import type { Texts } from "../language.ts";
import type { PictureRequest } from "./request.ts";

/**
 * - `queued`: it waits for its turn;
 * - `drawing`: one of its pictures is being made;
 * - `done`: all pictures were made, but for those that were skipped;
 * - `failed`: `error` says why;
 * - `cancelled`: somebody stopped it; what was made before stays.
 */
export type JobState = "queued" | "drawing" | "done" | "failed" | "cancelled";

/** A picture that a job made. */
export interface JobPicture {
  /** Which picture of its job, from 0. */
  readonly index: number;
  /** The file. */
  readonly path: string;
  /** The same as the gallery calls it: from the folder of outputs on, with slashes. */
  readonly name: string;
  /** In decimal, because JSON's numbers do not hold all seeds. */
  readonly seed: string;
  /** What the encoders were given: of a template, what was drawn from it. */
  readonly prompt: string;
  readonly width: number;
  readonly height: number;
  readonly milliseconds: number;
}

/** The sheet of a grid's pictures. */
export type JobSheet = Pick<JobPicture, "path" | "name" | "width" | "height">;

/** How far the picture that is being made is. */
export interface JobProgress {
  /** Which picture of the job, from 0. */
  readonly picture: number;
  /** Steps that are done; 0 while the prompt is being encoded. */
  readonly step: number;
  readonly steps: number;
  /** Until the whole job is done; absent while nothing is known of the speed. */
  readonly millisecondsLeft?: number;
}

/** A job as it stands. */
export interface Job {
  readonly id: string;
  readonly state: JobState;
  /** What is asked for; the seed is that of the first picture. */
  readonly request: PictureRequest;
  readonly count: number;
  /** The grid that the pictures make, as `--grid` reads it: they differ by it instead of by seeds. */
  readonly grid?: string;
  /** The presets that had a part in the request. */
  readonly preset?: string;
  readonly pictures: readonly JobPicture[];
  /** All of a grid's pictures in one, when they are done. */
  readonly sheet?: JobSheet;
  /** While it draws. */
  readonly progress?: JobProgress;
  /** Why it failed. */
  readonly error?: Texts<string>;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly started?: number;
  readonly ended?: number;
}

/** What happens in a queue. */
export type QueueEvent =
  /** A job is new, or stands differently. */
  | { readonly kind: "job"; readonly job: Job }
  /** What a picture would become if it went on as it does. */
  | {
    readonly kind: "preview";
    readonly id: string;
    readonly picture: number;
    readonly step: number;
    /** A JPEG. */
    readonly image: Uint8Array<ArrayBuffer>;
  }
  /** The model was loaded or given back. */
  | { readonly kind: "model" }
  /** The queue was closed: nothing else will happen. */
  | { readonly kind: "closed" };
