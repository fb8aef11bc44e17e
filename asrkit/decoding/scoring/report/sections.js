"use strict";
// Summary, comparison, plots and most frequent errors.

const STYLES = ["a", "b"];
const ASPECTS = {
  duration: (unit) => `${unit.rate} by duration (seconds)`,
  rate: (unit) => `${unit.rate} by speaking rate (${unit.many}/second)`,
  words: (unit) => `${unit.rate} by length (reference ${unit.many})`,
  speaker: (unit) => `${unit.rate} by speaker, highest first`,
};

const key = (system) => el("span", { class: `key ${STYLES[system]}`, "aria-hidden": "true" });

function table(head, rows, caption) {
  return el(
    "table",
    {},
    el("caption", { hidden: true }, caption),
    el("thead", {}, el("tr", {}, ...head)),
    el("tbody", {}, ...rows),
  );
}

const heading = (text, kind = "") => el("th", { scope: "col", class: kind }, text);
const number = (text) => el("td", { class: "number" }, text);

/** One row a set and system; a set's name chooses it. */
function drawSummary(host, sets, chosen, choose) {
  const systems = sets.flatMap((set) => set.systems);
  const low = Math.min(...systems.map((one) => one.low));
  const high = Math.max(...systems.map((one) => one.high));
  const has = (name) => systems.some((one) => one[name] !== null);
  const head = ["Set", "System"].map((text) => heading(text));
  const names = (of) => [...new Set(sets.map((set) => of(set.unit)))].join(" / ");
  head.push(...[`${names((unit) => unit.rate)} %`, "95 % interval"].map((text) => heading(text, "number")), heading(""));
  if (has("cer")) head.push(heading("CER %", "number"));
  const counts = ["Errors", "Ins", "Del", "Sub", capital(names((unit) => unit.many)), "Utterances", "Empty"];
  head.push(...counts.map((text) => heading(text, "number")));
  if (has("rtfx")) head.push(heading("RTFx", "number"));
  if (has("memory")) head.push(heading("Memory MiB", "number"));
  const rows = sets.flatMap((set, place) =>
    set.systems.map((one, system) => {
      const name = el("button", { type: "button", class: "plain", onclick: () => choose(place) }, set.name);
      if (place === chosen) name.setAttribute("aria-current", "true");
      const cells = [
        el("td", { class: "name", title: set.name }, system ? "" : name),
        el("td", { class: "name", title: one.method }, key(system), one.method),
        el("td", { class: "number" }, el("strong", {}, percent(one.rate))),
        el("td", { class: "number", title: `over ${one.over}` }, `${percent(one.low)} – ${percent(one.high)}`),
        el("td", {}, drawInterval(one, low, high, STYLES[system])),
        ...(has("cer") ? [number(percent(one.cer))] : []),
        ...[one.errors, one.ins, one.dels, one.subs, one.words, one.utterances, one.empty].map((n) => number(whole(n))),
      ];
      if (has("rtfx")) cells.push(number(one.rtfx === null ? "–" : one.rtfx.toFixed(one.rtfx < 10 ? 1 : 0)));
      if (has("memory")) cells.push(number(one.memory === null ? "–" : whole(Math.round(one.memory))));
      return el("tr", { class: place === chosen && sets.length > 1 ? "chosen" : "" }, ...cells);
    }),
  );
  host.replaceChildren(table(head, rows, "Error rates of all sets"));
}

/** The verdict on two systems, and in how many utterances either is better. */
function drawComparison(host, set) {
  const result = set.comparison;
  const [a, b] = set.systems.map((one) => one.method);
  const better = result.difference < 0 ? 1 : 0;
  const says = result.significant
    ? `${[a, b][better]} is better by ${Math.abs(result.difference).toFixed(2)} % ${set.unit.rate} absolute.`
    : "No significant difference.";
  const p = result.p < 0.001 ? "p < 0.001" : `p = ${result.p.toFixed(3)}`;
  const detail =
    `${b} minus ${a}: ${signed(result.difference, 2)}, 95 % interval ` +
    `${signed(result.low, 2)} to ${signed(result.high, 2)}, ${p}, over ${whole(result.units)} ${result.unit}.`;
  const verdict = el("p", { class: `verdict ${result.significant ? STYLES[better] : ""}` }, el("strong", {}, says), el("br"), detail);
  const share = (count) => `width:${((100 * count) / set.ids.length).toFixed(2)}%`;
  const split = el(
    "div",
    { class: "split", "aria-hidden": "true" },
    el("span", { class: "a", style: share(result.more) }),
    el("span", { style: share(result.equal) }),
    el("span", { class: "b", style: share(result.fewer) }),
  );
  const legend = el(
    "p",
    { class: "muted" },
    key(0), `${a} has fewer errors in ${whole(result.more)} utterances, `,
    key(1), `${b} in ${whole(result.fewer)}; as many in ${whole(result.equal)}.`,
  );
  host.replaceChildren(verdict, split, legend);
}

/** A card with a chart and, folded away, its numbers. */
function plotCard(set, aspect, groups, chooseSpeaker) {
  const speakers = aspect === "speaker";
  const title = ASPECTS[aspect](set.unit);
  const rateOf = (group, system) => (group.words ? (100 * group.errors[system]) / group.words : null);
  if (speakers) groups = [...groups].sort((one, two) => (rateOf(two, 0) ?? -1) - (rateOf(one, 0) ?? -1));
  const methods = set.systems.map((one) => one.method);
  const choose = speakers ? (place) => chooseSpeaker(groups[place].name) : null;
  const label = (place) => {
    const group = groups[place];
    const rates = methods.map((method, system) => `${method} ${percent(rateOf(group, system))} %`);
    return `${group.name}: ${rates.join(", ")}; ${whole(group.words)} ${set.unit.many} in ${whole(group.utterances)} utterances`;
  };
  const chart = {
    title, names: groups.map((group) => group.name.replace(/ s$/, "")), label, choose,
    ticks: !speakers || groups.length <= 16,
    series: methods.map((_, system) => ({ style: STYLES[system], values: groups.map((group) => rateOf(group, system)) })),
  };
  const head = [heading(speakers ? "Speaker" : "Group"), ...methods.map((method) => heading(`${method} %`, "number"))];
  head.push(heading(capital(set.unit.many), "number"), heading("Utterances", "number"));
  const rows = () =>
    groups.map((group, place) => {
      const name = speakers ? el("button", { type: "button", class: "plain", onclick: () => choose(place) }, group.name) : group.name;
      const rates = methods.map((_, system) => number(percent(rateOf(group, system))));
      return el("tr", {}, el("td", {}, name), ...rates, number(whole(group.words)), number(whole(group.utterances)));
    });
  const legend = methods.length > 1 ? el("p", { class: "muted" }, ...methods.flatMap((method, system) => [key(system), method + " "])) : "";
  return card(title, chart, legend, () => table(head, rows(), title), speakers && groups.length > 24);
}

/** How much B differs from A for each speaker. */
function differenceCard(set, groups, chooseSpeaker) {
  const change = (group) => (100 * (group.errors[1] - group.errors[0])) / group.words;
  groups = groups.filter((group) => group.words).sort((one, two) => change(one) - change(two));
  const [a, b] = set.systems.map((one) => one.method);
  const title = `${set.unit.rate} of ${b} minus ${a} by speaker`;
  const chart = {
    title, names: groups.map((group) => group.name), ticks: groups.length <= 16,
    label: (place) => `${groups[place].name}: ${signed(change(groups[place]), 2)} %, ${whole(groups[place].words)} ${set.unit.many}`,
    choose: (place) => chooseSpeaker(groups[place].name),
    series: [{ style: (value) => (value > 0 ? "a" : "b"), values: groups.map(change) }],
  };
  const head = [heading("Speaker"), heading("Difference %", "number"), heading(capital(set.unit.many), "number")];
  const rows = () => groups.map((group) => el("tr", {}, el("td", {}, group.name), number(signed(change(group), 2)), number(whole(group.words))));
  const legend = el("p", { class: "muted" }, key(1), `below 0: ${b} is better `, key(0), `above 0: ${a} is better`);
  return card(title, chart, legend, () => table(head, rows(), title), groups.length > 24);
}

function card(title, chart, legend, numbers, wide) {
  const host = el("div");
  const inside = el("div", { class: "scroll" });
  const open = (event) => event.target.open && !inside.hasChildNodes() && inside.append(numbers());
  const details = el("details", { ontoggle: open }, el("summary", {}, "Numbers"), inside);
  const node = el("div", { class: `card${wide ? " wide" : ""}` }, el("h3", {}, title), legend, host, details);
  node.draw = () => drawBars(host, chart);
  return node;
}

function drawPlots(host, set, chooseSpeaker) {
  const cards = Object.keys(ASPECTS)
    .filter((aspect) => set.groups[aspect])
    .map((aspect) => plotCard(set, aspect, set.groups[aspect], chooseSpeaker));
  if (set.comparison && set.groups.speaker) cards.push(differenceCard(set, set.groups.speaker, chooseSpeaker));
  host.replaceChildren(...cards);
  for (const one of cards) one.draw();
}

const KINDS = { subs: "Substitutions", dels: "Deletions", ins: "Insertions" };
const AT_FIRST = 12;

/** Tables of frequent errors; entries are [ref, hyp, count of A, count of B]. */
function drawWords(host, set, chooseError) {
  const methods = set.systems.map((one) => one.method);
  const cards = Object.entries(KINDS).map(([name, title]) => {
    const kind = { subs: "sub", dels: "del", ins: "ins" }[name];
    let [shown, by] = [AT_FIRST, 0];
    const node = el("div", { class: "card" });
    const value = (entry) => (by < 2 ? entry[2 + by] : Math.abs(entry[3] - entry[2]));
    const draw = () => {
      const entries = [...set.frequent[name]].sort((one, two) => value(two) - value(one));
      const columns = methods.length > 1 ? [...methods, "Change"] : ["Count"];
      const sorter = (text, place) =>
        el("th", { scope: "col", class: "number", "aria-sort": by === place ? "descending" : "none" },
          methods.length > 1 ? el("button", { type: "button", class: "plain", onclick: () => ((by = place), draw()) }, text + (by === place ? " ▾" : "")) : text);
      const rows = entries.slice(0, shown).map((entry) => {
        const error = { kind, ref: entry[0], hyp: entry[1] };
        const pick = el("button", { type: "button", class: "plain", dir: "auto", onclick: () => chooseError(error) }, errorText(error));
        const counts = methods.map((_, system) => number(whole(entry[2 + system])));
        if (methods.length > 1) counts.push(number(signed(entry[3] - entry[2], 0)));
        return el("tr", {}, el("td", {}, pick), ...counts);
      });
      const more = el("button", { type: "button", class: "more", onclick: () => ((shown *= 3), draw()) }, "More");
      const head = [heading(capital(set.unit.one) + (kind === "sub" ? "s" : "")), ...columns.map(sorter)];
      const body = entries.length ? table(head, rows, title) : el("p", { class: "muted" }, "none");
      node.replaceChildren(el("h3", {}, title), body, entries.length > shown ? more : "");
    };
    draw();
    return node;
  });
  host.replaceChildren(...cards);
}

const errorText = (error) =>
  error.kind === "sub" ? `${error.ref} → ${error.hyp}` : error.kind === "del" ? error.ref : error.hyp;
