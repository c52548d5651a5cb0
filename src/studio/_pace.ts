import type { JobProgress } from "./job.ts";

/** How fast the pictures of a job are. */
export class Pace {
  #begun = 0;
  /** Of the picture that is being made: when its first step was done. */
  #first: { readonly time: number; readonly step: number } | undefined;
  #wholePictures = 0;
  #wholeMilliseconds = 0;

  /** Begins a picture. */
  begin(): void {
    this.#begun = performance.now();
    this.#first = undefined;
  }

  /** Ends it. */
  end(): void {
    this.#wholePictures++;
    this.#wholeMilliseconds += performance.now() - this.#begun;
  }

  /** How far a picture is, and how long the rest of the job takes: milliseconds. */
  progress(
    { picture, step, steps, count }: {
      readonly picture: number;
      readonly step: number;
      readonly steps: number;
      readonly count: number;
    },
  ): JobProgress {
    const now = performance.now();
    this.#first ??= { time: now, step };
    const perStep = step > this.#first.step
      ? (now - this.#first.time) / (step - this.#first.step)
      : (now - this.#begun) / step;
    const thisPicture = perStep * (steps - step);
    const perPicture = this.#wholePictures > 0
      ? this.#wholeMilliseconds / this.#wholePictures
      : now - this.#begun + thisPicture;
    const left = thisPicture + perPicture * (count - picture - 1);
    return { picture, step, steps, millisecondsLeft: Math.round(left) };
  }
}
