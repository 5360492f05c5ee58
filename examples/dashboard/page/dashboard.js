// Draws the figures that the server sends once a second. A plain WebSocket client, without a
// library.

// The number of seconds that the sparkline shows.
const SECONDS = 60;
// How long a client counts as waving, in milliseconds.
const WAVE = 1_500;

const $ = (id) => document.getElementById(id);
const waving = new Map();
let rates = Array(SECONDS).fill(0);
let own;
let last;
let figures;
let socket;
let attempts = 0;

function connect() {
  socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`);
  socket.onopen = () => socket.send(JSON.stringify({ event: 'observe', args: [], id: 1 }));
  socket.onmessage = ({ data }) => {
    const { event, id, data: payload, error } = JSON.parse(data);
    if (id === 1) entered(payload, error);
    else handlers[event]?.(payload);
  };
  socket.onclose = () => {
    report('reconnecting…');
    last = undefined;
    setTimeout(connect, Math.min(10_000, 250 * 2 ** attempts++));
  };
}

const handlers = {
  figures(received) {
    figures = received;
    rates = [...rates.slice(1), last === undefined ? 0 : figures.received - last];
    last = figures.received;
    draw();
  },
  waved({ id }) {
    clearTimeout(waving.get(id));
    waving.set(id, setTimeout(() => { waving.delete(id); draw(); }, WAVE));
    draw();
  },
};

function entered(id, error) {
  if (error) return report(error.message);
  own = id;
  attempts = 0;
  report('connected');
}

function report(status) {
  $('status').textContent = status;
  $('status').classList.toggle('connected', status === 'connected');
  $('wave').disabled = status !== 'connected';
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function draw() {
  if (!figures) return;
  const { clients, projects, received } = figures;
  $('clients').textContent = clients.length.toLocaleString('en');
  $('projects').textContent = projects.length.toLocaleString('en');
  $('received').textContent = received.toLocaleString('en');
  $('who').replaceChildren(...clients.map(({ id, transport, seconds }) => {
    const entry = element('li', '', element('span', 'id', id), element('span', 'wave', 'waves'), element('small', '', id === own ? 'you' : transport), element('small', '', duration(seconds)));
    entry.title = id;
    entry.classList.toggle('own', id === own);
    entry.classList.toggle('waved', waving.has(id));
    return entry;
  }));
  $('nobody').hidden = projects.length > 0;
  $('viewed').replaceChildren(...projects.map(({ id, viewers }) =>
    element('li', '', element('span', 'id', `/project-${id}`), element('small', '', `${viewers} ${viewers === 1 ? 'viewer' : 'viewers'}`))));
  drawSparkline();
}

function drawSparkline() {
  const most = Math.max(4, ...rates);
  const points = rates.map((rate, at) => `${(at * 600) / (SECONDS - 1)} ${118 - (rate / most) * 112}`);
  $('line').setAttribute('d', `M${points.join('L')}`);
  $('area').setAttribute('d', `M0 120L${points.join('L')}L600 120Z`);
  $('rate').textContent = rates.at(-1);
  $('most').textContent = `most: ${Math.max(...rates)}`;
}

$('wave').onclick = () => socket.send(JSON.stringify({ event: 'wave', args: [] }));

drawSparkline();
connect();
