// The `admin` example with the unmodified pages of `@socket.io/admin-ui`: every page and button, and
// its effect on clients.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { AdminPage, servePages } from './admin-page.mjs';
import { launch } from './browser.mjs';
import { Feed, run, within } from './lib.mjs';

let browser;
let close;
before(async () => (browser = await launch({ after: (end) => (close = end) })));
after(() => close?.());

// Connects a client of a namespace until the test ends.
async function client(test, server, namespace, options = {}) {
  const socket = io(server.http + namespace, { transports: ['websocket'], forceNew: true, reconnection: false, ...options });
  test.after(() => socket.io._close());
  const heard = new Feed();
  for (const event of ['connect', 'disconnect']) socket.on(event, (value) => heard.push([event, value]));
  socket.onAny((...event) => heard.push(event));
  const hears = (name) => heard.until((all) => all.find(([event]) => event === name), `waiting for ${name}`);
  const tell = (...event) => within(socket.emitWithAck(...event), `waiting for the answer to ${event}`);
  await hears('connect');
  return { socket, id: socket.id, hears, tell };
}

async function open(test, server, options) {
  const admin = await AdminPage.open(test, browser, `${server.http}/admin-ui/`);
  await admin.logIn(server.http, 'admin', 'changeit', options);
  await admin.connected();
  return admin;
}

test('an admin logs in, and needs no password for a while', async (t) => {
  const server = await run(t, 'admin');
  const admin = await AdminPage.open(t, browser, `${server.http}/admin-ui/`);
  await admin.logIn(server.http, 'admin', 'wrong');
  await admin.page.getByText('Invalid credentials').waitFor();
  await admin.shoot('wrong-password');
  await admin.logIn(server.http, 'admin', 'changeit');
  await admin.connected();
  await admin.page.reload();
  await admin.connected();
  assert.equal(await admin.page.evaluate(() => localStorage.getItem('session_id').length), 32);

  // Another server does not know the session.
  assert.equal(await server.stop(), 0);
  await admin.disconnected();
  const again = await run(t, 'admin', server.port);
  await admin.page.getByText('Invalid credentials').waitFor();
  await admin.logIn(again.http, 'admin', 'changeit');
  await admin.connected();
  admin.assertFaultless();
});

test('pages of another origin log in with cookies', async (t) => {
  const server = await run(t, 'admin');
  const admin = await AdminPage.open(t, browser, await servePages(t));
  await admin.logIn(server.http, 'admin', 'changeit');
  await admin.connected();
  await admin.go('/servers/');
  await admin.row('#').first().waitFor();
  admin.assertFaultless();
});

test('production mode shows servers and figures', async (t) => {
  const server = await run(t, 'admin', 0, { ADMIN_MODE: 'production' });
  const ann = await client(t, server, '/chat');
  const admin = await open(t, server);
  await admin.shows('Clients');
  await ann.tell('name', 'ann');
  await admin.page.locator('canvas').first().waitFor();
  await admin.shoot('production');
  await admin.go('/servers/');
  await admin.row('#').first().waitFor();
  // There is no list of sockets.
  assert.equal(await admin.page.locator('nav').getByText('Sockets').count(), 0);
  admin.assertFaultless();
});

test('development mode shows sockets, rooms, clients and events', async (t) => {
  const server = await run(t, 'admin');
  const ann = await client(t, server, '/chat');
  await ann.tell('name', 'ann');
  await ann.tell('join', 'lobby');
  const admin = await open(t, server);
  await admin.go('/sockets/');
  await admin.select('/chat');
  await admin.row(ann.id).waitFor();
  await admin.row(ann.id).getByText('WebSocket').waitFor();

  // A client that comes later, and upgrades its transport.
  const bob = await client(t, server, '/chat', { transports: ['polling', 'websocket'] });
  await admin.row(bob.id).waitFor();
  await admin.row(bob.id).getByText('WebSocket').waitFor();
  await admin.shoot('sockets');

  await bob.tell('join', 'lobby');
  await bob.tell('join', 'a room');
  await admin.go('/rooms/');
  await admin.row('a room').waitFor();
  await admin.row('lobby').locator('td').nth(2).filter({ hasText: /^\s*2\s*$/ }).waitFor();
  await admin.shoot('rooms');

  await ann.tell('say', 'lobby', 'hello <b>all</b>');
  await bob.hears('said');
  await admin.go('/events/');
  const events = (text) => admin.row(text).filter({ hasText: ann.id }).first().waitFor();
  for (const text of ['say', 'said']) await events(text);
  await admin.row('said').filter({ hasText: ann.id }).locator('button').click();
  await admin.shows('hello <b>all</b>');
  await admin.shoot('events');

  await admin.go(`/n/${encodeURIComponent('/chat')}/sockets/${ann.id}`);
  await admin.shows('"name": "ann"');
  await ann.tell('name', 'anna');
  await admin.shows('"name": "anna"');
  await admin.shoot('socket');

  await admin.go('/clients/');
  await admin.row('127.0.0.1').nth(2).waitFor();
  await admin.shoot('clients');
  await admin.go('/');
  await admin.page.locator('canvas').first().waitFor();
  await admin.shoot('dashboard');

  bob.socket.disconnect();
  await admin.go('/sockets/');
  await admin.row(bob.id).waitFor({ state: 'detached' });
  admin.assertFaultless();
});

test('every button does what it says', async (t) => {
  const server = await run(t, 'admin');
  const admin = await open(t, server, { webSocketOnly: true });
  const begin = () => client(t, server, '/chat');
  // The page of a socket or room stays empty if it is opened before the browser knows of it.
  const details = async (list, name) => {
    await admin.go(`/${list}/`);
    await admin.row(name).waitFor();
    await admin.go(`/n/${encodeURIComponent('/chat')}/${list}/${encodeURIComponent(name)}`);
  };
  const [ann, bob] = [await begin(), await begin()];
  await admin.go('/sockets/');
  await admin.select('/chat');

  // A socket joins and leaves a room.
  await details('sockets', ann.id);
  await admin.page.getByLabel('Join a room').fill('lobby');
  await admin.button('tag-plus-outline').click();
  await admin.row('lobby').waitFor();
  await bob.tell('say', 'lobby', 'are you there?');
  await ann.hears('said');
  await admin.press('tag-off-outline', 'lobby');
  await admin.row('lobby').waitFor({ state: 'detached' });

  // One socket leaves a room, then all do.
  for (const { tell } of [ann, bob]) await tell('join', 'hall');
  await details('rooms', 'hall');
  await admin.press('tag-off-outline', ann.id);
  await admin.row(ann.id).waitFor({ state: 'detached' });
  await ann.tell('join', 'hall');
  await admin.row(ann.id).waitFor();
  await admin.press('tag-off-outline', 'Status');
  await admin.row(bob.id).waitFor({ state: 'detached' });
  for (const { tell } of [ann, bob]) await tell('join', 'cellar');
  await admin.go('/rooms/');
  await admin.press('tag-off-outline', 'cellar');
  await admin.row('cellar').waitFor({ state: 'detached' });

  // Sockets and clients are disconnected from each of the lists.
  const gone = async (client) => assert.deepEqual(await client.hears('disconnect'), ['disconnect', 'io server disconnect']);
  await admin.go('/sockets/');
  await admin.press('logout', ann.id);
  await gone(ann);
  await admin.row(ann.id).waitFor({ state: 'detached' });
  assert.ok(ann.socket.io.engine, 'its connection stays open');

  const cleared = [bob, await begin()];
  for (const { tell } of cleared) await tell('join', 'attic');
  await admin.go('/rooms/');
  await admin.row('attic').locator('td').nth(2).filter({ hasText: /^\s*2\s*$/ }).waitFor();
  await admin.press('logout', 'attic');
  for (const one of cleared) await gone(one);

  const inRoom = await begin();
  await inRoom.tell('join', 'attic');
  await details('rooms', 'attic');
  await admin.press('logout', inRoom.id);
  await gone(inRoom);

  // The second button is that of the socket, the first one that of its client.
  for (const at of [1, 0]) {
    const one = await begin();
    await details('sockets', one.id);
    await admin.shows(one.id);
    await admin.button('logout').nth(at).click();
    await gone(one);
    await admin.page.locator('main').getByText('disconnected', { exact: true }).nth(1 - at).waitFor();
  }

  // A client with two sockets, in the list of clients and on its own page.
  for (const where of ['list', 'page']) {
    const [one, other] = [await begin(), await begin()];
    const both = other.socket.io.socket('/');
    const ended = new Feed();
    both.on('disconnect', (reason) => ended.push(reason));
    await within(new Promise((resolve) => both.once('connect', resolve)), 'connecting to the other namespace');
    const isGone = () => ended.until(([reason]) => reason, 'waiting for the end');
    await details('sockets', other.id);
    await admin.shows(other.id);
    const id = (await admin.page.locator('a.link').first().textContent()).trim();
    await admin.go('/clients/');
    await admin.row(id).locator('td').nth(3).filter({ hasText: /^\s*2\s*$/ }).waitFor();
    if (where === 'page') {
      await admin.go(`/clients/${id}`);
      await admin.press('logout', '/chat');
      await gone(other);
      assert.equal(ended.items.length, 0);
      await admin.shoot('client');
      await admin.press('logout', 'Status');
    } else {
      await admin.press('logout', id);
      await gone(other);
    }
    assert.equal(await isGone(), 'io server disconnect');
    assert.ok(one.socket.connected);
  }
  admin.assertFaultless();
});

test('read-only admins have no buttons, and their commands are ignored', async (t) => {
  const server = await run(t, 'admin', 0, { ADMIN_READ_ONLY: 'yes' });
  const ann = await client(t, server, '/');
  const admin = await open(t, server);
  await admin.go('/sockets/');
  await admin.row(ann.id).waitFor();
  assert.equal(await admin.button('logout').count(), 0);
  await admin.shoot('read-only');
  const auth = { username: 'admin', password: 'changeit' };
  const raw = await client(t, server, '/admin', { auth });
  raw.socket.emit('_disconnect', '/', true, ann.id);
  raw.socket.emit('join', '/', 'lobby', ann.id);
  raw.socket.emit('emit', '/', null, 'said', 'x');
  // An answer, an error here, comes after the commands were handled.
  await raw.tell('nothing');
  await ann.tell('name', 'ann');
  assert.ok(ann.socket.connected);
  admin.assertFaultless();
});
