// SPDX-License-Identifier: BSD-2-Clause
'use strict';
const $ = id => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg', KEEP = 60, LEVELS = ['error', 'warning', 'info', 'debug'];
// How each state is called, and its sign: a shape of its own, so that colour is not all.
const STATES = {
  running: ['Running', 'M5 8.3l2 2 4-4.6', 1], failed: ['Failed', 'M5.5 5.5l5 5M10.5 5.5l-5 5', 1],
  waiting: ['Waiting', 'M8 4.5V8l2.3 1.6', 1], unclaimed: ['No driver', '', 1],
  disabled: ['Disabled', 'M3.5 12.5l9-9', 1], removed: ['Removed', 'M5 8h6', 1],
  absent: ['Not present', 'M5 8h6', 0], bus: ['Bus', '', 0], group: ['', '', 0],
};

// ---- Small helpers. Text from the machine only ever becomes text.
function make(tag, attributes, ...children) {
  const node = tag[0] === '<' ? document.createElementNS(SVG, tag.slice(1)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
function put(node, text) { if (node.textContent !== text) node.textContent = text; }
function sign(state) {
  const svg = make('<svg', {class: 'sign ' + state, viewBox: '0 0 16 16', 'aria-hidden': 'true'});
  if (state !== 'group') svg.append(make('<circle', {cx: 8, cy: 8, r: state === 'bus' ? 2 : 6.6}));
  if (STATES[state][1]) svg.append(make('<path', {d: STATES[state][1]}));
  return svg;
}
const plain = new Intl.NumberFormat('en', {maximumFractionDigits: 1});
function scaled(value, step, units) {
  let at = 0;
  for (; Math.abs(value) >= step && at < units.length - 1; at++) value /= step;
  return (at ? value.toPrecision(value >= 1000 ? 4 : 3) : plain.format(value)) + (units[at] && ' ' + units[at]);
}
function amount(value, unit) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value || '–';
  if (unit === 'bytes') return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']);
  if (unit === 'Hz') return scaled(value, 1000, ['Hz', 'kHz', 'MHz', 'GHz']);
  if (unit === 'mC') return (value / 1000).toFixed(1) + ' °C';
  return plain.format(value) + (unit ? ' ' + unit : '');
}
function rate(value, unit) {
  if (value == null) return '–';
  return unit === 'bytes' ? amount(value, unit) + '/s' : scaled(value, 1000, ['', 'k', 'M', 'G']) + '/s';
}
function duration(seconds) {
  const d = Math.floor(seconds / 86400), two = n => String(Math.floor(n)).padStart(2, '0');
  return (d ? d + ' d ' : '') + [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map(two).join(':');
}

// ---- Lines of the last minute. A gap is null.
function paths(samples, top, height) {
  let line = '', area = '', from = null;
  samples.forEach((value, i) => {
    const x = ((i + KEEP - samples.length) * 100 / (KEEP - 1)).toFixed(2);
    if (value == null) { if (from !== null) area += `V${height}H${from}Z`; from = null; return; }
    const point = x + ' ' + (height - value / top * height).toFixed(2);
    if (from === null) { from = x; line += 'M' + point; area += `M${x} ${height}L${point}`; }
    else { line += 'L' + point; area += 'L' + point; }
  });
  if (from !== null) area += `V${height}H100Z`;
  return [line, area];
}
function nice(value, unit) { // the next 1, 2 or 5 with zeros, of the prefix that will be shown
  if (!(value > 0)) return 1;
  if (unit === 'bytes' && value >= 1024) return 1024 * nice(value / 1024, unit);
  const ten = 10 ** Math.floor(Math.log10(value)), digit = value / ten;
  return (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * ten;
}
function plot(height, names) {
  const svg = make('<svg', {viewBox: `0 0 100 ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': ''});
  const lines = names.map(name => [make('<path', {class: 'area ' + name}), make('<path', {class: 'stroke ' + name})]);
  if (height > 30) for (const y of [0, height / 2, height]) svg.append(make('<path', {class: 'grid', d: `M0 ${y}H100`}));
  lines.forEach(pair => svg.append(...pair));
  return {svg, draw(series, label, unit, least) {
    const most = Math.max(0, ...series.flat().filter(v => v != null)), top = Math.max(least || 1, nice(most, unit));
    svg.classList.toggle('idle', !most && height < 30);
    series.forEach((samples, i) => {
      const [line, area] = paths(samples, top, height);
      lines[i][1].setAttribute('d', line); lines[i][0].setAttribute('d', area);
    });
    svg.setAttribute('aria-label', label);
    return top;
  }};
}

// ---- The store: values with their rates.
const values = new Map(); // "device.name": {value, unit, samples, rate, row}
let storeTime = null;
function takeStore(store) {
  const seconds = storeTime === null ? 0 : (store.uptime_ns - storeTime) / 1e9, seen = new Set();
  storeTime = store.uptime_ns;
  for (const entry of store.values) {
    const key = entry.device + '.' + entry.name;
    seen.add(key);
    let item = values.get(key);
    if (!item) values.set(key, item = {device: entry.device, name: entry.name, samples: [], counts: 0});
    const counts = typeof entry.value === 'number' && entry.type === 'u64';
    item.rate = counts && seconds > 0 && item.value <= entry.value ? (entry.value - item.value) / seconds : null;
    item.value = entry.value; item.unit = entry.unit; item.counted = counts;
    item.samples.push(item.rate);
  }
  for (const [key, item] of values) {
    if (!seen.has(key)) { item.row && item.row.remove(); values.delete(key); }
    if (item.samples.length > KEEP) item.samples.shift();
  }
  put($('values'), `(${values.size})`);
  showCounters(); showCharts();
}
const groups = new Map();
function showCounters() {
  if (!$('counters').open) return;
  for (const item of values.values()) {
    if (!item.row) {
      let body = groups.get(item.device);
      if (!body) {
        groups.set(item.device, body = make('tbody', {}, make('tr', {}, make('th', {scope: 'rowgroup', colspan: 4}, item.device))));
        $('counters').querySelector('table').append(body);
      }
      item.cells = [make('td', {}, item.name.replaceAll('_', ' ')), make('td', {class: 'r'}), make('td', {class: 'r'}), make('td')];
      if (item.counted) { item.plot = plot(20, ['a']); item.cells[3].append(item.plot.svg); }
      body.append(item.row = make('tr', {}, ...item.cells));
    }
    put(item.cells[1], amount(item.value, item.unit));
    put(item.cells[2], item.counted ? rate(item.rate, item.unit) : '');
    if (item.plot) item.plot.draw([item.samples], `${item.name}: ${rate(item.rate, item.unit)}`);
  }
}
// What is worth a large chart, where the machine has it: [title, [name, label]...] summed over devices.
const CHARTS = [
  ['Network', ['received_bytes', 'received'], ['sent_bytes', 'sent']],
  ['Storage', ['read_bytes', 'read'], ['written_bytes', 'written']],
  ['Console', ['received', 'received', 'bytes'], ['sent', 'sent', 'bytes']],
  ['Requests', ['http_requests', 'answered']],
];
function showCharts() {
  for (const chart of CHARTS) {
    const [title, ...lines] = chart;
    // What a partition moves, its disk has counted.
    const parts = lines.map(([name, , unit]) => [...values.values()].filter(v => v.name === name && (!unit || v.unit === unit) && !/^disk\d+p\d+$/.test(v.device)));
    if (!chart.card) {
      if (!parts[0].length) continue;
      chart.plot = plot(48, ['a', 'b'].slice(0, lines.length));
      chart.numbers = lines.map(() => make('b', {}, '–'));
      chart.top = make('span'); chart.who = make('span', {class: 'soft'});
      const key = make('div', {class: 'key'}, ...lines.map(([, label], i) => make('span', {class: 'ab'[i]}, label + ' ', chart.numbers[i])));
      chart.card = make('div', {class: 'chart'}, make('h3', {}, title + ' ', chart.who), key, chart.plot.svg,
        make('div', {class: 'axis'}, make('span', {}, '1 min ago'), chart.top, make('span', {}, 'now')));
      const before = CHARTS.slice(CHARTS.indexOf(chart) + 1).find(c => c.card);
      $('charts').insertBefore(chart.card, before ? before.card : null);
    }
    const devices = [...new Set(parts.flat().map(v => v.device))].filter(d => d !== 'core');
    put(chart.who, devices.length > 2 ? devices.length + ' devices' : devices.join(', '));
    const unit = parts[0][0] ? parts[0][0].unit : '';
    const series = parts.map(list => {
      const length = Math.max(0, ...list.map(v => v.samples.length));
      return Array.from({length}, (_, i) => list.reduce((sum, v) => {
        const sample = v.samples[v.samples.length - length + i];
        return sample == null ? sum : (sum || 0) + sample;
      }, null));
    });
    const now = series.map(s => rate(s.at(-1), unit));
    const top = chart.plot.draw(series, `${title}: ` + lines.map(([, label], i) => `${label} ${now[i]}`).join(', '), unit, unit === 'bytes' ? 1024 : 5);
    now.forEach((text, i) => put(chart.numbers[i], text));
    put(chart.top, 'scale to ' + rate(top, unit));
  }
}

// ---- The tree, changed in place so that nothing jumps.
const rows = new Map(); // path: {li, list, ...}
let devices = [], only = null;
function takeDevices(answer) {
  devices = answer.devices;
  const kept = new Set(), stack = [];
  for (const device of devices) {
    kept.add(device.path);
    let row = rows.get(device.path);
    if (!row) rows.set(device.path, row = newRow());
    row.device = device;
    stack.length = device.depth;
    const parent = device.depth ? stack[device.depth - 1] : null;
    stack[device.depth] = row;
    row.parent = parent || null;
    row.li.style.setProperty('--depth', device.depth);
    const list = parent ? parent.list : $('tree');
    if (row.li.parentNode !== list) list.append(row.li);
    fillRow(row);
  }
  for (const [path, row] of rows) if (!kept.has(path)) { row.li.remove(); rows.delete(path); }
  showStates(); filter();
}
function newRow() {
  const row = {list: make('ul', {role: 'list'}), dev: make('span', {class: 'dev'}), drv: make('span', {class: 'drv mono soft'}),
    st: make('span', {class: 'st'}), why: make('span', {class: 'why'}), facts: make('dl')};
  row.summary = make('summary', {}, sign('group'), row.dev, row.drv, row.st, row.why);
  row.details = make('details', {}, row.summary, row.facts);
  row.details.addEventListener('toggle', () => showFacts(row));
  row.li = make('li', {}, row.details, row.list);
  return row;
}
function fillRow(row) {
  const d = row.device;
  if (row.state !== d.state) {
    row.li.className = row.state = d.state;
    row.summary.replaceChild(sign(d.state), row.summary.firstChild);
    put(row.st, STATES[d.state][0]);
  }
  row.text = [d.name, d.alias, d.driver, STATES[d.state][0], d.reason, ...d.compatible].filter(Boolean).join('\n').toLowerCase();
  row.reason = d.state === 'running' || d.state === 'group' || d.state === 'bus' ? '' : d.reason || '';
  row.key = null;
  showFacts(row);
}
function highlight(node, text, words) {
  const lower = text.toLowerCase(), cuts = [];
  for (const word of words) { const at = lower.indexOf(word); if (at >= 0) cuts.push([at, at + word.length]); }
  if (!cuts.length || lower.length !== text.length) { put(node, text); return; }
  cuts.sort((a, b) => a[0] - b[0]);
  node.textContent = '';
  let at = 0;
  for (const [from, to] of cuts) {
    if (from < at) continue;
    node.append(text.slice(at, from), make('mark', {}, text.slice(from, to)));
    at = to;
  }
  node.append(text.slice(at));
}
function showFacts(row) {
  if (!row.details.open || !row.device) return;
  const d = row.device, facts = [['Path', d.path], ['State', d.reason || STATES[d.state][0]]];
  if (d.compatible.length) facts.push(['Compatible', d.compatible.join(', ')]);
  if (d.bus) facts.push(['Bus', d.bus]);
  if (d.bytes) facts.push(['Memory', plain.format(d.bytes) + ' bytes']);
  for (const v of values.values()) if (d.handle && v.device === d.handle) facts.push([v.name.replaceAll('_', ' '), amount(v.value, v.unit)]);
  while (row.facts.children.length > facts.length * 2) row.facts.lastChild.remove();
  facts.forEach(([name, text], i) => {
    if (!row.facts.children[2 * i]) row.facts.append(make('dt'), make('dd', {class: 'mono'}));
    put(row.facts.children[2 * i], name);
    put(row.facts.children[2 * i + 1], text);
  });
}
const chips = new Map();
function showStates() {
  const counts = {};
  for (const d of devices) counts[d.state] = (counts[d.state] || 0) + 1;
  let total = 0, told = [];
  for (const [state, [label, , counted]] of Object.entries(STATES)) {
    if (state === 'group' || state === 'bus') continue;
    const count = counts[state] || 0;
    if (counted) total += count;
    let chip = chips.get(state);
    if (!chip && (count || state === 'running' || state === 'failed' || state === 'waiting')) {
      chip = {number: make('b', {}, '0'), part: make('span', {class: state, style: 'background:var(--state)'})};
      chip.button = make('button', {class: 'chip ' + state, 'aria-pressed': 'false'}, sign(state), chip.number, label);
      chip.button.addEventListener('click', () => { only = only === state ? null : state; filter(); });
      $('chips').append(chip.button);
      if (counted) $('bar').append(chip.part);
      chips.set(state, chip);
    }
    if (!chip) continue;
    put(chip.number, String(count));
    chip.part.style.flexGrow = count;
    chip.part.hidden = !count;
    if (count) told.push(`${count} ${label.toLowerCase()}`);
  }
  put($('total'), `${total} devices`);
  $('bar').setAttribute('aria-label', told.join(', '));
}
function filter() {
  const typed = $('search').value.trim().toLowerCase(), words = typed.split(/\s+/).filter(Boolean);
  const shown = new Set(); let count = 0, all = 0;
  for (const row of rows.values()) {
    const real = row.device.state !== 'group', empty = row.device.state === 'absent';
    const hit = real && (only ? row.device.state === only : !empty || words.length > 0) && words.every(w => row.text.includes(w));
    all += real && (!empty || words.length > 0 || only !== null);
    count += hit;
    if (hit) for (let at = row; at && !shown.has(at); at = at.parent) shown.add(at);
    row.hit = hit;
  }
  for (const row of rows.values()) {
    row.li.hidden = !shown.has(row);
    const key = words.join(' ');
    if (row.key === key) continue;
    row.key = key;
    highlight(row.dev, row.device.name, words);
    if (row.device.alias) { const alias = make('em'); highlight(alias, row.device.alias, words); row.dev.append(alias); }
    highlight(row.drv, row.device.driver || '', words);
    highlight(row.why, row.reason, words);
  }
  for (const [state, chip] of chips) chip.button.setAttribute('aria-pressed', String(only === state));
  put($('found'), words.length || only ? `${count} of ${all} shown` : `${all} nodes`);
  $('nothing').hidden = count > 0 || !devices.length;
}
$('search').addEventListener('input', filter);
$('clear').addEventListener('click', () => { $('search').value = ''; only = null; filter(); $('search').focus(); });
document.addEventListener('keydown', event => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); $('search').focus(); }
  if (event.key === 'Escape' && event.target === $('search')) { $('search').value = ''; filter(); }
});

// ---- Disks
const cards = new Map();
function takeBlock(answer) {
  const kept = new Set();
  $('s-disks').hidden = !answer.disks.length;
  for (const disk of answer.disks) {
    kept.add(disk.name);
    let card = cards.get(disk.name);
    if (!card) {
      card = {label: make('span', {class: 'soft'}), size: make('p'), place: make('i'), more: make('p', {class: 'soft mono'}), counts: make('p', {class: 'soft num'})};
      card.space = make('div', {class: 'space', 'aria-hidden': 'true'}, card.place);
      card.li = make('li', {class: disk.parent ? 'part' : ''}, make('p', {}, make('b', {class: 'mono'}, disk.name), ' ', card.label), card.size, card.space, card.more, card.counts);
      $('disks').append(card.li);
      cards.set(disk.name, card);
    }
    const whole = answer.disks.find(d => d.name === disk.parent), s = disk.stats;
    card.space.hidden = !whole;
    if (whole) { card.place.style.left = disk.first / whole.blocks * 100 + '%'; card.place.style.width = disk.blocks / whole.blocks * 100 + '%'; }
    put(card.label, disk.label || '');
    put(card.size, amount(disk.blocks * disk.block_size, 'bytes') + (disk.read_only ? ', read-only' : ''));
    put(card.more, disk.uuid || disk.driver || '');
    put(card.counts, `${plain.format(s.reads)} reads, ${plain.format(s.writes)} writes` + (s.errors ? `, ${plain.format(s.errors)} errors` : ''));
  }
  for (const [name, card] of cards) if (!kept.has(name)) { card.li.remove(); cards.delete(name); }
}

// ---- USB, and the board: where the machine has them
const plugs = new Map();
function takeUsb(answer) {
  const list = answer.devices.sort((a, b) => a.path < b.path ? -1 : 1), kept = new Set();
  $('s-usb').hidden = !list.length;
  put($('plugged'), list.length === 1 ? '1 device' : `${list.length} devices`);
  for (const device of list) {
    const key = device.path + device.vendor + device.product + device.serial;
    kept.add(key);
    let row = plugs.get(key);
    if (!row) {
      row = {name: make('b'), speed: make('span', {class: 'soft'}), drv: make('span', {class: 'drv mono soft'}), wrong: make('span', {class: 'wrong'})};
      row.li = make('li', {}, row.name, row.speed, row.drv, row.wrong);
      plugs.set(key, row);
    }
    row.li.style.setProperty('--depth', device.tier - 1);
    put(row.name, [device.manufacturer, device.model].filter(Boolean).join(' ') || `${device.vendor}:${device.product}`);
    put(row.speed, `port ${device.port}, ${device.speed}`);
    put(row.drv, device.drivers.join(', ') || 'no driver');
    put(row.wrong, device.why || '');
    row.li.title = `${device.vendor}:${device.product}, ${device.power} mA`;
    $('usb').append(row.li);
  }
  for (const [key, row] of plugs) if (!kept.has(key)) { row.li.remove(); plugs.delete(key); }
}
function takeBoard(answer) {
  const arm = answer.clocks.find(c => c.name === 'arm');
  $('board').hidden = !answer.revision;
  put($('revision'), answer.revision || '');
  put($('firmware'), answer.firmware > 1e9 ? 'firmware of ' + new Date(answer.firmware * 1000).toISOString().slice(0, 10) : '');
  $('speed').hidden = !arm;
  if (arm) put($('arm'), amount(arm.hz, 'Hz'));
  put($('clocks'), answer.clocks.filter(c => c !== arm).map(c => `${c.name} ${amount(c.hz, 'Hz')}`).join(', '));
  $('clocks').title = $('clocks').textContent;
}

// ---- Log
let next = 0;
function takeLog(answer) {
  const log = $('log'), end = log.scrollHeight - log.scrollTop - log.clientHeight < 24, limit = +$('level').value;
  if (next && answer.entries.length && answer.entries[0].sequence > next) log.append(make('li', {class: 'gap'}, 'some messages were lost'));
  for (const entry of answer.entries) {
    const seconds = (entry.time_ns / 1e9).toFixed(3), item = make('li', {class: entry.level}, make('time', {}, seconds), make('b', {}, entry.level), make('span', {}, entry.text));
    item.dataset.level = LEVELS.indexOf(entry.level);
    item.hidden = item.dataset.level > limit;
    log.append(item);
  }
  next = answer.next;
  while (log.children.length > 600) log.firstChild.remove();
  if (end && answer.entries.length) log.scrollTop = log.scrollHeight;
}
$('level').addEventListener('change', () => {
  for (const item of $('log').children) item.hidden = item.dataset.level > +$('level').value;
  $('log').scrollTop = $('log').scrollHeight;
});

// ---- The machine itself
let system = null, systemAt = 0;
function takeSystem(answer) {
  system = answer; systemAt = performance.now();
  const name = answer.model || answer.platform;
  put($('title'), 'Busbar on ' + answer.platform);
  put($('version'), [answer.model, answer.version].filter(Boolean).join(' · '));
  document.title = 'Busbar on ' + name;
  put($('arena'), amount(answer.arena.used, 'bytes'));
  put($('arena2'), `of ${amount(answer.arena.size, 'bytes')}`);
  $('heat').hidden = !answer.temperatures.length;
  if (answer.temperatures.length) {
    const hot = answer.temperatures.reduce((a, b) => a.millicelsius > b.millicelsius ? a : b);
    put($('degrees'), amount(hot.millicelsius, 'mC'));
    put($('limit'), hot.limit ? 'limit ' + amount(hot.limit, 'mC') : hot.name);
  }
  put($('served'), plain.format(answer.requests));
  put($('open'), answer.connections === 1 ? '1 connection open' : `${answer.connections} connections open`);
  tickClock();
}
function tickClock() {
  if (!system || link === 'lost') return;
  const passed = (performance.now() - systemAt) / 1000;
  $('uptime').firstChild.data = duration(system.uptime_ns / 1e9 + passed);
  put($('uptime').lastChild, 'since ' + (system.wall == null ? 'start' : new Date((system.wall - system.uptime_ns / 1e9) * 1000).toISOString().slice(0, 16).replace('T', ' ')));
  if (system.wall == null) { put($('clock'), 'not set'); put($('date'), 'no clock has told it'); return; }
  const iso = new Date((system.wall + passed) * 1000).toISOString();
  put($('clock'), iso.slice(11, 19)); put($('date'), iso.slice(0, 10));
  $('clock').dateTime = iso.slice(0, 19) + 'Z';
}
setInterval(tickClock, 1000);

// ---- Asking, once a second; longer apart while nobody answers.
let link = 'start', paused = false, timer = null, round = 0, failures = 0, lastHeard = null, busy = false;
function setLink(state) {
  if (link === state) return;
  link = state;
  document.body.className = state;
  put($('link'), {live: 'Live', lost: 'No answer', paused: 'Paused'}[state]);
  $('alarm').hidden = state !== 'lost';
}
async function ask(path) {
  const control = new AbortController(), limit = setTimeout(() => control.abort(), 5000);
  try {
    const answer = await fetch(path, {signal: control.signal, cache: 'no-store'});
    if (!answer.ok) throw new Error(answer.status);
    return await answer.json();
  } finally { clearTimeout(limit); }
}
function forget() { // the machine has started anew
  storeTime = null; next = 0;
  for (const item of values.values()) { item.value = Infinity; item.samples.push(null); }
  $('log').append(make('li', {class: 'gap'}, 'the machine was started again'));
  round = 0;
}
async function turn() {
  if (busy) return;
  busy = true;
  clearTimeout(timer);
  const began = performance.now();
  let wait = document.hidden ? 5000 : 1000;
  try {
    const now = await ask('/api/system');
    if (system && now.uptime_ns < system.uptime_ns) forget();
    const slow = round % 4 === 0;
    const [store, log, tree, block, usb, board] = await Promise.all([ask('/api/store'), ask('/api/log?since=' + next),
      slow ? ask('/api/devices') : null, slow ? ask('/api/block') : null,
      slow ? ask('/api/usb') : null, slow ? ask('/api/board') : null]);
    failures = 0; lastHeard = new Date();
    setLink(paused ? 'paused' : 'live');
    takeSystem(now); takeStore(store); takeLog(log);
    if (tree) takeDevices(tree); else for (const row of rows.values()) showFacts(row);
    if (block) takeBlock(block);
    if (usb) takeUsb(usb);
    if (board) takeBoard(board);
    round++;
  } catch (problem) {
    failures++; storeTime = null; round = 0;
    for (const item of values.values()) { item.samples.push(null); if (item.samples.length > KEEP) item.samples.shift(); }
    wait = Math.min(8000, 500 * 2 ** failures);
    put($('since'), lastHeard ? lastHeard.toLocaleTimeString() : 'never');
    setLink('lost');
    countdown(wait);
  }
  busy = false;
  if (!paused || link === 'lost') timer = setTimeout(turn, link === 'lost' ? wait : Math.max(100, wait - (performance.now() - began)));
}
function countdown(wait) {
  const until = performance.now() + wait;
  (function tell() {
    if (link !== 'lost') return;
    const left = Math.ceil((until - performance.now()) / 1000);
    put($('retry'), left > 0 ? `Trying again in ${left} s` : 'Trying …');
    if (left > 0) setTimeout(tell, 250);
  })();
}
$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').setAttribute('aria-pressed', String(paused));
  if (paused) { clearTimeout(timer); storeTime = null; if (link === 'live') setLink('paused'); } else turn();
});
$('now').addEventListener('click', turn);
$('counters').addEventListener('toggle', showCounters);
document.addEventListener('visibilitychange', () => { if (!document.hidden && !paused) turn(); });
addEventListener('online', turn);
turn();
