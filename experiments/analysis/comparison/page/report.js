"use strict";

// Tables sort by the column that is clicked: by numbers where all of its cells have one, else by words.
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("th").forEach((head, column) => {
    head.dataset.sort = "";
    head.addEventListener("click", () => {
      const falls = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
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

// Each run's samples over time.
for (const figure of document.querySelectorAll("figure[data-pictures]")) {
  const pictures = JSON.parse(figure.dataset.pictures);
  const [image, slider, label] = ["img", "input", "output"].map((name) => figure.querySelector(name));
  const show = () => {
    const [kimg, source] = pictures[Number(slider.value)];
    image.src = source;
    label.textContent = `${kimg} kimg`;
  };
  slider.addEventListener("input", show);
  show();
}

const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const ink = dark ? "#ccc" : "#333";
for (const place of document.querySelectorAll("div[data-figure]")) {
  const { data, layout } = JSON.parse(document.getElementById(place.dataset.figure).textContent);
  const look = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink } };
  Plotly.newPlot(place, data, { ...layout, ...look }, { responsive: true, displaylogo: false });
}
