"use strict";
// The table of utterances: searched, filtered, sorted, a page at a time.

const SIZES = [25, 50, 100, 200];

class Utterances {
  constructor(set) {
    this.set = measure(set);
    this.two = set.systems.length > 1;
    this.state = { query: "", filter: "all", error: null, speaker: null, sort: this.two ? "change" : "errors0", down: true, page: 0, size: SIZES[0] };
    this.columns = this.makeColumns();
    this.drawTools();
    this.update();
  }

  /** Sort keys by name: {title, at(row), show(row)}. */
  makeColumns() {
    const { set } = this;
    const columns = { id: { title: "Utterance", at: (row) => row } };
    if (set.speakers) columns.speaker = { title: "Speaker", at: (row) => set.speakers.of[row], show: (row) => speakerOf(set, row) };
    if (set.durations) {
      columns.duration = { title: "Seconds", at: (row) => set.durations[row] ?? -1, show: (row) => set.durations[row]?.toFixed(2) ?? "–" };
    }
    columns.words = { title: capital(set.unit.many), at: (row) => set.words[row], show: (row) => set.words[row] };
    set.systems.forEach((one, system) => {
      const name = this.two ? `, ${one.method}` : "";
      const errors = set.errors[system];
      columns[`errors${system}`] = { title: `Errors${name}`, at: (row) => errors[row], show: (row) => errors[row] };
      columns[`rate${system}`] = { title: `${set.unit.rate} %${name}`, at: (row) => rate(errors[row], set.words[row]), show: (row) => percent(rate(errors[row], set.words[row])) };
    });
    if (this.two) {
      const change = (row) => set.errors[1][row] - set.errors[0][row];
      columns.change = { title: "Change", at: change, show: (row) => signed(change(row), 0) };
    }
    return columns;
  }

  filters() {
    const { set } = this;
    const wrong = (row) => set.errors.some((errors) => errors[row]);
    const filters = {
      all: ["all", () => true],
      wrong: ["with errors", wrong],
      right: ["without errors", (row) => !wrong(row)],
      empty: ["empty hypothesis", (row) => set.empty.some((empty) => empty[row])],
    };
    if (this.two) {
      const [a, b] = set.errors;
      filters.better = [`better with ${set.systems[1].method}`, (row) => b[row] < a[row]];
      filters.worse = [`better with ${set.systems[0].method}`, (row) => a[row] < b[row]];
      filters.differ = ["different errors", (row) => String(set.edits[0][row]) !== String(set.edits[1][row])];
    }
    return filters;
  }

  drawTools() {
    const { state } = this;
    const change = (name) => (event) => this.change({ [name]: event.target.value });
    const options = (entries, chosen) => entries.map(([value, text]) => el("option", { value, selected: String(value) === String(chosen) }, text));
    let waiting = 0;
    const search = (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.change({ query: searched(this.set, event.target.value.trim()) }), 150);
    };
    const filters = Object.entries(this.filters()).map(([name, [title]]) => [name, title]);
    const columns = Object.entries(this.columns).map(([name, { title }]) => [name, title]);
    this.sortBox = el("select", { onchange: change("sort") }, ...options(columns, state.sort));
    this.order = el("button", { type: "button", onclick: () => this.change({ down: !state.down }) });
    this.chips = el("span");
    const form = document.getElementById("tools");
    form.onsubmit = (event) => event.preventDefault();
    form.replaceChildren(
      el("label", { class: "search" }, `Search ${this.set.unit.many}, ids, speakers`, el("input", { type: "search", oninput: search, autocomplete: "off" })),
      el("label", {}, "Show", el("select", { onchange: change("filter") }, ...options(filters, state.filter))),
      el("label", {}, "Sort by", this.sortBox),
      this.order,
      el("label", {}, "Per page", el("select", { onchange: (event) => this.change({ size: Number(event.target.value) }) }, ...options(SIZES.map((n) => [n, n]), state.size))),
      this.chips,
    );
  }

  /** Take over changes of the state and draw again, from the first page. */
  change(changes) {
    Object.assign(this.state, { page: 0 }, changes);
    this.update();
  }

  /** Show the utterances with an error or of a speaker, and go there. */
  focus(changes) {
    this.change({ error: null, speaker: null, ...changes });
    document.getElementById("utterances-title").scrollIntoView();
  }

  update() {
    this.rows = this.sorted(this.matching());
    this.draw();
  }

  matching() {
    const { set, state } = this;
    const keep = this.filters()[state.filter][1];
    const texts = state.query ? searchTexts(set) : null;
    const rows = [];
    for (let row = 0; row < set.count; row++) {
      if (!keep(row)) continue;
      if (state.speaker !== null && (speakerOf(set, row) || "unknown") !== state.speaker) continue;
      if (texts && !texts[row].includes(state.query)) continue;
      if (state.error && !hasError(set, row, state.error)) continue;
      rows.push(row);
    }
    return Uint32Array.from(rows);
  }

  sorted(rows) {
    const { at } = this.columns[this.state.sort];
    const keys = Float64Array.from({ length: this.set.count }, (_, row) => at(row));
    const sign = this.state.down ? -1 : 1;
    // Infinity minus itself is no number; ties stay in the order of their ids.
    return rows.sort((one, two) => (keys[one] === keys[two] ? one - two : sign * (keys[one] < keys[two] ? -1 : 1)));
  }

  draw() {
    const { set, state, rows } = this;
    const pages = Math.max(1, Math.ceil(rows.length / state.size));
    state.page = Math.min(state.page, pages - 1);
    this.sortBox.value = state.sort;
    this.order.replaceChildren(state.down ? "↓ descending" : "↑ ascending");
    this.drawChips();
    document.getElementById("found").textContent = `${whole(rows.length)} of ${whole(set.count)} utterances`;
    const start = state.page * state.size;
    const body = [...rows.slice(start, start + state.size)].map((row) => this.row(row));
    const shown = table(this.head(), body, "Utterances");
    document.getElementById("utterances").replaceChildren(rows.length ? shown : el("p", {}, "Nothing matches."));
    this.drawPages(pages);
  }

  head() {
    const { state } = this;
    const hidden = (name) => name === "speaker" || name.startsWith("rate");
    const cells = Object.entries(this.columns).filter(([name]) => !hidden(name)).map(([name, { title }]) => {
      const sorted = state.sort === name;
      const arrow = sorted ? (state.down ? " ↓" : " ↑") : "";
      const sort = () => this.change({ sort: name, down: sorted ? !state.down : name !== "id" });
      const order = sorted ? (state.down ? "descending" : "ascending") : "none";
      return el("th", { scope: "col", class: name === "id" ? "id" : "number", "aria-sort": order },
        el("button", { type: "button", class: "plain", onclick: sort }, title.replace(/^Errors, /, "") + arrow));
    });
    return [...cells, el("th", { scope: "col", class: "text" }, `${capital(this.set.unit.many)}: `, el("del", {}, "deleted"), " ", el("ins", {}, "inserted"), " ",
      el("span", { class: "sub" }, el("s", {}, "reference"), " ", el("b", {}, "recognized")))];
  }

  row(row) {
    const { set, columns } = this;
    const cells = [el("td", { class: "id", dir: "auto" }, set.ids[row])];
    const speaker = speakerOf(set, row);
    if (speaker) cells[0].append(el("div", { class: "muted" }, speaker));
    for (const [name, column] of Object.entries(columns)) {
      if (name === "id" || name === "speaker" || name.startsWith("rate")) continue;
      cells.push(el("td", { class: "number", "data-label": column.title }, String(column.show(row))));
    }
    const texts = set.systems.map((one, system) => {
      const words = alignedWords(set, system, row).flatMap((word) => [wordNode(word), set.unit.gap]);
      if (!words.length) words.push(el("span", { class: "muted" }, "(empty)"));
      const name = this.two ? [key(system), el("span", { class: "unseen" }, `${one.method}: `)] : [];
      return el("div", { class: "words", dir: "auto" }, ...name, ...words);
    });
    return el("tr", {}, ...cells, el("td", { class: "text" }, ...texts));
  }

  drawChips() {
    const { state } = this;
    const chip = (text, name) =>
      el("button", { type: "button", class: "chip", "aria-label": `no longer only ${text}`, onclick: () => this.change({ [name]: null }) }, `${text} ✕`);
    const chips = [];
    if (state.error) chips.push(chip(errorText(state.error), "error"));
    if (state.speaker !== null) chips.push(chip(`speaker ${state.speaker}`, "speaker"));
    this.chips.replaceChildren(...chips);
  }

  drawPages(pages) {
    const { page } = this.state;
    const go = (text, to) =>
      el("button", { type: "button", disabled: to === page || to < 0 || to >= pages, onclick: () => { this.state.page = to; this.draw(); } }, text);
    const jump = el("input", { type: "number", min: 1, max: pages, value: page + 1, "aria-label": "Page", style: "width:6rem",
      onchange: (event) => { this.state.page = Math.min(pages, Math.max(1, Number(event.target.value) || 1)) - 1; this.draw(); } });
    document.getElementById("pages").replaceChildren(
      go("First", 0), go("Back", page - 1), jump, el("span", { class: "muted" }, `of ${whole(pages)}`), go("Next", page + 1), go("Last", pages - 1));
  }
}

function wordNode(word) {
  if (word.kind === "sub") return el("span", { class: "sub" }, el("s", {}, word.ref), " ", el("b", {}, word.hyp));
  if (word.kind === "del") return el("del", {}, word.ref);
  if (word.kind === "ins") return el("ins", {}, word.hyp);
  return word.ref;
}
