// The chat's page: events from the server update the state (model.js), which is then drawn
// (view.js).

import { Connection, protocol } from './connection.js';
import { Conversation, Presence } from './model.js';
import { $, drawEntry, drawList, drawLog, drawMessage, enumerate, paintAvatar } from './view.js';

// The state that survives a reload. With the key, this tab gets its name back after a lost
// connection.
const session = { key: crypto.randomUUID(), rooms: ['lobby'], ...JSON.parse(sessionStorage.getItem('chat')) };
const people = new Presence();
const conversations = new Map();
let connection;
let current;
// When the last `typing` event was sent.
let lastTyped = 0;
let isOnline = false;
// Whether the user has cut the network.
let isCut = false;
// The messages that were written without a connection, in order, with their conversations.
let waiting = [];

function remember(changes) {
  sessionStorage.setItem('chat', JSON.stringify(Object.assign(session, changes)));
}

// Handlers of the server's events.
const events = {
  welcome({ name, people: names }) {
    remember({ name, entered: true });
    people.listed(names);
    isOnline = true;
    report(connection.resumed ? 'connected again, nothing was missed' : 'connected');
    for (const room of session.rooms) join(room, !current && (session.current ?? room) === room);
    // The server handles them in order: first the rooms are joined, then the messages are sent.
    for (const { conversation, message } of waiting.splice(0)) deliver(conversation, message);
    showPage('chat');
    draw();
  },
  arrived({ name }) {
    people.update(name, true);
    draw();
  },
  left({ name }) {
    people.update(name, false);
    for (const { here } of conversations.values()) here.update(name, false);
    draw();
  },
  joined({ room, name }) {
    const conversation = find(true, room);
    conversation.here.update(name, true);
    if (conversation.isBack(name)) draw();
    else add(conversation, { text: `${name} joined`, isNote: true });
  },
  parted({ room, name }) {
    const conversation = find(true, room);
    conversation.here.update(name, false);
    conversation.stopped(name);
    add(conversation, { text: `${name} left`, isNote: true });
  },
  said({ room, ...message }) {
    const conversation = find(true, room);
    conversation.stopped(message.from);
    add(conversation, message);
  },
  // The message is acknowledged to its sender when this returns.
  told(message) {
    add(find(false, message.from), message);
  },
  typing({ room, name }) {
    find(true, room).typed(name, draw);
    draw();
  },
};

function enter(name) {
  connection?.close();
  report('connecting…');
  connection = new Connection({ name, key: session.key }, {
    events,
    lost() {
      isOnline = false;
      people.forget();
      for (const conversation of conversations.values()) conversation.lost();
      report(isCut ? 'cut off' : 'reconnecting…');
      $('refused').textContent = 'no connection, trying again…';
      draw();
    },
    ended(reason) {
      connection = undefined;
      isOnline = false;
      isCut = false;
      waiting = [];
      remember({ entered: false });
      people.forget();
      conversations.clear();
      current = undefined;
      $('refused').textContent = reason;
      showPage('gate');
    },
  });
}

async function join(name, isToBeShown = true) {
  try {
    const { room, members, said } = await connection.join(name);
    const conversation = find(true, room);
    conversation.here.listed(members);
    members.forEach((member) => conversation.isBack(member));
    conversation.awaitOthers((name) => {
      add(conversation, { text: `${name} left`, isNote: true });
    });
    for (const message of said) {
      if (message.from === session.name) message.mark = 'sent';
      if (conversation.add(message)) drawMessage(message, session.name);
    }
    if (!session.rooms.includes(room)) remember({ rooms: [...session.rooms, room] });
    if (isToBeShown) show(conversation);
    draw();
  } catch (error) {
    complain(error);
  }
}

async function part(conversation) {
  try {
    await connection.part(conversation.name);
    remember({ rooms: session.rooms.filter((room) => room !== conversation.name), current: undefined });
    conversations.delete(conversation.key);
    waiting = waiting.filter((entry) => entry.conversation !== conversation);
    show([...conversations.values()][0]);
  } catch (error) {
    complain(error);
  }
}

function send(conversation, text) {
  lastTyped = 0;
  // The server validates the text. An empty message is not shown.
  const message = { from: session.name, text: text.trim(), mark: 'sending' };
  if (message.text) add(conversation, message);
  if (isOnline || !message.text) return deliver(conversation, message);
  message.mark = 'waiting';
  waiting.push({ conversation, message });
  drawMessage(message, session.name);
}

async function deliver(conversation, message) {
  const { isRoom, name } = conversation;
  const { text } = message;
  if (message.mark === 'waiting') {
    message.mark = 'sending';
    drawMessage(message, session.name);
  }
  try {
    const answer = isRoom ? connection.say({ room: name, text }) : connection.tell({ to: name, text });
    Object.assign(message, await answer, { mark: isRoom ? 'sent' : 'delivered' });
  } catch (error) {
    if (!message.text) return complain(error);
    Object.assign(message, { mark: 'failed', problem: `not ${isRoom ? 'sent' : 'delivered'}: ${error.message}` });
  }
  drawMessage(message, session.name);
  conversation.sort();
  draw();
}

function find(isRoom, name) {
  const key = Conversation.key(isRoom, name);
  if (!conversations.has(key)) conversations.set(key, new Conversation(isRoom, name));
  return conversations.get(key);
}

function add(conversation, message) {
  if (!conversation.add(message)) return;
  drawMessage(message, session.name);
  const isSeen = conversation === current && !document.hidden;
  if (!isSeen && !message.isNote) conversation.unread += 1;
  draw();
}

function showPage(id) {
  const wasHidden = $(id).hidden;
  for (const page of ['gate', 'chat']) $(page).hidden = page !== id;
  if (!wasHidden) return;
  $('name').value = session.name ?? '';
  $(id === 'gate' ? 'name' : 'text').focus();
}

function show(conversation) {
  if (current) current.draft = $('text').value;
  current = conversation;
  if (!current) return draw();
  current.unread = 0;
  lastTyped = 0;
  if (current.isRoom) remember({ current: current.name });
  $('log').replaceChildren();
  $('text').value = current.draft;
  $('text').focus();
  complain({ message: '' });
  draw();
}

// Rooms, then everyone who is connected, then people who have left but have a conversation here.
function listed() {
  const rooms = [...conversations.values()].filter(({ isRoom }) => isRoom);
  const names = new Set(people.names);
  for (const { isRoom, name } of conversations.values()) if (!isRoom) names.add(name);
  names.delete(session.name);
  return { rooms, names: [...names] };
}

function draw() {
  const { rooms, names } = listed();
  const entry = (isRoom, name) => {
    const conversation = conversations.get(Conversation.key(isRoom, name));
    return drawEntry({
      label: isRoom ? `#${name}` : name,
      person: isRoom ? undefined : name,
      isCurrent: conversation !== undefined && conversation === current,
      isAway: !isRoom && !people.has(name),
      unread: conversation?.unread,
      open: () => show(find(isRoom, name)),
    });
  };
  drawList($('rooms'), rooms.map(({ name }) => entry(true, name)));
  drawList($('people'), names.map((name) => entry(false, name)));
  $('count').textContent = names.length || '';
  $('alone').hidden = names.length > 0;
  paintAvatar($('me').querySelector('.avatar'), session.name ?? '');
  $('me').querySelector('strong').textContent = session.name ?? '';
  drawNetwork();
  drawCurrent();
  const unread = [...conversations.values()].reduce((sum, conversation) => sum + conversation.unread, 0);
  document.title = unread ? `(${unread}) Chat` : 'Chat';
}

function drawCurrent() {
  $('composer').hidden = $('part').hidden = !current;
  $('title').textContent = current?.title ?? 'Join a room, or choose somebody';
  $('members').textContent = $('typing').textContent = '';
  $('empty').hidden = true;
  if (!current) return $('log').replaceChildren();
  const { isRoom, here, name, typing, messages } = current;
  $('part').hidden = !isRoom;
  $('log').classList.toggle('dialogue', !isRoom);
  $('text').placeholder = isRoom ? `Say something in #${name}` : `Tell ${name} something`;
  if (isRoom) $('members').textContent = enumerate(here.names.map((name) => (name === session.name ? 'you' : name)));
  else $('members').textContent = people.has(name) ? 'is here' : 'is not here';
  if (typing.length) $('typing').textContent = `${enumerate(typing)} ${typing.length > 1 ? 'are' : 'is'} typing`;
  $('empty').hidden = messages.some(({ isNote }) => !isNote);
  $('empty').textContent = isRoom
    ? `Nobody has said anything in #${name} yet. Say hello; a second tab shows the other side.`
    : `You and ${name} have not written to each other yet.`;
  drawLog(messages);
}

function report(status) {
  $('status').textContent = status;
  $('chat').classList.toggle('offline', !status.startsWith('connected'));
}

// Shows whether the network is cut. It can only be cut while there is a connection.
function drawNetwork() {
  $('network').ariaPressed = isCut;
  $('network').disabled = !isCut && !isOnline;
  $('network').title = $('network').ariaLabel = isCut ? 'Let the network through' : 'Cut the network';
}

function complain({ message }) {
  $('problem').textContent = message;
}

$('enter').onsubmit = (event) => {
  event.preventDefault();
  $('refused').textContent = '';
  enter($('name').value);
};

$('exit').onclick = () => connection.close();

$('network').onclick = () => {
  isCut = !isCut;
  if (isCut) connection.cut();
  else connection.mend();
  if (!isCut) report('reconnecting…');
  drawNetwork();
};

$('join').onsubmit = (event) => {
  event.preventDefault();
  join($('room').value.replace(/^#/, ''));
  $('room').value = '';
};

$('part').onclick = () => part(current);

$('composer').onsubmit = (event) => {
  event.preventDefault();
  send(current, $('text').value);
  $('text').value = '';
  $('text').focus();
};

$('text').onkeydown = (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
};

$('text').oninput = () => {
  complain({ message: '' });
  if (!current.isRoom || !$('text').value || Date.now() - lastTyped < 2_000) return;
  lastTyped = Date.now();
  connection.typing(current.name);
};

document.onkeydown = (event) => {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!event.altKey || !step || $('chat').hidden) return;
  event.preventDefault();
  const entries = [...document.querySelectorAll('nav .entry')];
  const at = entries.findIndex(({ ariaCurrent }) => ariaCurrent === 'true');
  entries.at((at + step + entries.length) % entries.length)?.click();
};

document.onvisibilitychange = () => {
  if (document.hidden || !current) return;
  current.unread = 0;
  draw();
};

for (const place of document.querySelectorAll('.protocol')) place.textContent = protocol.name;
Object.assign($('other'), { textContent: `Use ${protocol.other.name} instead`, href: protocol.other.path });

if (protocol.problem) {
  showPage('gate');
  $('refused').textContent = protocol.problem;
  $('enter').querySelector('button').disabled = true;
} else {
  showPage(session.entered ? 'chat' : 'gate');
  if (session.entered) enter(session.name);
}
