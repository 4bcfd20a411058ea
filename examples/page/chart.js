// @ts-check
/** A small line chart. */

import { $, setText } from './elements.js';

/** A small line chart of the last two minutes: one path for each series, breaks where nothing is known. */
export class LineChart {
  static POINTS = 60;
  static #WIDTH = 240;
  static #HEIGHT = 60;
  static #SVG = 'http://www.w3.org/2000/svg';
  /** @type {number[][]} */ #series;
  /** @type {SVGPathElement[]} */ #lines;
  #area;

  /**
   * @param {string} id
   * @param {number} count how many series
   * @param {number} floor the smallest height of the scale
   * @param {(value: number) => string} label
   */
  constructor(id, count, floor, label) {
    this.svg = $(id);
    this.top = $(`${id}-top`);
    this.floor = floor;
    this.label = label;
    this.#series = Array.from({ length: count }, () => []);
    this.#area = this.#path('chart-area');
    this.#lines = this.#series.map((_, i) => this.#path(`chart-line series-${i + 1}`));
  }

  /** @param {number[]} values one for each series; NaN for unknown */
  add(values) {
    this.#series.forEach((series, i) => {
      series.push(values[i]);
      if (series.length > LineChart.POINTS) series.shift();
    });
    this.#draw();
  }

  #draw() {
    const known = this.#series.flat().filter(Number.isFinite);
    const scale = niceCeiling(Math.max(this.floor, ...known));
    setText(this.top, known.length ? this.label(scale) : '');
    this.#series.forEach((series, i) => this.#lines[i].setAttribute('d', this.#trace(series, scale)));
    this.#area.setAttribute('d', this.#fill(this.#series[0], scale));
  }

  /** @param {number[]} series @param {number} scale @returns {[number, number][][]} the unbroken runs */
  #runs(series, scale) {
    /** @type {[number, number][][]} */
    const runs = [];
    let open = false;
    series.forEach((value, i) => {
      if (!Number.isFinite(value)) { open = false; return; }
      if (!open) runs.push([]);
      open = true;
      const x = LineChart.#WIDTH * (LineChart.POINTS - series.length + i) / (LineChart.POINTS - 1);
      const y = LineChart.#HEIGHT - 2 - (LineChart.#HEIGHT - 6) * value / scale;
      runs[runs.length - 1].push([x, y]);
    });
    return runs;
  }

  /** @param {number[]} series @param {number} scale */
  #trace(series, scale) {
    return this.#runs(series, scale).map((run) => `M${run.map(point).join('L')}${run.length === 1 ? 'h0.1' : ''}`).join('');
  }

  /** @param {number[]} series @param {number} scale */
  #fill(series, scale) {
    const base = LineChart.#HEIGHT;
    return this.#runs(series, scale).filter((run) => run.length > 1)
      .map((run) => `M${point([run[0][0], base])}L${run.map(point).join('L')}L${point([run[run.length - 1][0], base])}Z`).join('');
  }

  /** @param {string} className @returns {SVGPathElement} */
  #path(className) {
    const path = /** @type {SVGPathElement} */ (document.createElementNS(LineChart.#SVG, 'path'));
    path.setAttribute('class', className);
    this.svg.append(path);
    return path;
  }
}

/** @param {[number, number]} at */
function point([x, y]) { return `${x.toFixed(1)} ${y.toFixed(1)}`; }

/** The next of 1, 2, 5, 10, 20, 50, … with a little room above. @param {number} value */
function niceCeiling(value) {
  const wanted = value * 1.15;
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * ([1, 2, 5].find((step) => step * power >= wanted) ?? 10);
}
