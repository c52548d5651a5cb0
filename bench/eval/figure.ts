/**
 * Where to look: places in a picture, in the units of the drawn figure.
 *
 * @module
 */
import type { Lab, LabImage } from "./oklab.ts";

/** How many pixels a unit of the figure has when two characters share a picture of 256 × 256. */
const PIXELS_PER_UNIT = 0.967;

/** A point: pixels of the picture, or units from an origin. x grows to the right, y downwards. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle in units, both ends included. */
export interface Area {
  readonly x: readonly [from: number, to: number];
  readonly y: readonly [from: number, to: number];
}

/** A half of a symmetric figure, as the viewer sees it: −1 left, 1 right. */
export type Side = -1 | 1;

/** Both halves. */
export const SIDES: readonly Side[] = [-1, 1];

/** A picture seen from a part of a figure, so that places in it can be named. */
export class Figure {
  readonly #image: LabImage;
  readonly #origin: Point;
  readonly #turn: number;

  /**
   * @param origin In pixels.
   * @param turn In radians, clockwise, about the origin.
   */
  constructor(image: LabImage, origin: Point, turn = 0) {
    this.#image = image;
    this.#origin = origin;
    this.#turn = turn;
  }

  /** The picture seen from another part, that many units away and turned by so much. */
  part(at: Point, turn = 0): Figure {
    return new Figure(this.#image, this.#pixel(at.x, at.y), this.#turn + turn);
  }

  /** The colour at a place; of the nearest pixel where it lies outside the picture. */
  color(x: number, y: number): Lab {
    const { L, a, b, width, height } = this.#image;
    const pixel = this.#pixel(x, y);
    const column = Math.min(width - 1, Math.max(0, Math.round(pixel.x)));
    const row = Math.min(height - 1, Math.max(0, Math.round(pixel.y)));
    const index = row * width + column;
    return [L[index]!, a[index]!, b[index]!];
  }

  /** The colours of an area that is given for the right half, and of its mirror image. */
  colors(area: Area, sides: readonly Side[] = SIDES): Lab[] {
    const colors: Lab[] = [];
    for (let y = area.y[0]; y <= area.y[1]; y++) {
      for (let x = area.x[0]; x <= area.x[1]; x++) {
        for (const side of sides) colors.push(this.color(side * x, y));
      }
    }
    return colors;
  }

  #pixel(x: number, y: number): Point {
    const cos = PIXELS_PER_UNIT * Math.cos(this.#turn);
    const sin = PIXELS_PER_UNIT * Math.sin(this.#turn);
    return { x: this.#origin.x + x * cos - y * sin, y: this.#origin.y + x * sin + y * cos };
  }
}
