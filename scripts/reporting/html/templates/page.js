// The second part of the page's one module: choosing and filtering.

// --- packed texts: unpacked when one is asked for ---------------------------------------------------
const blocks = new Map();
const places = { details: new Map(), raw: new Map() };
for (const kind of ["details", "raw"]) {
  for (const block of all(`script.${kind}`)) {
    block.dataset.numbers.split(" ").forEach((number, at) => places[kind].set(+number, { block, at }));
  }
}

async function unpacked(kind, number) {
  const place = places[kind].get(number);
  if (!place) return "";
  if (!blocks.has(place.block)) {
    const bytes = Uint8Array.from(atob(place.block.textContent), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    blocks.set(place.block, new Response(stream).text().then(JSON.parse));
  }
  return (await blocks.get(place.block))[place.at];
}

// --- choosing -----------------------------------------------------------------------------------------
const rows = all(".probe");
const byNumber = new Map(rows.map((row) => [+row.dataset.n, row]));
const claims = new Map(all("details.claim").map((claim) => [claim.dataset.claim, claim]));
const causes = new Map(all(".cause").map((cause) => [cause.id, cause]));
// Choosing scrolls by itself, so that the browser must find nothing to scroll to.
for (const element of [...rows, ...claims.values(), ...causes.values()]) element.removeAttribute("id");
const idOf = (row) => one("a b", row).textContent;
const byId = new Map(rows.map((row) => [idOf(row), row]));

const OLD = "This browser is too old to unpack what the page holds: open it in a newer one.";

async function detailOf(number) {
  const row = byNumber.get(number);
  const inPlace = row && one("noscript", row);
  const holder = make("div");
  try {
    holder.innerHTML = inPlace ? inPlace.textContent : await unpacked("details", number);
  } catch {
    return make("p", "nothing", OLD);
  }
  return holder.firstElementChild ?? make("p", "nothing", "The run ended before this probe was judged.");
}

let asked = 0;

// Shows a probe under its heading: the claim's, or that of a cause (``cause`` is its element). ``quiet``: nobody
// asked for it, so nothing is scrolled.
async function show(number, cause, quiet = false) {
  const turn = ++asked;
  const row = byNumber.get(number);
  if (!row) return;
  const claim = row.closest(".claim");
  const detail = await detailOf(+(cause?.dataset.detail ?? number));
  if (turn !== asked) return;
  player?.pause();
  const back = make("a", "back", "← All claims");
  back.href = "#";
  const numbers = cause
    ? all("[data-probe]", cause).map((link) => +link.dataset.probe)
    : all(".probe", claim).map((each) => +each.dataset.n);
  stage.replaceChildren(back, heading(claim, cause, numbers, number), detail);
  for (const link of all(".list [aria-current]")) link.removeAttribute("aria-current");
  claim.open = true;
  one("a", row).setAttribute("aria-current", "true");
  player = one("svg.drawing", detail) ? new Player(detail) : null;
  prepare(stage, number);
  if (!quiet) reveal(row);
  if (narrow.matches && page.classList.contains("chosen")) stage.focus({ preventScroll: true });
}

// Brings a row of the list into view without moving the page, and the page back to the stage's top.
function reveal(row) {
  const list = one(".list");
  if (list.scrollHeight > list.clientHeight) {
    const [at, seen] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
    const above = at.top - seen.top - form.offsetHeight;
    if (above < 0 || at.bottom > seen.bottom) list.scrollTop += above - seen.height / 4;
  }
  const top = one(".panes").offsetTop;
  if (!narrow.matches && top > scrollY + innerHeight * 0.6) scrollTo(0, top - 12);
  if (scrollY > top || page.classList.contains("chosen") && narrow.matches) scrollTo(0, narrow.matches ? 0 : top - 12);
}

function heading(claim, cause, numbers, chosen) {
  const head = make("header", "claimhead");
  const summary = one("summary", claim);
  const title = cause
    ? one("h3", cause).textContent
    : `${one("b", summary).textContent} ${one(".says", summary).textContent}`;
  head.append(make("h2", "", title));
  if (cause) head.append(...all(".evidence, .command", cause).map((part) => part.cloneNode(true)));
  else {
    const verdict = `${one(".sign", summary).textContent} ${one(".verdict", summary).textContent}`;
    head.prepend(make("p", `badge ${claim.className.split(" ")[1]}`, verdict));
    if (one(":scope > .told", claim) && !claim.matches(".bad")) head.append(make("p", "told", one(":scope > .told", claim).textContent));
  }
  if (numbers.length > 1) {
    const chips = make("nav", "chips");
    chips.setAttribute("aria-label", cause ? "Probes that this explains" : "Probes of this claim");
    for (const number of numbers) {
      const row = byNumber.get(number);
      const chip = make("a", "", `${one(".sign", row).textContent} ${idOf(row)}`);
      chip.href = `#${encodeURIComponent(idOf(row))}`;
      chip.dataset.probe = number;
      if (number === chosen) chip.setAttribute("aria-current", "true");
      chips.append(chip);
    }
    head.append(chips);
  }
  return head;
}

// Buttons of a part of the page that has come into it.
function prepare(part, number) {
  for (const button of all("[data-copy]", part)) {
    button.hidden = false;
    button.onclick = () => copy(button);
  }
  const raw = one("[data-raw]", part);
  if (!raw) return;
  const pre = one("pre", raw.parentElement);
  raw.parentElement.hidden = false;
  if (!places.raw.has(number)) return raw.replaceWith("The raw receipt is in run.json: this page was to stay small.");
  raw.onclick = async () => {
    const text = pre.textContent ? "" : await unpacked("raw", number).catch(() => JSON.stringify(OLD));
    if (text) pre.textContent = visible(JSON.stringify(JSON.parse(text), null, 1));
    pre.hidden = !pre.hidden;
    raw.textContent = `${pre.hidden ? "Show" : "Hide"} the raw receipt`;
  };
}

// Characters that cannot be seen, or that turn writing around, as escapes.
function visible(text) {
  const hidden = /[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
  return text.replace(hidden, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

async function copy(button) {
  const code = one("code", button.parentElement);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function go() {
  const id = decodeURIComponent(location.hash.slice(1));
  const cause = causes.get(id);
  const best = cause && byNumber.has(+cause.dataset.best);
  page.classList.toggle("chosen", Boolean(byId.has(id) || claims.has(id) || best));
  if (best) return show(+cause.dataset.best, cause);
  if (byId.has(id)) return show(+byId.get(id).dataset.n);
  if (claims.has(id)) return show(+claims.get(id).dataset.best);
  if (!stage.childElementCount) return show(+stage.dataset.first, null, true);
  if (narrow.matches) one(".list a[aria-current]")?.focus();
}

// --- filtering ----------------------------------------------------------------------------------------
const form = one(".filter");
const FEW = 200; // rows that are shown at once; closed claims cost no layout
let texts = null;
const textOf = () => (texts ??= rows.map((row) => row.textContent.toLowerCase()));

function filter() {
  const { text, lab, verdict, claim, node } = Object.fromEntries(new FormData(form));
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const active = Boolean(words.length || lab || verdict || claim || node);
  const found = new Map();
  let count = 0;
  rows.forEach((row, at) => {
    const group = row.parentElement.parentElement;
    const fits = (!lab || row.dataset.lab === lab) && (!verdict || row.dataset.verdict === verdict)
      && (!claim || group.dataset.claim === claim) && (!node || row.dataset.nodes.includes(` ${node} `))
      && words.every((word) => textOf()[at].includes(word));
    if (row.hidden === fits) row.hidden = !fits;
    if (fits) { count += 1; found.set(group, true); }
  });
  for (const group of claims.values()) {
    const stays = found.has(group) || (!active && !one(".probe", group));
    if (group.hidden === stays) group.hidden = !stays;
    if (active && found.has(group) && count <= FEW) group.open = true;
    else if (rows.length > 3 * FEW && group.open && !one("[aria-current]", group)) group.open = false;
  }
  for (const lab of all(".lab")) lab.hidden = !one(".claim:not([hidden])", lab);
  one(".count", form).textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} probes`;
}

// --- theme, keys, start -------------------------------------------------------------------------------
const THEMES = ["auto", "light", "dark"];
const themeButton = one("[data-theme-button]");

function theme(name) {
  if (name === "auto") delete page.dataset.theme;
  else page.dataset.theme = name;
  themeButton.textContent = `Theme: ${name}`;
}

themeButton.parentElement.hidden = false;
themeButton.onclick = () => theme(THEMES[(THEMES.indexOf(page.dataset.theme ?? "auto") + 1) % THEMES.length]);

addEventListener("keydown", (event) => {
  if (!player || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, summary, pre, .scroll")) return;
  const inside = stage.contains(event.target);
  const press = { ArrowRight: () => player.step(), ArrowLeft: () => player.show(player.at - 1),
    Home: inside && (() => player.show(1)), End: inside && (() => player.show(player.count)) }[event.key];
  if (press) { event.preventDefault(); if (player.running) player.pause(); press(); }
  else if (event.key === " " && inside && !event.target.closest("a, button")) { event.preventDefault(); player.toggle(); }
});

if (form) {
  form.hidden = false;
  form.oninput = filter;
  form.onsubmit = (event) => event.preventDefault();
  for (const claim of claims.values()) {
    one("summary", claim).addEventListener("click", () => {
      if (claim.open) return;
      history.pushState(null, "", `#${encodeURIComponent(claim.dataset.claim)}`);
      go();
    });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-probe], a[data-cause], .cause h3 a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.hash !== location.hash) history.pushState(null, "", link.hash);
    go();
  });
  addEventListener("popstate", go);
  addEventListener("beforeprint", () => claims.forEach((claim) => { claim.open = true; }));
  filter();
  prepare(document, -1);
  go();
  (globalThis.requestIdleCallback ?? setTimeout)(textOf);
} else {
  prepare(document, -1);
  if (one("svg.drawing")) player = new Player(stage);
}
