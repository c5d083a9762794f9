"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const short = (value) => {
  const size = Math.abs(value);
  return size >= 1e4 && size < 1e6 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
};

// Tables sort by the column whose heading is pressed: by numbers where all of its cells have one, else by words.
for (const table of all("table.sortable")) {
  all("thead th", table).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falls = head.getAttribute("aria-sort") === "ascending";
      all("th", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      const body = table.tBodies[0];
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const rows = [...body.rows];
      const areNumbers = rows.every((row) => value(row) !== "" && !Number.isNaN(Number(value(row))));
      const compare = (a, b) =>
        areNumbers ? value(a) - value(b) : value(a).localeCompare(value(b), undefined, { numeric: true });
      rows.sort((a, b) => (falls ? compare(b, a) : compare(a, b)));
      body.append(...rows);
    });
  });
}

// Samples over time: a slider for each run, and one for all.
const timelines = all("figure[data-pictures]").map((figure) => {
  const pictures = JSON.parse(figure.dataset.pictures);
  const [image, slider, label] = ["img", "input", "output"].map((name) => figure.querySelector(name));
  const show = () => {
    const [, words, source] = pictures[Number(slider.value)];
    image.src = source;
    label.textContent = `${words} kimg`;
    slider.setAttribute("aria-valuetext", label.textContent);
  };
  slider.addEventListener("input", show);
  show();
  const times = pictures.map(([kimg]) => kimg);
  return (kimg) => {
    slider.value = times.findLastIndex((time) => time <= kimg);
    if (Number(slider.value) < 0) slider.value = 0;
    show();
  };
});
for (const control of all(".all-times")) {
  const times = JSON.parse(control.dataset.times);
  const [slider, label] = ["input", "output"].map((name) => control.querySelector(name));
  control.hidden = timelines.length < 2;
  slider.addEventListener("input", () => {
    const kimg = times[Number(slider.value)];
    label.textContent = `${kimg} kimg`;
    slider.setAttribute("aria-valuetext", label.textContent);
    timelines.forEach((show) => show(kimg));
  });
}

// Charts: the pointer, a finger or the arrow keys read values; a name in a legend hides its group everywhere.
for (const figure of all("figure[data-chart]")) {
  const { x, series } = JSON.parse(figure.dataset.chart);
  const [slider, cursor, label] = [".reader", ".cursor", "output"].map((name) => figure.querySelector(name));
  const read = (share) => {
    const at = x[0] + share * (x[1] - x[0]);
    cursor.hidden = false;
    cursor.style.left = `${100 * share}%`;
    label.textContent = `at ${short(at)} kimg`;
    const words = series.map((own, index) => {
      let nearest = 0;
      own.x.forEach((value, i) => {
        if (Math.abs(value - at) < Math.abs(own.x[nearest] - at)) nearest = i;
      });
      const value = own.y[nearest] === null ? "–" : short(own.y[nearest]);
      const [low, high] = [own.low[nearest], own.high[nearest]];
      const band = low === undefined || low === null || high === null ? "" : ` (${short(low)} to ${short(high)})`;
      const place = figure.querySelector(`[data-value="${index}"]`);
      place.textContent = value + band;
      return `${place.previousElementSibling.textContent} ${value}`;
    });
    slider.setAttribute("aria-valuetext", `${label.textContent}: ${words.join(", ")}`);
  };
  slider.addEventListener("input", () => read(Number(slider.value) / 1000));
  slider.parentElement.addEventListener("pointermove", (event) => {
    const place = slider.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - place.left) / place.width));
    slider.value = Math.round(1000 * share);
    read(share);
  });
}
for (const button of all("[data-toggle]")) {
  button.addEventListener("click", () => {
    const isShown = button.getAttribute("aria-pressed") === "false";
    const group = button.dataset.toggle;
    all(`[data-toggle="${group}"]`).forEach((each) => each.setAttribute("aria-pressed", String(isShown)));
    all(`path[data-group="${group}"]`).forEach((path) => (path.style.display = isShown ? "" : "none"));
  });
}

// What is folded is printed, too.
let closed = [];
addEventListener("beforeprint", () => {
  closed = all("details:not([open])");
  closed.forEach((each) => (each.open = true));
});
addEventListener("afterprint", () => closed.forEach((each) => (each.open = false)));
