// Zones by level at any moment of the next day, as they are known now or were known then; gifts at risk and hubs. The
// tables beside the map are made from the same rows, so whoever has no map, or no eyes for it, misses nothing.
const map = document.getElementById("map");
const $ = (id) => document.getElementById(id);
const here = map.dataset.here, assets = map.dataset.static, began = Number(map.dataset.now);
const versions = map.dataset.versions ? map.dataset.versions.split(",") : [];
const draws = map.dataset.draw === "yes";
const districts = JSON.parse(map.dataset.districts), reads = (district) => Object.hasOwn(districts, district) ? districts[district] : district;
const LEVELS = ["open", "curfew only", "precautionary", "controlled", "sealed", "sealed building", "no access"];
const MARKS = ["·", "◷", "╱", "╳", "▦", "▩", "■"];
const COLOURS = ["#e7f3e9", "#dfeaf7", "#fdf1c8", "#fbd9a6", "#f3b1a5", "#e58a8a", "#3d2b3d"];
const STEP = 1e5, LISTED = 200;
const clock = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", timeZone: map.dataset.zone });
const when = (seconds) => seconds === null ? "further notice" : clock.format(new Date(seconds * 1000));

let zones = [];          // columns of the version that is looked at
let counts = null;       // how many corners are drawn at all
let gifts = { spots: [], hubs: [], districts: {} };
let shown = null;        // the MapLibre map, when there is one
let level = [], from = [], until = [], known = [];

const load = async (digest) => {
  const first = await part(digest, 1);
  const rest = await Promise.all(Array.from({ length: first.parts - 1 }, (_, at) => part(digest, at + 2)));
  zones = [first, ...rest].flatMap((each) => each.zones);
  level = Uint8Array.from(zones, (zone) => zone[1]);
  from = Float64Array.from(zones, (zone) => zone[2]);
  until = Float64Array.from(zones, (zone) => zone[3] ?? Infinity);
  known = Float64Array.from(zones, (zone) => zone[4]);
};
const part = async (digest, number) => {
  const answer = await fetch(`${here}/zones/${digest}/${number}`);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
};

// --- which zones are in force
const moment = () => began + 60 * Number($("at")?.value || 0);
const inForce = (at) => {
  const found = [];
  for (let n = 0; n < level.length; n++) if (from[n] <= at && at < until[n] && known[n] <= Math.max(began, at)) found.push(n);
  return found;
};
const wanted = () => ({ level: $("level")?.value ?? "", find: ($("find")?.value || "").trim().toLowerCase() });
const fits = (n, asked) => (asked.level === "" || level[n] === Number(asked.level))
  && (!asked.find || `${zones[n][0]} ${zones[n][7] ?? ""} ${zones[n][7] ? reads(zones[n][7]) : ""} ${zones[n][8]}`.toLowerCase().includes(asked.find));

// --- tables
const cell = (text, tag = "td") => { const made = document.createElement(tag); made.textContent = text; if (tag === "th") made.scope = "row"; return made; };
const link = (text, href) => { const td = document.createElement("td"), a = document.createElement("a"); a.textContent = text; a.href = href; td.append(a); return td; };
const row = (...cells) => { const made = document.createElement("tr"); made.append(...cells); return made; };
const fill = (id, rows, empty, columns) => {
  const body = $(id);
  if (!body) return;
  if (!rows.length) { const td = cell(empty); td.colSpan = columns; rows = [row(td)]; }
  body.replaceChildren(...rows);
};
const place = (n) => zones[n][6] === "district" ? reads(zones[n][8]) : zones[n][8];
const named = (n) => `${MARKS[level[n]]} ${LEVELS[level[n]]}`;

const tables = () => {
  const at = moment(), asked = wanted(), found = inForce(at);
  const totals = new Array(LEVELS.length).fill(0), byDistrict = new Map();
  for (const n of found) {
    totals[level[n]] += 1;
    const name = zones[n][7] ?? (zones[n][6] === "drawn" ? "drawn on the map" : "the whole market");
    if (!byDistrict.has(name)) byDistrict.set(name, new Array(LEVELS.length).fill(0));
    byDistrict.get(name)[level[n]] += 1;
  }
  totals.forEach((count, n) => { const place = $(`count-${n}`); if (place) place.textContent = count.toLocaleString("en"); });
  for (const name of Object.keys(gifts.districts)) if (!byDistrict.has(name)) byDistrict.set(name, new Array(LEVELS.length).fill(0));
  fill("districts", [...byDistrict].sort(([a], [b]) => reads(a).localeCompare(reads(b))).map(([name, each]) =>
    row(cell(reads(name), "th"), ...each.map((count) => cell(count ? count.toLocaleString("en") : "–")), link(String(gifts.districts[name] || 0), `${here}?district=${encodeURIComponent(name)}`))), "No zone is in force.", 9);
  const some = found.filter((n) => fits(n, asked)).sort((a, b) => level[b] - level[a]);
  fill("zones", some.slice(0, LISTED).map((n) => {
    const zone = zones[n];
    return row(cell(zone[0], "th"), cell(named(n)), cell(zone[7] ? reads(zone[7]) : "–"), cell(place(n)), cell(when(zone[2])), cell(when(zone[3])), link("if it opened", `${here}/whatif?zone_id=${encodeURIComponent(zone[0])}`));
  }), "No zone fits.", 7);
  const said = $("zones-said");
  if (said) said.textContent = some.length > LISTED ? `${some.length.toLocaleString("en")} zones, the strictest ${LISTED} shown: filter by level or find one by name.` : `${some.length.toLocaleString("en")} zones.`;
};
const changes = () => {
  const end = began + 86400, found = [];
  for (let n = 0; n < level.length; n++) {
    if (from[n] > began && from[n] <= end) found.push([from[n], "begins", n]);
    if (until[n] > began && until[n] <= end) found.push([until[n], "ends", n]);
  }
  found.sort((a, b) => a[0] - b[0]);
  fill("changes", found.slice(0, LISTED).map(([at, what, n]) => row(cell(when(at)), cell(what), cell(`${zones[n][0]}, ${place(n)}`, "th"), cell(named(n)))), "Nothing that is known begins or ends within 24 hours.", 4);
};
const giftTable = () => fill("gifts", gifts.spots.slice(0, LISTED).map((spot) => {
  const td = document.createElement("td");
  for (const [id, reference] of spot.orders) { const a = document.createElement("a"); a.href = `${here}/orders/${id}`; a.textContent = reference; td.append(a, " "); }
  if (spot.gifts > spot.orders.length) td.append(`and ${spot.gifts - spot.orders.length} more`);
  return row(cell(spot.place, "th"), td, cell(spot.risk));
}), "No gift is at risk.", 3);

// --- the map
const ring = (flat) => { const out = []; let x = 0, y = 0; for (let n = 0; n < flat.length; n += 2) { x += flat[n]; y += flat[n + 1]; out.push([x / STEP, y / STEP]); } if (out.length) out.push(out[0]); return out; };
const outlines = () => ({
  type: "FeatureCollection",
  features: zones.flatMap((zone, n) => zone[9].length ? [{
    type: "Feature", id: n, properties: { n, level: zone[1], from: zone[2], until: zone[3] ?? 1e12, known: zone[4], label: `${MARKS[zone[1]]} ${place(n)}` },
    geometry: { type: "MultiPolygon", coordinates: zone[9].map((polygon) => polygon.map(ring)) },
  }] : []),
});
const points = (some, label) => ({ type: "FeatureCollection", features: some.filter((one) => one.at).map((one) => ({ type: "Feature", properties: { label: label(one), html: JSON.stringify(one) }, geometry: { type: "Point", coordinates: one.at } })) });
const filter = () => {
  const at = moment(), asked = wanted(), rules = ["all", ["<=", ["get", "from"], at], [">", ["get", "until"], at], ["<=", ["get", "known"], Math.max(began, at)]];
  if (asked.level !== "") rules.push(["==", ["get", "level"], Number(asked.level)]);
  return rules;
};
const pattern = (n) => {
  // stripes, crosses and dots, closer the stricter: seen without any colour
  const size = 24, canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const pen = canvas.getContext("2d");
  pen.fillStyle = COLOURS[n]; pen.globalAlpha = n === 0 ? 0.35 : 0.72; pen.fillRect(0, 0, size, size);
  pen.globalAlpha = 0.75; pen.strokeStyle = pen.fillStyle = n === 6 ? "#fff" : "#3b1f1f"; pen.lineWidth = 1.2;
  const line = (...xy) => { pen.beginPath(); pen.moveTo(xy[0], xy[1]); pen.lineTo(xy[2], xy[3]); pen.stroke(); };
  if (n === 0 || n === 1) { for (const [x, y] of n ? [[6, 6], [18, 18]] : [[12, 12]]) { pen.beginPath(); pen.arc(x, y, 1.4, 0, 7); pen.fill(); } }
  if (n === 2) line(0, size, size, 0);
  if (n === 3) { line(0, size, size, 0); line(0, 0, size, size); }
  if (n === 4) for (const at of [0, 8, 16]) { line(at, 0, at, size); line(0, at, size, at); }
  if (n === 5) for (const at of [-16, -8, 0, 8, 16]) { line(at, size, at + size, 0); line(at, 0, at + size, size); }
  if (n === 6) for (const at of [0, 6, 12, 18]) line(0, at, size, at);
  return pen.getImageData(0, 0, size, size);
};
const say = (words) => { const said = $("map-said"); if (said) said.textContent = words; };

const paint = async () => {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) throw new Error("no WebGL");
  const { Map: Chart, NavigationControl, Popup, setWorkerUrl } = await import(`${assets}/maplibre-gl.mjs`);
  setWorkerUrl(`${assets}/maplibre-gl-worker.mjs`);
  const [west, south, east, north] = map.dataset.bounds.split(",").map(Number);
  const drawn = zones.filter((zone) => zone[9].length).flatMap((zone) => zone[9].map((polygon) => [polygon[0][0] / STEP, polygon[0][1] / STEP]));
  const spots = [...drawn, ...gifts.spots.concat(gifts.hubs).filter((one) => one.at).map((one) => one.at)];
  const box = spots.length ? spots.reduce((b, [x, y]) => [Math.min(b[0], x), Math.min(b[1], y), Math.max(b[2], x), Math.max(b[3], y)], [180, 90, -180, -90]) : [west, south, east, north];
  shown = new Chart({
    container: map, attributionControl: false, fadeDuration: 0, pitchWithRotate: false, dragRotate: false,
    bounds: [[box[0] - 0.02, box[1] - 0.02], [box[2] + 0.02, box[3] + 0.02]],
    style: { version: 8, sources: {}, layers: [{ id: "ground", type: "background", paint: { "background-color": "#eef1f4" } }] },
  });
  window.cordonMap = shown;
  shown.addControl(new NavigationControl({ showCompass: false }));
  await new Promise((done) => shown.once("load", done));
  LEVELS.forEach((_, n) => shown.addImage(`level-${n}`, pattern(n)));
  shown.addSource("zones", { type: "geojson", data: outlines(), tolerance: 0.6, buffer: 32 });
  const image = ["concat", "level-", ["to-string", ["get", "level"]]];
  shown.addLayer({ id: "zones", type: "fill", source: "zones", filter: filter(), paint: { "fill-pattern": image } });
  shown.addLayer({ id: "edges", type: "line", source: "zones", filter: filter(), paint: { "line-color": "#2b2b2b", "line-width": ["interpolate", ["linear"], ["get", "level"], 0, 0.6, 6, 2] } });
  shown.addLayer({ id: "names", type: "symbol", source: "zones", minzoom: 10, filter: filter(), layout: { "text-field": ["get", "label"], "text-size": 12, "text-font": ["sans-serif"], "symbol-sort-key": ["-", ["get", "level"]] }, paint: { "text-color": "#111", "text-halo-color": "#fff", "text-halo-width": 1.6 } });
  shown.addSource("hubs", { type: "geojson", data: points(gifts.hubs, (hub) => `⌂ ${hub.name} (${hub.gifts})`) });
  // spots that would lie on one another are one, with the gifts of all of them, until somebody comes nearer
  shown.addSource("gifts", { type: "geojson", data: points(gifts.spots, (spot) => spot.gifts), cluster: true, clusterRadius: 28, clusterMaxZoom: 17, clusterProperties: { label: ["+", ["get", "label"]] } });
  for (const [id, colour] of [["hubs", "#17324d"], ["gifts", "#9f1d1d"]]) {
    shown.addLayer({ id: `${id}-dots`, type: "circle", source: id, paint: { "circle-radius": 7, "circle-color": colour, "circle-stroke-color": "#fff", "circle-stroke-width": 2 } });
    shown.addLayer({ id, type: "symbol", source: id, layout: { "text-field": id === "gifts" ? ["concat", "◆ ", ["to-string", ["get", "label"]]] : ["get", "label"], "text-size": 13, "text-font": ["sans-serif"], "text-offset": [0, 1.1], "text-allow-overlap": id === "gifts" }, paint: { "text-color": colour, "text-halo-color": "#fff", "text-halo-width": 2 } });
  }
  shown.on("click", "zones", (event) => {
    if (draws || event.defaultPrevented) return;
    const n = event.features[0].properties.n, zone = zones[n], pop = document.createElement("div");
    pop.className = "pop";
    const title = document.createElement("strong"), text = document.createElement("p"), a = document.createElement("a");
    title.textContent = `${place(n)} (${zone[0]})`;
    text.textContent = `${named(n)}, from ${when(zone[2])} until ${when(zone[3])}`;
    a.textContent = "What if it changed?"; a.href = `${here}/whatif?zone_id=${encodeURIComponent(zone[0])}`;
    pop.append(title, text, a);
    new Popup().setLngLat(event.lngLat).setDOMContent(pop).addTo(shown);
  });
  shown.on("click", "gifts-dots", async (event) => {
    event.preventDefault();
    const { cluster_id: several, html } = event.features[0].properties;
    if (several !== undefined) {
      const zoom = await shown.getSource("gifts").getClusterExpansionZoom(several);
      shown.jumpTo({ center: event.features[0].geometry.coordinates, zoom });
      return;
    }
    const spot = JSON.parse(html), pop = document.createElement("div");
    pop.className = "pop";
    pop.append(spot.place, document.createElement("br"));
    for (const [id, reference] of spot.orders) { const a = document.createElement("a"); a.href = `${here}/orders/${id}`; a.textContent = reference; pop.append(a, " "); }
    new Popup().setLngLat(event.lngLat).setDOMContent(pop).addTo(shown);
  });
  if (draws) corners();
  // drawn, and not only asked for: nothing is left to load or to paint
  shown.once("idle", () => { map.dataset.ready = "yes"; });
};

// --- drawing a place: every click is a corner, and the field says the same
const corners = () => {
  const field = $("corners");
  const read = () => field.value.split("\n").map((line) => line.split(/[,;\s]+/).map(Number)).filter((point) => point.length >= 2 && point.every(Number.isFinite));
  const shape = () => {
    const some = read();
    return { type: "FeatureCollection", features: some.length < 3 ? some.map((at) => ({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates: at } })) : [{ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [[...some, some[0]]] } }] };
  };
  shown.addSource("drawn", { type: "geojson", data: shape() });
  shown.addLayer({ id: "drawn", type: "line", source: "drawn", paint: { "line-color": "#0b5394", "line-width": 3, "line-dasharray": [2, 1] } });
  shown.addLayer({ id: "drawn-dots", type: "circle", source: "drawn", paint: { "circle-radius": 5, "circle-color": "#0b5394" } });
  shown.on("click", (event) => {
    field.value += `${field.value && !field.value.endsWith("\n") ? "\n" : ""}${event.lngLat.lng.toFixed(5)}, ${event.lngLat.lat.toFixed(5)}\n`;
    shown.getSource("drawn").setData(shape());
  });
  field.addEventListener("input", () => shown.getSource("drawn").setData(shape()));
  map.closest("details").addEventListener("toggle", () => shown.resize());
};

const names = () => {
  const list = $("zone-names");
  list?.replaceChildren(...zones.slice(0, 2000).map((zone, n) => { const one = document.createElement("option"); one.value = zone[0]; one.label = `${place(n)}, ${LEVELS[zone[1]]}`; return one; }));
};

// --- moving through time: the map at once, the tables when the hand rests
let resting = 0;
const step = () => {
  const said = $("at-said"), minutes = Number($("at").value);
  said.textContent = minutes ? `${when(moment())} (+${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")})` : "now";
  $("at").setAttribute("aria-valuetext", said.textContent);
  if (shown) for (const layer of ["zones", "edges", "names"]) shown.setFilter(layer, filter());
  clearTimeout(resting);
  resting = setTimeout(tables, 120);
};

const start = async () => {
  const digest = versions[Number($("known")?.value || 0)];
  try {
    [gifts] = await Promise.all([fetch(`${here}/gifts`).then((answer) => answer.json()), digest ? load(digest) : null]);
  } catch {
    say("The zones could not be loaded. Load the page again.");
    return;
  }
  const drawn = zones.filter((zone) => zone[9].length).length;
  say(digest ? `${zones.length.toLocaleString("en")} zones, ${drawn.toLocaleString("en")} of them drawn; the others are lists of names, and stand in the tables.` : "No rules were ever published for this market: unknown is not open.");
  changes(); tables(); giftTable(); names();
  document.body.dataset.tables = "ready";
  try {
    if (shown) shown.getSource("zones").setData(outlines());
    else await paint();
  } catch {
    map.textContent = "This browser draws no map. Everything is in the tables.";
    map.classList.add("absent");
    map.dataset.ready = "none";
  }
};
window.cordonStep = step;
$("at")?.addEventListener("input", step);
$("level")?.addEventListener("input", () => { step(); });
$("find")?.addEventListener("input", () => { clearTimeout(resting); resting = setTimeout(tables, 150); });
$("known")?.addEventListener("change", async () => {
  const digest = versions[Number($("known").value || 0)];
  await load(digest); changes(); step();
  shown?.getSource("zones").setData(outlines());
});
$("times")?.addEventListener("submit", (event) => event.preventDefault());
const details = draws ? map.closest("details") : null;
if (details && !details.open) details.addEventListener("toggle", start, { once: true }); else start();
