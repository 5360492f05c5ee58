// A server's column: a chat in its lobby, its health and its figures.

import { connect } from './connection.js';

const ROOM = 'lobby';
const PEOPLE = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eva', 'Finn', 'Gus', 'Hana'];
const FIGURES = ['servers', 'lag', 'queued', 'published', 'received', 'delivered', 'skipped', 'dropped', 'missed'];
// The number of messages that are kept.
const KEPT = 200;

let columns = 0;

export class Column {
  // The number of servers of which this one knows.
  servers = 0;
  isUp = false;
  #server;
  #name;
  #names = 0;
  #number = columns++;
  #key;
  #connection;
  #isOpen = false;
  // Whether the log is scrolled to its end.
  #isAtEnd = true;
  #messages = [];
  #members = new Set();
  // Who came and went while the list of members was asked for. It is newer than the list.
  #moves = new Map();
  #figures = new Map();
  #changed;

  // `changed` is called when the health has changed.
  constructor(server, changed) {
    this.#server = server;
    this.#changed = changed;
    this.element = document.getElementById('column').content.cloneNode(true).firstElementChild;
    // A reloaded page takes over its name with the key.
    const kept = `cluster ${server.url}`;
    this.#key = sessionStorage.getItem(kept) ?? crypto.randomUUID();
    sessionStorage.setItem(kept, this.#key);
    this.#nextName();
    this.#fill();
    this.#connection = connect(server, () => ({ name: this.#name, key: this.#key }), {
      opened: () => this.#join(),
      lost: () => this.#ended('reconnecting…'),
      refused: (reason) => {
        if (/taken/.test(reason)) this.#nextName();
        else this.#complain(reason);
        this.#ended('refused');
      },
      received: (event, payload) => this[`on_${event}`]?.(payload),
    });
  }

  on_said({ room, ...message }) {
    if (room === ROOM) this.#add(message);
  }

  on_joined({ room, name }) {
    if (room === ROOM) this.#moved(name, true);
  }

  on_parted({ room, name }) {
    if (room === ROOM) this.#moved(name, false);
  }

  on_cluster({ id, state, error, ...figures }) {
    const wasUp = this.isUp;
    this.isUp = state === 'up';
    this.servers = figures.servers ?? 0;
    this.#find('.id').textContent = `id ${id}`;
    this.#warn(this.isUp ? '' : ['starting', 'stopped'].includes(state) && !error ? 'The cluster is not reached yet.' : `The cluster can't be reached: ${error}. Messages reach only the clients of this server.`);
    for (const [name, value] of this.#figures) {
      value.textContent = shown(name, figures[name]);
      value.parentElement.hidden = figures[name] === undefined;
    }
    this.#drawMembers();
    this.#changed();
    // Who came and went elsewhere is unknown.
    if (this.isUp && !wasUp && this.#isOpen) this.#join();
  }

  // Joins the room, or lists its members again.
  async #join() {
    this.#moves.clear();
    try {
      const { members, said } = await this.#connection.request('join', ROOM);
      this.#isOpen = true;
      this.#members = new Set(members);
      for (const [name, isHere] of this.#moves) this.#moved(name, isHere);
      said.forEach((message) => this.#add(message));
      this.#find('.status').textContent = `connected as ${this.#name}`;
      this.#find('.status').classList.add('connected');
      this.#find('button').disabled = false;
      this.#complain('');
      this.#drawMembers();
    } catch (error) {
      this.#complain(error.message);
    }
  }

  #ended(status) {
    this.#isOpen = this.isUp = false;
    this.servers = 0;
    this.#find('.status').textContent = status;
    this.#find('.status').classList.remove('connected');
    this.#find('button').disabled = true;
    this.#warn('');
    this.#changed();
  }

  async #send() {
    const input = this.#find('input');
    const text = input.value.trim();
    if (!text || !this.#isOpen) return;
    input.value = '';
    this.#complain('');
    try {
      const { at } = await this.#connection.request('say', { room: ROOM, text });
      this.#add({ from: this.#name, text, at });
    } catch (error) {
      this.#complain(`not sent: ${error.message}`);
      input.value ||= text;
    }
  }

  // Adds a message, unless it is there already. Times are unique for each sender.
  #add({ from, text, at }) {
    if (this.#messages.some((message) => message.at === at && message.from === from)) return;
    const log = this.#find('.log');
    const time = make('small', '', new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
    const element = make('li', 'message', make('strong', '', from), make('p', '', text), time);
    element.classList.toggle('own', from === this.#name);
    const next = this.#messages.findIndex((message) => message.at > at);
    log.insertBefore(element, this.#messages[next]?.element ?? null);
    this.#messages.splice(next < 0 ? this.#messages.length : next, 0, { from, at, element });
    if (this.#messages.length > KEPT) this.#messages.shift().element.remove();
    if (this.#isAtEnd || from === this.#name) log.scrollTop = log.scrollHeight;
  }

  // Several pages at once have different names.
  #nextName() {
    const round = Math.floor(this.#names / PEOPLE.length);
    const name = PEOPLE[(this.#number * 3 + this.#names++) % PEOPLE.length];
    this.#name = round ? `${name} ${round + 1}` : name;
  }

  #fill() {
    const { name, url } = this.#server;
    // A banner or a narrower page makes less room for the log.
    const log = this.#find('.log');
    new ResizeObserver(() => (log.scrollTop = this.#isAtEnd ? log.scrollHeight : log.scrollTop)).observe(log);
    log.onscroll = () => (this.#isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60);
    this.element.ariaLabel = name;
    this.#find('h2').textContent = name;
    this.#find('.address').textContent = new URL(url).host;
    this.#find('.log').ariaLabel = `Messages on ${name}`;
    this.#find('input').ariaLabel = `Message on ${name}`;
    this.#find('form').onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    for (const figure of FIGURES) this.#figures.set(figure, make('dd', '', '–'));
    this.#find('.figures').append(...FIGURES.map((figure) => make('div', '', make('dt', '', figure), this.#figures.get(figure))));
  }

  #moved(name, isHere) {
    this.#moves.set(name, isHere);
    if (isHere) this.#members.add(name);
    else this.#members.delete(name);
    this.#drawMembers();
  }

  #drawMembers() {
    if (!this.#members.size) return;
    const names = [...this.#members].sort((a, b) => a.localeCompare(b)).map((name) => (name === this.#name ? 'you' : name));
    const where = this.isUp || !this.#isOpen ? `In #${ROOM}` : `Last known in #${ROOM}`;
    this.#find('.members').textContent = `${where}: ${new Intl.ListFormat('en').format(names)}`;
  }

  #warn(text) {
    const banner = this.#find('.banner');
    // A changed text would be read out again.
    if (banner.textContent !== text) banner.textContent = text;
    banner.hidden = !text;
  }

  #complain(text) {
    this.#find('.problem').textContent = text;
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }
}

function shown(name, value) {
  if (value === undefined || value === null) return '–';
  return name === 'lag' ? `${value.toFixed(1)} ms` : value.toLocaleString('en');
}

// User texts become text nodes, never HTML.
function make(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}
