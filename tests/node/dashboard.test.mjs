// The `dashboard` example: static and dynamic namespaces, who may enter them, rooms, and its page.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { launch } from './browser.mjs';
import { Feed, LIMIT, run, within } from './lib.mjs';

const start = (test) => run(test, 'dashboard', 0, { ADMIN_TOKEN: 'a secret' });

// A client that joins namespaces on one connection and records their events.
function client(test, dashboard) {
  const { io: manager } = io(dashboard.http, { autoConnect: false, forceNew: true, reconnection: false });
  test.after(() => manager._close());
  const begin = (namespace, auth) => {
    const socket = Object.assign(manager.socket(namespace), { auth }).connect();
    const heard = new Feed();
    for (const event of ['connect', 'connect_error', 'disconnect']) socket.on(event, (value) => heard.push([event, value]));
    socket.onAny((...event) => heard.push(event));
    // The next event of this name.
    const next = (name) => {
      const known = heard.items.length;
      return heard.until((items) => items.slice(known).find(([event]) => event === name)?.slice(1), `waiting for ${name} in ${namespace}`);
    };
    const ask = (...event) => within(socket.emitWithAck(...event), `waiting for the answer to ${event}`);
    return { socket, heard, next, ask };
  };
  const enter = async (namespace, auth) => {
    const entered = begin(namespace, auth);
    await entered.next('connect');
    return entered;
  };
  return { begin, enter };
}

test('a project exists as long as it has visitors', async (t) => {
  const dashboard = await start(t);
  const ann = client(t, dashboard);
  const everywhere = await ann.enter('/');
  assert.deepEqual(await everywhere.ask('projects'), []);
  const seven = await ann.enter('/project-7');
  const eight = await client(t, dashboard).enter('/project-8');
  assert.deepEqual(await everywhere.ask('projects'), ['7', '8']);

  // The namespace is removed by the time the admins receive the event.
  const admin = await client(t, dashboard).enter('/admin', { token: 'a secret' });
  const left = admin.next('left');
  const { id } = eight.socket;
  eight.socket.disconnect();
  assert.deepEqual(await left, [{ project: '8', visitor: id }]);
  assert.deepEqual(await everywhere.ask('projects'), ['7']);
  assert.ok(seven.socket.connected);

  const { next } = client(t, dashboard).begin('/projects');
  assert.equal((await next('connect_error'))[0].message, 'Invalid namespace');
});

test('sockets that watch a branch of a project receive its builds', async (t) => {
  const dashboard = await start(t);
  const enter = (project) => client(t, dashboard).enter(`/project-${project}`);
  const [reporter, main, both, other] = [await enter(7), await enter(7), await enter(7), await enter(8)];
  for (const [{ ask }, branch] of [[main, 'main'], [both, 'main'], [both, 'next'], [other, 'main']]) await ask('watch', branch);

  const told = [main.next('built'), both.next('built')];
  assert.equal(await reporter.ask('report', { branch: 'main', passed: true }), 2);
  for (const built of told) assert.deepEqual(await built, [{ branch: 'main', passed: true }]);

  await both.ask('unwatch', 'main');
  const next = both.next('built');
  assert.equal(await reporter.ask('report', { branch: 'main', passed: false }), 1);
  assert.equal(await reporter.ask('report', { branch: 'next', passed: false }), 1);
  assert.deepEqual(await next, [{ branch: 'next', passed: false }]);
  assert.equal((await reporter.ask('report', { branch: 'main' })).error.code, 'invalid_payload');

  // Earlier events have arrived when an ack arrives.
  await other.ask('watch', 'next');
  for (const { heard } of [other, reporter]) assert.deepEqual(heard.items.filter(([event]) => event === 'built'), []);
});

test('a client with the token may enter /admin on the same connection', async (t) => {
  const dashboard = await start(t);
  for (const [auth, data] of [[undefined, 'no_token'], [{ token: 7 }, 'no_token'], [{ token: 'a guess' }, 'wrong_token']]) {
    const ann = client(t, dashboard);
    const everywhere = await ann.enter('/');
    const refused = (await ann.begin('/admin', auth).next('connect_error'))[0];
    assert.deepEqual([refused.message, refused.data], ['not authorized', data]);
    assert.deepEqual(await everywhere.ask('projects'), []);
    const admin = await ann.enter('/admin', { token: 'a secret' });
    assert.ok((await admin.ask('clients')).includes(everywhere.socket.id));
  }
  const closed = await run(t, 'dashboard', 0, { ADMIN_TOKEN: undefined });
  const { next } = client(t, closed).begin('/admin', { token: 'undefined' });
  assert.equal((await next('connect_error'))[0].message, 'not authorized');
});

test('admins see visitors, send announcements and disconnect clients', async (t) => {
  const dashboard = await start(t);
  const admin = await client(t, dashboard).enter('/admin', { token: 'a secret' });
  const ann = client(t, dashboard);
  const [visited, everywhere, project] = [admin.next('visited'), await ann.enter('/'), await ann.enter('/project-7')];
  assert.deepEqual(await visited, [{ project: '7', visitor: project.socket.id }]);
  const bob = await client(t, dashboard).enter('/');
  assert.deepEqual((await admin.ask('clients')).sort(), [everywhere.socket.id, bob.socket.id].sort());

  const notices = [everywhere.next('notice'), bob.next('notice')];
  await admin.ask('announce', 'closing at six');
  for (const notice of notices) assert.deepEqual(await notice, ['closing at six']);

  const gone = [everywhere.next('disconnect'), project.next('disconnect'), admin.next('left')];
  await admin.ask('dismiss', everywhere.socket.id);
  for (const reason of gone.slice(0, 2)) assert.deepEqual(await reason, ['io server disconnect']);
  await gone[2];
  assert.deepEqual(await admin.ask('clients'), [bob.socket.id]);
  // Events of /admin are unknown in other namespaces.
  assert.equal((await bob.ask('dismiss', bob.socket.id)).error.code, 'unknown_event');
  assert.ok(bob.socket.connected);
});

test('the page shows who is connected, and the events as they come', async (t) => {
  const dashboard = await start(t);
  const browser = await launch(t);
  const faults = [];
  const open = async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(LIMIT);
    page.on('pageerror', (error) => faults.push(error));
    await page.goto(dashboard.http);
    await page.locator('#status.connected').waitFor();
    return page;
  };
  const shows = (page, selector, text) => page.locator(selector).filter({ hasText: new RegExp(`^${text}$`) }).waitFor();
  const page = await open();
  await shows(page, '#clients', '1');
  await page.locator('#who .own').getByText('you', { exact: true }).waitFor();
  await page.locator('#nobody').waitFor();

  const other = await open();
  const viewer = await client(t, dashboard).enter('/project-7');
  await shows(page, '#clients', '2');
  await shows(page, '#viewed .id', '/project-7');
  await shows(page, '#viewed small', '1 viewer');
  assert.ok(await page.locator('#nobody').isHidden());

  // Each page has sent `observe`.
  await shows(page, '#received', '2');
  await other.getByRole('button', { name: 'Wave to everyone' }).click();
  await page.locator('#who li.waved:not(.own)').waitFor();
  await shows(page, '#received', '3');
  await shows(page, '#most', 'most: [1-9]\\d*');

  await other.close();
  viewer.socket.disconnect();
  await shows(page, '#clients', '1');
  await page.locator('#nobody').waitFor();

  assert.equal(await dashboard.stop(), 0);
  await shows(page, '#status', 'reconnecting…');
  await run(t, 'dashboard', dashboard.port);
  await page.locator('#status.connected').waitFor();
  assert.deepEqual(faults, []);
});
