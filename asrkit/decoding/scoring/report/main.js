"use strict";

const part = (id) => document.getElementById(id);

function choose(place) {
  const set = report.sets[place];
  drawSummary(part("summary"), report.sets, place, choose);
  part("comparison").hidden = !set.comparison;
  if (set.comparison) drawComparison(part("comparison-body"), set);
  const utterances = new Utterances(set);
  drawPlots(part("plots"), set, (speaker) => utterances.focus({ speaker }));
  drawWords(part("words"), set, (error) => utterances.focus({ error }));
}

choose(0);

let waiting = 0;
let drawnAt = window.innerWidth;
window.addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    // A phone's address bar changes the height alone.
    if (window.innerWidth === drawnAt) return;
    drawnAt = window.innerWidth;
    for (const one of part("plots").children) one.draw();
  }, 150);
});
