"use strict";
// Rows become text nodes, never markup. A card is markup that the report escaped; the page's policy runs no other script.
(function () {
  const PAGE = 100;
  const byId = (id) => document.getElementById(id);
  const held = JSON.parse(byId("rows").textContent);
  const [PATH, WORD, WHY, NAMES, STRIP, SEEN, CARD] = [0, 1, 2, 3, 4, 5, 6];
  const body = document.querySelector("#files tbody");
  const state = { only: "", find: "", category: "", page: 0, chosen: [] };
  let left = 0; // where the reader stood in the table

  function element(name, className, words) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (words !== undefined) made.textContent = words;
    return made;
  }

  function choose() {
    const find = state.find.toLowerCase();
    state.chosen = held.order.filter((number) => {
      const row = held.rows[number];
      return (!state.only || row[WORD] === state.only) && (!state.category || row[NAMES].includes(state.category))
        && (!find || row[PATH].toLowerCase().includes(find));
    });
    state.page = 0;
    draw();
  }

  function strip(found) {
    const bar = element("span", "strip");
    for (const [start, length, action] of found) {
      const mark = element("i", "a" + action);
      mark.style.left = start / 10 + "%";
      mark.style.width = length / 10 + "%";
      bar.append(mark);
    }
    return bar;
  }

  function line(number) {
    const row = held.rows[number];
    const made = element("tr");
    const cell = (className, child) => {
      const td = element("td", className);
      td.append(child);
      made.append(td);
    };
    cell("", element("span", "badge " + row[WORD], row[WORD]));
    const end = row[PATH].lastIndexOf("/") + 1; // the name of a file says more than its folder
    const name = element(row[CARD] ? "button" : "span", "", row[PATH].slice(end) || row[PATH]);
    const whole = element("div");
    whole.append(name);
    if (end > 0 && end < row[PATH].length) whole.append(element("span", "folder", row[PATH].slice(0, end - 1) || "/"));
    whole.title = row[PATH];
    if (row[CARD]) name.addEventListener("click", () => { location.hash = "f" + number; });
    cell("name", whole);
    cell("why", document.createTextNode(row[WHY]));
    cell("", row[SEEN] ? strip(row[STRIP]) : document.createTextNode("–"));
    cell("num", document.createTextNode(row[SEEN] ? row[SEEN][0] + " of " + row[SEEN][1] : "–"));
    return made;
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(state.chosen.length / PAGE));
    const part = state.chosen.slice(state.page * PAGE, (state.page + 1) * PAGE);
    body.replaceChildren(...part.map(line));
    byId("shown").textContent = state.chosen.length + " of " + held.rows.length + " files";
    byId("page").textContent = "page " + (state.page + 1) + " of " + pages;
    byId("before").disabled = state.page === 0;
    byId("after").disabled = state.page >= pages - 1;
  }

  function turn(by) {
    state.page += by;
    draw();
    byId("files").scrollIntoView();
  }

  function show() {
    const wanted = /^#f(\d+)$/.exec(location.hash);
    const card = wanted && byId("c" + wanted[1]);
    if (card) {
      if (!byId("run").hidden) left = window.scrollY;
      byId("card").innerHTML = JSON.parse(card.textContent);
      byId("one").scrollIntoView();
    } else {
      byId("card").replaceChildren();
    }
    byId("run").hidden = Boolean(card);
    byId("one").hidden = !card;
    window.scrollTo(0, card ? 0 : left);
  }

  const names = [...new Set(held.rows.flatMap((row) => row[NAMES]))].sort();
  byId("category").append(...names.map((name) => {
    const option = element("option", "", name);
    option.value = name;
    return option;
  }));
  byId("find").addEventListener("input", (event) => { state.find = event.target.value; choose(); });
  byId("category").addEventListener("change", (event) => { state.category = event.target.value; choose(); });
  for (const radio of document.querySelectorAll("input[name=only]")) {
    radio.addEventListener("change", () => {
      state.only = radio.value;
      if (location.hash) location.hash = "";
      choose();
    });
  }
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
  byId("back").addEventListener("click", () => { location.hash = ""; });
  window.addEventListener("hashchange", show);
  choose();
  show();
  document.documentElement.dataset.drawn = Math.round(performance.now());
})();
