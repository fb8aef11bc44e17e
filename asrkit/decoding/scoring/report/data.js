"use strict";
// What the page shows. All text reaches the page as text nodes, never as HTML.

const report = JSON.parse(document.getElementById("data").textContent);

/** Make an element; children are strings or elements. */
function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const whole = (number) => number.toLocaleString("en-US");
const percent = (number) => (number === null || !Number.isFinite(number) ? "–" : number.toFixed(2));
const signed = (number, digits) =>
  (number > 0 ? "+" : number < 0 ? "−" : "") + Math.abs(number).toFixed(digits);
const capital = (text) => text[0].toUpperCase() + text.slice(1);
const rate = (errors, words) => (words ? (100 * errors) / words : errors ? Infinity : 0);

/** The aligned words of an utterance: {kind, ref, hyp}, kind "", "sub", "del" or "ins". */
function alignedWords(set, system, row) {
  const refs = set.refs[row] ? set.refs[row].split(" ") : [];
  const edits = set.edits[system][row] || [];
  const words = [];
  let next = 0; // the first reference word not yet put down
  const copyTo = (end) => {
    for (; next < end; next++) words.push({ kind: "", ref: refs[next], hyp: refs[next] });
  };
  // Pairs of place and word. Place p >= 0: reference word p became this one, or was lost
  // (""). Place -p-1: this word was inserted before reference word p.
  for (let k = 0; k < edits.length; k += 2) {
    const [place, hyp] = [edits[k], edits[k + 1]];
    copyTo(place < 0 ? -place - 1 : place);
    if (place < 0) words.push({ kind: "ins", ref: "", hyp });
    else words.push({ kind: hyp ? "sub" : "del", ref: refs[next++], hyp });
  }
  copyTo(refs.length);
  return words;
}

/** Work out what the tables sort by, once per set. */
function measure(set) {
  if (set.count) return set;
  const count = set.ids.length;
  set.count = count;
  set.words = new Uint32Array(count);
  set.errors = set.edits.map(() => new Uint32Array(count));
  set.empty = set.edits.map(() => new Uint8Array(count));
  for (let row = 0; row < count; row++) {
    let words = set.refs[row] ? 1 : 0;
    for (const letter of set.refs[row]) if (letter === " ") words++;
    set.words[row] = words;
    set.edits.forEach((of, system) => {
      const edits = of[row] || [];
      let length = words;
      for (let k = 0; k < edits.length; k += 2) {
        if (edits[k] < 0) length++;
        else if (!edits[k + 1]) length--;
      }
      set.errors[system][row] = edits.length / 2;
      set.empty[system][row] = length ? 0 : 1;
    });
  }
  return set;
}

const speakerOf = (set, row) => (set.speakers ? set.speakers.names[set.speakers.of[row]] ?? "" : "");

/** A text as searches compare it: blanks count where words are counted. */
const searched = (set, text) => (set.unit.one === "word" ? text : text.replaceAll(" ", "")).toLowerCase();

/** What a search looks through: id, speaker, reference, hypotheses. */
function searchTexts(set) {
  set.texts ??= set.ids.map((id, row) => {
    const parts = [id, speakerOf(set, row), set.refs[row]];
    set.edits.forEach((of, system) => {
      if (!of[row]) return;
      const words = alignedWords(set, system, row).filter((word) => word.hyp);
      parts.push(words.map((word) => word.hyp).join(" "));
    });
    return searched(set, parts.join("\n"));
  });
  return set.texts;
}

/** Whether some system makes this error in this utterance. */
function hasError(set, row, error) {
  return set.edits.some((of, system) => {
    const edits = of[row];
    if (!edits || (error.kind !== "del" && !edits.includes(error.hyp))) return false;
    return alignedWords(set, system, row).some(
      (word) => word.kind === error.kind && word.ref === error.ref && word.hyp === error.hyp,
    );
  });
}
