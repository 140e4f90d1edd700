// Draws the plots of a page from the JSON that it carries. Tables and remarks are
// in the page already, so that it reads without scripts too.
'use strict';

// The colours of Okabe and Ito, which most colour-blind people can tell apart.
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#999999', '#b3a100'];
const ink = getComputedStyle(document.documentElement).getPropertyValue('--soft').trim();
const grid = getComputedStyle(document.documentElement).getPropertyValue('--line').trim();

const axis = (more) => ({ stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, ...more });

function micros(v) {
  if (v == null) return '';
  const round = (n) => String(+n.toPrecision(3));
  return v < 1e3 ? round(v) + ' µs' : v < 1e6 ? round(v / 1e3) + ' ms' : round(v / 1e6) + ' s';
}

// Percentiles stand as far apart as the nines that they have: 90, 99, 99.9 …
const nines = (fraction) => -Math.log10(Math.max(1 - fraction, 1e-7));
const percent = (x) => {
  const digits = Math.max(0, Math.round(x) - 2);
  return (100 * (1 - 10 ** -x)).toFixed(digits) + ' %';
};

function figure(parent, title, caption) {
  const f = document.createElement('figure');
  f.append(Object.assign(document.createElement('h3'), { textContent: title }));
  parent.append(f);
  const end = () => f.append(Object.assign(document.createElement('figcaption'), { textContent: caption }));
  return { f, end };
}

// lines draws series of [xs, ys], which may have different xs.
function lines(parent, title, caption, series, options) {
  if (series.length === 0) return;
  const { f, end } = figure(parent, title, caption);
  const data = uPlot.join(series.map((s) => [s.xs, s.ys]));
  const plot = new uPlot({
    width: f.clientWidth - 32,
    height: 260,
    cursor: { drag: { setScale: true, x: true, y: false } },
    ...options,
    series: [
      { label: options.xLabel, value: (_, v) => (v == null ? '' : options.xValue(v)) },
      ...series.map((s, i) => ({
        label: s.label, stroke: colours[s.colour % colours.length], width: 2, dash: s.dash, spanGaps: true,
        value: (_, v) => (v == null ? '' : options.yValue(v)),
      })),
    ],
  }, data, f);
  new ResizeObserver(() => plot.setSize({ width: f.clientWidth - 32, height: 260 })).observe(f);
  end();
}

function percentiles(parent, title, caption, rows, pick) {
  const series = rows.flatMap((row, i) => {
    const curve = (pick(row) || []).filter((p) => p.fraction < 1);
    return curve.length === 0 ? [] : [{
      label: row.target, colour: i, xs: curve.map((p) => nines(p.fraction)), ys: curve.map((p) => p.micros),
    }];
  });
  lines(parent, title, caption, series, {
    xLabel: 'percentile', xValue: percent, yValue: micros,
    scales: { x: { time: false }, y: { distr: 3 } },
    axes: [
      axis({ values: (_, ticks) => ticks.map((x) => (Number.isInteger(x) ? percent(x) : '')) }),
      axis({ values: (_, ticks) => ticks.map((v) => (Number.isInteger(Math.log10(v)) ? micros(v) : '')), size: 75 }),
    ],
  });
}

function overTime(parent, title, caption, rows, pick, format, of = (row) => row.samples) {
  const series = rows.flatMap((row, i) => (of(row) || []).length === 0 ? [] : [{
    label: row.target, colour: i, xs: of(row).map((s) => s.seconds), ys: of(row).map(pick),
  }]);
  lines(parent, title, caption, series, {
    xLabel: 'time', xValue: (v) => v.toFixed(1) + ' s', yValue: format,
    scales: { x: { time: false }, y: { range: (_, min, max) => [0, max * 1.05 || 1] } },
    axes: [
      axis({ values: (_, ticks) => ticks.map((v) => v + ' s') }),
      axis({ values: (_, ticks) => ticks.map(format), size: 75 }),
    ],
  });
}

function bars(parent, title, caption, rows, pick, format) {
  const values = rows.map((row, i) => ({ name: row.target, i, value: pick(row) })).filter((b) => b.value != null);
  if (values.length < 2) return; // nothing to compare
  const { f, end } = figure(parent, title, caption);
  const max = Math.max(...values.map((b) => b.value), 1e-9);
  for (const b of values) {
    const line = Object.assign(document.createElement('div'), { className: 'bar' });
    const bar = document.createElement('div');
    bar.style.width = Math.max(0, (100 * b.value) / max) + '%';
    bar.style.background = colours[b.i % colours.length];
    const track = document.createElement('span');
    track.append(bar);
    line.append(Object.assign(document.createElement('span'), { textContent: b.name, title: b.name }), track,
      Object.assign(document.createElement('span'), { textContent: format(b.value) }));
    f.append(line);
  }
  end();
}

const sections = JSON.parse(document.getElementById('data').textContent);
sections.forEach((section, i) => {
  const at = document.getElementById('plots-' + i);
  const rows = section.rows;
  bars(at, 'CPU of the server for each delivery, against the floor',
    'The floor is a C program that only calls write(2), measured in the same run.', rows, (r) => r.ratio, (v) => v.toFixed(2) + ' ×');
  bars(at, 'CPU of the server for each delivery', 'The median of all rounds.', rows, (r) => r.cpu, (v) => v.toFixed(2) + ' µs');
  bars(at, 'Memory of the server for each connection', 'Resident, at rest, less what the server had without connections.',
    rows, (r) => r.memory, (v) => Math.round(v).toLocaleString('en') + ' B');
  bars(at, 'CPU of the server for each new connection', 'With its token and its joins.', rows, (r) => r.handshakeCPU, (v) => v.toFixed(1) + ' µs');
  percentiles(at, 'Latency of messages', 'From when a message was due until its last byte was read; the first round that can be trusted.', rows, (r) => r.latency);
  percentiles(at, 'Latency of handshakes', 'From when a connection was due until its 101; the first round that can be trusted.', rows, (r) => r.handshake);
  percentiles(at, 'Until back in the room', 'From the cut of all connections.', rows, (r) => r.back);
  overTime(at, 'Resident memory over time', 'The first round.', rows, (s) => s.resident / 1e6, (v) => Math.round(v) + ' MB');
  overTime(at, 'Cores in use by the server over time', 'The first round.', rows, (s) => s.cores, (v) => v.toFixed(1));
  const chaos = (row) => row.chaos;
  overTime(at, 'Clients in all their rooms over time', 'Of those that want to be.', rows, (s) => (100 * s.ready) / Math.max(1, s.wanted), (v) => v.toFixed(0) + ' %', chaos);
  overTime(at, 'Deliveries a second over time', 'Of messages that a client did not have.', rows, (s) => s.deliveries, (v) => v.toFixed(0), chaos);
  overTime(at, 'Commands of Redis a second over time', 'All masters together, those of scripts included; gaps are where it could not be asked.', rows, (s) => s.commands ?? null, (v) => v.toFixed(0), chaos);
});
