/**
 * The view of one result: its words, its heatmap and its heads, and how they react to each other.
 *
 * `show` builds the elements of a result; choosing a head or focusing a word only repaints them.
 */

import { differing } from "./differences.js";
import { Choice, element, Select, setAttributes } from "./dom.js";
import { Heads } from "./heads.js";
import { Line } from "./line.js";
import { Links } from "./links.js";
import { Matrix } from "./matrix.js";
import { filmstrip, Picture } from "./picture.js";
import { percent, Readout, tableOf } from "./readout.js";
import { axesOf, KINDS, kindsOf } from "./result.js";
import { Colours, themeNow } from "./theme.js";
import { largestOf, matrixOf } from "./weights.js";

/** @typedef {import("./result.js").Result} Result */
/** @typedef {import("./result.js").Hypothesis} Hypothesis */
/** @typedef {import("./result.js").Unit} Unit */
/** @typedef {import("./weights.js").AttentionMap} AttentionMap */
/** @typedef {keyof typeof KINDS} Kind */

/**
 * The matrix that is shown.
 * @typedef {object} Shown
 * @property {AttentionMap} map
 * @property {Float32Array} values [rows, columns] of the chosen layer and head
 * @property {Unit[]} rows
 * @property {Unit[]} columns
 * @property {number} largest
 */

const NO_CELL = { row: null, column: null };
const ALL = "all";

export class View {
  /** @param {HTMLElement} container */
  constructor(container) {
    this.#stage = element("section", "stage");
    setAttributes(this.#stage, { "aria-label": "Words" });
    this.#kinds = new Choice("Map", (/** @type {Kind} */ kind) => this.choose({ kind, layer: null, head: null }));
    this.#layers = new Select("Layer", (value) => this.choose({ layer: value === ALL ? null : Number(value) }));
    this.#heads = new Select("Head", (value) => this.choose({ head: value === ALL ? null : Number(value) }));
    this.#threshold = this.#thresholdField();
    this.#scale = element("span", "scale", element("span", "ramp"), element("span", "largest"));
    this.#controls = element(
      "div",
      "controls",
      this.#kinds.element,
      this.#layers.element,
      this.#heads.element,
      this.#threshold,
      this.#scale,
    );
    this.#matrix = new Matrix((cell, isClick) => this.#setFocus(cell, isClick));
    this.#overview = new Heads((layer, head) => this.choose({ layer, head }));
    this.#readout = new Readout();
    this.#table = element("details", "numbers", element("summary", "", "The numbers as a table"));
    this.#table.addEventListener("toggle", () => this.#fillTable());
    this.#note = element("p", "note");
    const left = element("div", "left", this.#matrix.element, this.#note, this.#table);
    const right = element("aside", "right", this.#readout.element, this.#overview.element);
    right.setAttribute("aria-label", "Details");
    this.#maps = element("section", "maps", left, right);
    this.#maps.setAttribute("aria-label", "Maps");
    this.element = element("div", "view", this.#stage, this.#controls, this.#maps);
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#setFocus(NO_CELL, true);
    });
    container.append(this.element);
    new ResizeObserver(() => this.#matrix.isStale && this.#repaint()).observe(this.#matrix.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.themeChanged());
  }

  /** @type {HTMLElement} */ #stage;
  /** @type {HTMLElement} */ #controls;
  /** @type {HTMLElement} */ #maps;
  /** @type {Choice<any>} */ #kinds;
  /** @type {Select} */ #layers;
  /** @type {Select} */ #heads;
  /** @type {HTMLElement} */ #threshold;
  /** @type {HTMLElement} */ #scale;
  /** @type {Matrix} */ #matrix;
  /** @type {Heads} */ #overview;
  /** @type {Readout} */ #readout;
  /** @type {HTMLDetailsElement} */ #table;
  /** @type {HTMLElement} */ #note;

  /** @type {Result | null} */ #result = null;
  /** @type {Map<AttentionMap, Map<string, {values: Float32Array, largest: number}>>} */ #matrices = new Map();
  /** @type {HTMLImageElement | null} */ #image = null;
  /** @type {Line | null} */ #columnLine = null;
  /** @type {Line[]} */ #rowLines = [];
  /** @type {HTMLElement[]} */ #cards = [];
  /** @type {Picture | null} */ #picture = null;
  /** @type {Links | null} */ #links = null;
  /** @type {boolean[][]} by hypothesis, for each row whether another output has not the same word */ #differences = [];
  /** @type {string[] | null} words of another model's output */ #others = null;
  #colours = new Colours(themeNow());

  #hypothesis = 0;
  /** @type {string} */ #kind = "";
  /** @type {number | null} */ #layer = null;
  /** @type {number | null} */ #head = null;
  #minWeight = 0;
  /** @type {import("./matrix.js").Cell} */ #focus = NO_CELL;
  #isPinned = false;

  /** The result that is shown. */
  get result() {
    return this.#result;
  }

  /**
   * Shows a result; keeps the chosen map, layer and head if the result has them.
   * @param {Result} result
   * @param {HTMLImageElement | null} image the picture that was captioned
   */
  show(result, image = null) {
    this.#result = result;
    this.#others = null;
    this.#matrices.clear();
    this.#image = image;
    this.#hypothesis = Math.min(this.#hypothesis, result.hypotheses.length - 1);
    this.#focus = NO_CELL;
    this.#isPinned = false;
    this.choose({});
  }

  /**
   * Marks the words of the best output that another model's output has not.
   * @param {string[]} words the other's
   */
  compareWith(words) {
    this.#others = words;
    this.choose({});
  }

  /** Lists the kinds whose numbers have arrived since `show`. */
  numbersArrived() {
    if (this.#kind) this.#listKinds();
    else this.choose({});
  }

  #listKinds() {
    if (!this.#result) return;
    const kinds = /** @type {Kind[]} */ (kindsOf(this.#result, this.#result.hypotheses[this.#hypothesis]));
    this.#kinds.show(kinds.map((kind) => [kind, KINDS[kind].name]), this.#kind);
  }

  /** Repaints in the page's new theme. */
  themeChanged() {
    this.#colours = new Colours(themeNow());
    if (this.#result) this.choose({});
  }

  /**
   * Chooses the hypothesis, the kind of map, the layer and the head.
   * @param {{hypothesis?: number, kind?: string, layer?: number | null, head?: number | null}} chosen
   */
  choose(chosen) {
    const before = [this.#hypothesis, this.#kind];
    this.#hypothesis = chosen.hypothesis ?? this.#hypothesis;
    this.#kind = chosen.kind ?? this.#kind;
    if (chosen.layer !== undefined) this.#layer = chosen.layer;
    if (chosen.head !== undefined) this.#head = chosen.head;
    const isSameMap = before[0] === this.#hypothesis && before[1] === this.#kind;
    if (isSameMap && (chosen.layer !== undefined || chosen.head !== undefined)) this.#repaint();
    else this.#rebuild();
  }

  /** The chosen matrix of a hypothesis; null if it has no map of the chosen kind. */
  #shown(index = this.#hypothesis) {
    const hypothesis = this.#result?.hypotheses[index];
    const map = hypothesis?.maps.get(this.#kind) ?? this.#result?.maps.get(this.#kind);
    if (!this.#result || !hypothesis || !map) return null;
    const { values, largest } = this.#chosenOf(map);
    return { map, values, ...axesOf(this.#result, hypothesis, map), largest };
  }

  /**
   * The chosen matrix of a map and its largest weight; computed once and kept.
   * @param {AttentionMap} map
   */
  #chosenOf(map) {
    const key = `${this.#layer} ${this.#head}`;
    const known = this.#matrices.get(map) ?? new Map();
    const kept = known.get(key);
    if (kept) return kept;
    const values = matrixOf(map, this.#layer, this.#head);
    const chosen = { values, largest: largestOf(values) };
    this.#matrices.set(map, known.set(key, chosen));
    return chosen;
  }

  /** Builds the lines of words, and the parts that depend on the map. */
  #rebuild() {
    const result = this.#result;
    if (!result || !result.hypotheses.length) return;
    const kinds = kindsOf(result, result.hypotheses[this.#hypothesis]);
    if (!kinds.includes(this.#kind)) this.#kind = kinds[0] ?? "";
    const map = this.#shown()?.map;
    if (!map?.layers.includes(this.#layer ?? -1) || !map.hasHeads) this.#layer = null;
    if (!map?.heads.includes(this.#head ?? -1) || !map.hasHeads) this.#head = null;
    this.#buildStage(result);
    this.#controls.hidden = this.#maps.hidden = !map;
    if (!map) return;
    this.#listKinds();
    this.#overview.show(map, this.#colours);
    this.#note.textContent = `${KINDS[/** @type {Kind} */ (this.#kind)].name}: ${KINDS[/** @type {Kind} */ (this.#kind)].note}.`;
    this.#repaint();
  }

  /** @param {Result} result */
  #buildStage(result) {
    const shown = this.#shown();
    const hasRegions = result.grid && this.#image && shown && shown.columns.length !== shown.rows.length;
    const isOverPicture = Boolean(hasRegions) && !["encoder_self", "decoder_self"].includes(this.#kind);
    this.#columnLine = null;
    this.#picture = null;
    const parts = [];
    if (isOverPicture && result.grid && this.#image) {
      this.#picture = new Picture(this.#image, result.grid, (column, isClick) => this.#setFocus({ row: null, column }, isClick));
      parts.push(element("div", "picture-frame", this.#picture.element));
    } else {
      const units = shown?.columns.length && !result.grid ? shown.columns : result.words.length ? result.words : result.tokens;
      if (units.length) {
        const label = this.#kind === "decoder_self" ? "Read so far" : "Source";
        this.#columnLine = new Line(label, units, (column, isClick) => this.#setFocus({ row: null, column }, isClick));
        parts.push(element("div", "source", element("span", "caption", label), this.#columnLine.element));
      }
    }
    const outputs = this.#buildOutputs(result);
    if (shown && isOverPicture && this.#image && result.grid) {
      outputs.append(filmstrip(this.#image, result.grid, shown.rows, shown.values, (row, isClick) => this.#setFocus({ row, column: null }, isClick)));
    }
    parts.push(outputs);
    this.#stage.classList.toggle("with-picture", isOverPicture);
    this.#stage.replaceChildren(...parts);
    this.#links = isOverPicture ? null : new Links(this.#stage);
  }

  /**
   * Builds the lines of all hypotheses, side by side.
   * @param {Result} result
   */
  #buildOutputs(result) {
    const isSingle = result.hypotheses.length === 1 || this.#kind === "encoder_self";
    const indexes = this.#kind === "encoder_self" ? [this.#hypothesis] : [...result.hypotheses.keys()];
    this.#rowLines = [];
    this.#cards = [];
    this.#differences = [];
    for (const index of indexes) {
      const hypothesis = result.hypotheses[index];
      const units = this.#unitsOf(result, index);
      const name = this.#kind === "encoder_self" ? "Source, as the encoder represents it" : isSingle ? hypothesis.name || "Output" : `Hypothesis ${index + 1}`;
      const line = new Line(name, units, (row, isClick) => this.#setRowFocus(index, row, isClick));
      this.#rowLines[index] = line;
      const score = isSingle ? [] : [element("span", "score", `score ${hypothesis.score.toFixed(3)}`)];
      const others = this.#kind === "encoder_self" ? null : this.#othersOf(result, index);
      const differences = others ? [this.#markDifferences(index, line, units, others)] : [];
      this.#cards[index] = element("div", "hypothesis", element("span", "caption", name, ...score, ...differences), line.element);
    }
    const outputs = element("div", isSingle ? "outputs" : "outputs several", ...Object.values(this.#cards));
    return outputs;
  }

  /**
   * The words that a hypothesis is compared with: those of the best one; of the best one, another model's.
   * @param {Result} result
   * @param {number} index
   */
  #othersOf(result, index) {
    return index === 0 ? this.#others : ownWords(this.#unitsOf(result, 0)).map(({ text }) => text);
  }

  /**
   * @param {Result} result
   * @param {number} index
   */
  #unitsOf(result, index) {
    const hypothesis = result.hypotheses[index];
    return this.#shown(index)?.rows ?? (hypothesis.words.length ? hypothesis.words : hypothesis.tokens);
  }

  /**
   * Marks the words that others have not; returns how many, in words.
   * @param {number} index of the hypothesis
   * @param {Line} line
   * @param {Unit[]} units
   * @param {string[]} others
   */
  #markDifferences(index, line, units, others) {
    const own = ownWords(units);
    const differs = differing(own.map(({ text }) => text), others);
    const marked = new Set(own.filter((_, at) => differs[at]));
    this.#differences[index] = units.map((unit) => marked.has(unit));
    units.forEach((unit, at) => line.words[at].classList.toggle("differs", marked.has(unit)));
    const [singular, plural] = units.some(({ tokens }) => tokens) ? ["word differs", "words differ"] : ["token differs", "tokens differ"];
    return element("span", "differences", marked.size === 0 ? "the same" : `${marked.size} ${marked.size === 1 ? singular : plural}`);
  }

  #thresholdField() {
    const input = element("input");
    setAttributes(input, { type: "range", min: 0, max: 0.5, step: 0.01, value: 0 });
    const output = element("output", "", "0 %");
    input.addEventListener("input", () => {
      this.#minWeight = Number(input.value);
      output.textContent = percent(this.#minWeight).replace(".0", "");
      this.#repaint();
    });
    return element("label", "field threshold", element("span", "", "Threshold"), input, output);
  }

  /**
   * Focuses a word of a hypothesis, whose map is shown from then on.
   * @param {number} hypothesis
   * @param {number | null} row
   * @param {boolean} isClick
   */
  #setRowFocus(hypothesis, row, isClick) {
    if (hypothesis !== this.#hypothesis && row !== null) {
      if (this.#isPinned && !isClick) return;
      this.#hypothesis = hypothesis;
      const map = this.#shown()?.map;
      if (map) this.#overview.show(map, this.#colours);
    }
    this.#setFocus({ row, column: null }, isClick);
  }

  /**
   * Focuses a row, a column or a cell; a click pins it, another click unpins it.
   * @param {import("./matrix.js").Cell} cell
   * @param {boolean} isClick
   */
  #setFocus(cell, isClick) {
    if (this.#isPinned && !isClick) return;
    const isUnpinned = this.#isPinned && cell.row === this.#focus.row && cell.column === this.#focus.column;
    const isEmpty = cell.row === null && cell.column === null;
    this.#isPinned = isClick && !isUnpinned && !isEmpty;
    this.#focus = isUnpinned ? NO_CELL : cell;
    this.#repaint();
  }

  /** Paints the chosen matrix and the focus; builds no elements. */
  #repaint() {
    const shown = this.#shown();
    if (!shown || this.#maps.hidden) return;
    this.#paintControls(shown);
    this.#matrix.draw({ ...shown, threshold: this.#minWeight, focus: this.#focus, colours: this.#colours });
    this.#overview.mark(this.#layer, this.#head);
    this.#paintWords(shown);
    this.#paintReadout(shown);
    this.#fillTable();
  }

  /** @param {Shown} shown */
  #paintControls({ map, largest }) {
    const options = (/** @type {number[]} */ numbers) =>
      /** @type {[string, string][]} */ ([[ALL, "average"], ...numbers.map((n) => [String(n), String(n)])]);
    this.#layers.element.hidden = this.#heads.element.hidden = !map.hasHeads;
    if (map.hasHeads) {
      this.#layers.show(options(map.layers), String(this.#layer ?? ALL));
      this.#heads.show(options(map.heads), String(this.#head ?? ALL));
    }
    const [ramp, number] = /** @type {HTMLElement[]} */ ([...this.#scale.children]);
    ramp.style.backgroundImage = this.#colours.gradient();
    number.textContent = percent(largest);
  }

  /**
   * The weight as it is shown: 0 below the threshold.
   * @param {number} weight
   */
  #visible(weight) {
    return weight < this.#minWeight ? 0 : weight;
  }

  /** @param {Shown} shown */
  #paintWords(shown) {
    const { row, column } = this.#focus;
    this.#links?.clear();
    this.#cards.forEach((card, index) => card.classList.toggle("active", index === this.#hypothesis));
    const rowWeight = (/** @type {number} */ at) => this.#visible(shown.values[(row ?? 0) * shown.columns.length + at]);
    this.#columnLine?.tint(row === null ? null : rowWeight, shown.largest, this.#colours);
    this.#columnLine?.mark(column, this.#isPinned);
    this.#picture?.draw(row === null ? null : shown.values.subarray(row * shown.columns.length, (row + 1) * shown.columns.length), column);
    this.#rowLines.forEach((line, index) => {
      const own = index === this.#hypothesis ? shown : this.#shown(index);
      const isTinted = row === null && column !== null && own && column < own.columns.length;
      const weightOf = (/** @type {number} */ at) => this.#visible(own ? own.values[at * own.columns.length + (column ?? 0)] : 0);
      line.tint(isTinted ? weightOf : null, shown.largest, this.#colours);
      line.mark(index === this.#hypothesis ? row : null, this.#isPinned);
    });
    this.#paintLinks(shown);
  }

  /** @param {Shown} shown */
  #paintLinks(shown) {
    const { row, column } = this.#focus;
    const [source, target] = [this.#columnLine, this.#rowLines[this.#hypothesis]];
    if (!this.#links || !source || !target) return;
    const weight = (/** @type {number} */ r, /** @type {number} */ c) => this.#visible(shown.values[r * shown.columns.length + c]);
    if (row !== null && column === null) {
      this.#links.draw(target.words[row], source.words.map((word, at) => ({ word, weight: weight(row, at) })));
    } else if (column !== null && row === null) {
      this.#links.draw(source.words[column], target.words.map((word, at) => ({ word, weight: weight(at, column) })));
    } else if (row !== null && column !== null) {
      this.#links.draw(target.words[row], [{ word: source.words[column], weight: weight(row, column) }]);
    }
  }

  /** @param {Shown} shown */
  #paintReadout(shown) {
    const { rows, columns, values, largest } = shown;
    const { row, column } = this.#focus;
    const at = (/** @type {number} */ r, /** @type {number} */ c) => this.#visible(values[r * columns.length + c]);
    if (row !== null && column !== null) {
      const weights = [{ unit: columns[column], weight: values[row * columns.length + column] }];
      this.#readout.list(rows[row].text, weights, [], this.#colours, largest);
    } else if (row !== null) {
      const weights = columns.map((unit, c) => ({ unit, weight: at(row, c) }));
      this.#readout.list(rows[row].text, weights, this.#notesOn(rows[row], row), this.#colours, largest);
    } else if (column !== null) {
      const weights = rows.map((unit, r) => ({ unit, weight: at(r, column) }));
      this.#readout.list(columns[column].text, weights, this.#notesOnSource(column), this.#colours, largest);
    } else this.#readout.hint();
  }

  /**
   * @param {Unit} unit
   * @param {number} row
   */
  #notesOn(unit, row) {
    const notes = [];
    if (unit.probability !== null) notes.push(`The model gave it a probability of ${percent(unit.probability)}.`);
    if (unit.copied) notes.push("It was copied from the source.");
    if (this.#differences[this.#hypothesis]?.[row]) notes.push(this.#hypothesis ? "Hypothesis 1 has not this word here." : "The other output has not this word here.");
    if (this.#kind !== "alignment") return notes;
    const hypothesis = this.#result?.hypotheses[this.#hypothesis];
    const [entropy, coverage] = [hypothesis?.entropy[row], hypothesis?.coverage[row]];
    if (entropy !== undefined) notes.push(`Entropy of its attention: ${entropy.toFixed(2)} nats.`);
    if (coverage !== undefined && row > 0) notes.push(`${percent(coverage)} of it fell on what earlier rows had attended to.`);
    return notes;
  }

  /** @param {number} column */
  #notesOnSource(column) {
    const coverage = this.#result?.hypotheses[this.#hypothesis].sourceCoverage[column];
    if (this.#kind !== "alignment" || coverage === undefined) return [];
    return [`All rows together gave it ${coverage.toFixed(2)}, where each has 1 to give.`];
  }

  /** Fills the table only while it is open, as tables of large maps are slow. */
  #fillTable() {
    this.#table.querySelector(".table-scroll")?.remove();
    const shown = this.#shown();
    if (!this.#table.open || !shown) return;
    const scroll = element("div", "table-scroll", tableOf(shown.values, shown.rows, shown.columns));
    setAttributes(scroll, { tabindex: 0, role: "group", "aria-label": "Numbers" });
    this.#table.append(scroll);
  }
}

/**
 * The words of an output that are part of its text.
 * @param {Unit[]} units
 */
const ownWords = (units) => units.filter(({ special }) => !special);
