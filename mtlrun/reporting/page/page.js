"use strict";
// What moves on the page: sorting, choosing curves, moving points to other axes. All text is set as text, never as markup.
(() => {
  // A row's dashes differ from those of the rows beside it, and their gaps show a line below that has the same course. The
  // number of patterns shares no factor with that of the colours, so that no two of the first 40 rows look alike.
  const DASHES = [[], [9, 9], [3, 7], [14, 9, 3, 9], [22, 16]];
  const COLOURS = 8;
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const redraws = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dashOf = (row) => DASHES[row % DASHES.length];
  const make = (name, className, text) => {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    return element;
  };
  const svg = (name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // Sorting. Rows without a number come last in either direction.
  const sortable = (table) => {
    const headings = [...table.tHead.rows[0].cells];
    const keyOf = (row, place) => {
      const cell = row.cells[place];
      if (cell.dataset.number !== undefined) return Number(cell.dataset.number);
      const text = cell.textContent.trim();
      return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text === "-" ? null : text;
    };
    const compare = (a, b) => {
      if (typeof a === "number" && typeof b === "number") return a - b;
      return typeof a === typeof b ? a.localeCompare(b) : typeof a === "number" ? -1 : 1;
    };
    const sort = (place) => {
      const sign = headings[place].getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...table.tBodies[0].rows].map((row) => [keyOf(row, place), row]);
      rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)));
      headings.forEach((heading) => heading.removeAttribute("aria-sort"));
      headings[place].setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      table.tBodies[0].append(...rows.map(([, row]) => row));
    };
    headings.forEach((heading, place) => heading.querySelector("button").addEventListener("click", () => sort(place)));
  };

  // One forest at a time.
  const forests = (card) => {
    const [choice, figures] = [card.querySelector(".choice"), [...card.querySelectorAll(".forest-plot")]];
    const select = choice.querySelector("select");
    const show = () => figures.forEach((figure, place) => { figure.hidden = place !== select.selectedIndex; });
    choice.hidden = figures.length < 2;
    select.addEventListener("change", show);
    show();
  };

  // Scatter plots: the same margins as in the picture that was drawn beforehand.
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [440, 330, 56, 16, 14, 46];
  const across = (place) => LEFT + place * (WIDTH - LEFT - RIGHT);
  const up = (place) => HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);
  const front = (x, y, among) => {
    const points = x.at
      .map((a, row) => [a, y.at[row], row])
      .filter(([a, b, row]) => a !== null && b !== null && (!among || among.includes(row)));
    const [right, top] = [x.higher ? 1 : -1, y.higher ? 1 : -1];
    const beats = ([c, d], [a, b]) => right * (c - a) >= 0 && top * (d - b) >= 0 && (c !== a || d !== b);
    return points.filter((point) => !points.some((other) => beats(other, point))).sort((a, b) => a[0] - b[0]);
  };
  const tradeOff = (figure, section) => {
    const picture = figure.querySelector("svg.scatter");
    const draw = () => {
      const [x, y] = ["x", "y"].map((name) => section.axes[figure.querySelector(`select.${name}`).value]);
      const ticks = picture.querySelector(".ticks");
      ticks.replaceChildren();
      for (const [place, text] of x.ticks) {
        ticks.append(svg("path", { d: `M${across(place)} ${TOP}V${HEIGHT - BOTTOM}` }));
        ticks.append(svg("text", { x: across(place), y: HEIGHT - BOTTOM + 16, class: "x" }, text));
      }
      for (const [place, text] of y.ticks) {
        ticks.append(svg("path", { d: `M${LEFT} ${up(place)}H${WIDTH - RIGHT}` }));
        ticks.append(svg("text", { x: LEFT - 6, y: up(place) + 4, class: "y" }, text));
      }
      for (const [name, among] of [["front", null], ["weighted", section.weighted]]) {
        const line = front(x, y, among).map(([a, b]) => `${across(a)} ${up(b)}`);
        picture.querySelector(`.${name}`).setAttribute("d", line.length ? `M${line.join("L")}` : "");
      }
      for (const point of picture.querySelectorAll(".point")) {
        const row = Number(point.dataset.row);
        const known = x.at[row] !== null && y.at[row] !== null;
        point.setAttribute("visibility", known ? "visible" : "hidden");
        if (known) point.setAttribute("transform", `translate(${across(x.at[row])} ${up(y.at[row])})`);
        point.querySelector("title").textContent =
          `${section.rows[row].label}: ${x.label} ${x.texts[row]}, ${y.label} ${y.texts[row]}`;
      }
      picture.querySelector(".x-label").textContent = x.label;
      picture.querySelector(".y-label").textContent = y.label;
      picture.setAttribute("aria-label", `${y.label} against ${x.label}`);
    };
    figure.querySelector(".controls").hidden = false;
    figure.querySelectorAll("select").forEach((select) => select.addEventListener("change", draw));
  };

  // Curves. Of one task with a line per row, or of one row with a line per task.
  const curves = (card, section) => {
    const find = (selector) => card.querySelector(selector);
    const [quantitySelect, which, singles, log] = [".quantity", ".which", ".singles", ".log"].map(find);
    const [holder, reading, legend] = [".plot", ".reading", ".legend"].map(find);
    const shown = new Set(section.rows.flatMap((row, place) => (row.shown ? [place] : [])));
    const hiddenNames = new Set();
    let plot = null;
    let outputs = [];

    const quantity = () => section.curves[quantitySelect.value];
    const choose = () => {
      const before = which.value;
      which.replaceChildren();
      const group = (label, prefix, names) => {
        const options = document.createElement("optgroup");
        options.label = label;
        names.forEach((name, place) => options.append(new Option(name, prefix + place)));
        which.append(options);
      };
      const { names, units } = quantity();
      group("one task, all rows", "n", names.map((name, place) => `${name} ${units[place]}`.trim()));
      group("one row, all tasks", "r", section.rows.map((row, place) => `${place + 1} ${row.label}`));
      if ([...which.options].some((option) => option.value === before)) which.value = before;
      const pairs = quantity().title.startsWith("cosine");
      which.children[0].label = pairs ? "one pair, all rows" : "one task, all rows";
      which.children[1].label = pairs ? "one row, all pairs" : "one row, all tasks";
    };
    // [{label, look, curve, key}] of what is chosen; look decides colour and dash.
    const lines = () => {
      const [kind, place] = [which.value[0], Number(which.value.slice(1))];
      const entries =
        kind === "n"
          ? section.rows.map((row, at) => ({ label: `${at + 1} ${row.label}`, look: at, curve: quantity().curves[place][at], hidden: !shown.has(at), key: at }))
          : quantity().names.map((name, at) => ({ label: name, look: at, curve: quantity().curves[at][place], hidden: hiddenNames.has(name), key: name }));
      return entries.filter((entry) => entry.curve);
    };
    const toggle = (entry) => {
      const set = typeof entry.key === "number" ? shown : hiddenNames;
      if (!set.delete(entry.key)) set.add(entry.key);
      draw();
    };
    const drawLegend = (entries) => {
      const focused = [...legend.children].indexOf(document.activeElement);
      outputs = entries.map(() => document.createElement("output"));
      legend.replaceChildren(
        ...entries.map((entry, place) => {
          const button = make("button", `f${entry.look % COLOURS}`, "");
          const sample = svg("svg", { viewBox: "0 0 44 10", "aria-hidden": "true" });
          sample.append(svg("path", { d: "M0 5H44", "stroke-dasharray": dashOf(entry.look).join(" ") }));
          button.type = "button";
          button.setAttribute("aria-pressed", String(!entry.hidden));
          button.append(sample, entry.label, outputs[place]);
          button.addEventListener("click", () => toggle(entry));
          return button;
        }),
      );
      if (focused >= 0 && legend.children[focused]) legend.children[focused].focus();
    };
    const short = (value) => (value === null || value === undefined ? "" : String(Number(value.toPrecision(4))));
    const read = (entries, place) => {
      const none = place === null || place === undefined;
      reading.textContent = none ? quantity().note : `${quantity().axis} ${short(quantity().x[place])}`;
      entries.forEach((entry, at) => {
        const [mean, deviation] = none || entry.hidden ? [null] : [entry.curve.m[place], entry.curve.s && entry.curve.s[place]];
        outputs[at].textContent = short(mean) + (mean !== null && deviation ? ` ± ${short(deviation)}` : "");
      });
    };
    const draw = () => {
      const entries = lines();
      const visible = entries.filter((entry) => !entry.hidden);
      const series = [{}];
      const columns = [quantity().x];
      const bands = [];
      const add = (values, style) => columns.push(values) && series.push({ points: { show: values.filter((v) => v !== null).length < 2 }, spanGaps: true, ...style });
      for (const { curve, look } of visible) {
        const stroke = colour(`--c${look % COLOURS}`);
        if (singles.checked) {
          for (const run of curve.r || []) add(run, { stroke: stroke + "99", width: 1, dash: dashOf(look) });
        } else if (curve.s) {
          const edge = (sign) => curve.m.map((mean, at) => (mean === null ? null : mean + sign * (curve.s[at] || 0)));
          const floor = (values) => (log.checked ? values.map((v) => (v > 0 ? v : null)) : values);
          add(floor(edge(1)), { width: 0 });
          add(floor(edge(-1)), { width: 0 });
          series.slice(-2).forEach((line) => { line.points = { show: false }; });
          bands.push({ series: [columns.length - 2, columns.length - 1], fill: stroke + "2e" });
        }
        if (!singles.checked || !curve.r) add(curve.m, { stroke, width: 2, dash: dashOf(look) });
      }
      if (plot) plot.destroy();
      const axis = { stroke: colour("--faint"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1 }, font: "13px system-ui, sans-serif" };
      const whole = { ...axis, incrs: [1, 2, 5].flatMap((unit, _, all) => Array.from({ length: 9 }, (_, power) => unit * 10 ** power)).sort((a, b) => a - b) };
      plot = new uPlot(
        {
          width: holder.clientWidth || 300,
          height: Math.max(240, Math.min(420, 0.5 * holder.clientWidth)),
          legend: { show: false },
          cursor: { y: false, points: { show: false } },
          scales: { x: { time: false }, y: log.checked ? { distr: 3 } : {} },
          axes: [{ ...whole, label: quantity().axis, labelFont: axis.font, labelSize: 22, size: 34 }, { ...axis, size: 62 }],
          series,
          bands,
          hooks: { setCursor: [(self) => read(entries, self.cursor.idx)] },
        },
        columns,
        holder,
      );
      drawLegend(entries);
      read(entries, null);
      const last = which.selectedOptions[0];
      holder.setAttribute("aria-label", `${quantity().title} of ${last ? last.textContent : ""} over ${quantity().axis}s; the arrow keys read off values`);
    };
    // The cursor by keyboard.
    holder.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const { x } = quantity();
      const now = plot.cursor.idx === null || plot.cursor.idx === undefined ? (step > 0 ? -1 : x.length) : plot.cursor.idx;
      const place = Math.max(0, Math.min(x.length - 1, now + step));
      plot.setCursor({ left: plot.valToPos(x[place], "x"), top: 10 });
    });
    quantitySelect.addEventListener("change", () => { choose(); draw(); });
    [which, singles, log].forEach((control) => control.addEventListener("change", draw));
    new ResizeObserver(() => {
      const width = holder.clientWidth;
      if (plot && width && width !== plot.width) plot.setSize({ width, height: Math.max(240, Math.min(420, 0.5 * width)) });
    }).observe(holder);
    find(".controls").hidden = false;
    choose();
    draw();
    redraws.push(draw);
  };

  for (const part of document.querySelectorAll("[data-section]")) {
    const section = data.sections[Number(part.dataset.section)];
    part.querySelectorAll("table.results").forEach(sortable);
    part.querySelectorAll(".forests").forEach(forests);
    part.querySelectorAll(".trade-off").forEach((figure) => tradeOff(figure, section));
    part.querySelectorAll(".curves").forEach((card) => curves(card, section));
  }
  dark.addEventListener("change", () => redraws.forEach((redraw) => redraw()));
})();
