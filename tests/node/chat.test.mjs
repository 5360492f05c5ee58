// The `chat` example and its pages in a real browser: one page uses a plain WebSocket, the other
// Socket.IO.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PAGES, SOCKET_IO, browse, enter, entry, mark, message, say, shows } from './chat.mjs';
import { Client, get, refusal, run } from './lib.mjs';

test('two pages join a room, exchange messages and show their delivery', async (t) => {
  const { open, faults } = await browse(t, await run(t, 'chat'));
  const alice = await open('Alice');
  await shows(alice, '#status', 'connected');
  await shows(alice, '#members', 'you');
  const bob = await open('Bob');
  await shows(alice, '#members', 'you and Bob');
  await shows(bob, '#members', 'Alice and you');
  await entry(alice, 'Bob').waitFor();

  await bob.getByLabel('Message', { exact: true }).pressSequentially('hel');
  await shows(alice, '#typing', 'Bob is typing');

  const text = '<img src=x onerror=alert(1)> & "quotes"\nin two lines';
  await say(alice, text);
  await mark(alice, 'quotes', 'sent');
  await message(bob, 'quotes').waitFor();
  assert.equal(await message(bob, 'quotes').locator('.text').textContent(), text);
  assert.equal(await bob.locator('#log img').count(), 0);
  assert.equal(await message(bob, 'quotes').getByRole('img').count(), 0, 'only own messages have a delivery mark');

  await alice.getByRole('textbox', { name: 'Join a room' }).fill('Rust');
  await alice.getByRole('textbox', { name: 'Join a room' }).press('Enter');
  await shows(alice, '#title', '#rust');
  await say(alice, 'nobody hears this');
  await mark(alice, 'nobody hears', 'sent');
  await alice.keyboard.press('Alt+ArrowUp');
  await shows(alice, '#title', '#lobby');
  await say(alice, 'back again');
  await message(bob, 'back again').waitFor();
  assert.equal(await message(bob, 'nobody hears').count(), 0);
  assert.deepEqual(faults, []);
});

test('what is empty says so', async (t) => {
  const { open, faults } = await browse(t, await run(t, 'chat'));
  const alice = await open('Alice');
  await shows(alice, '#members', 'you');
  await shows(alice, '#count', '');
  await alice.getByText('Nobody else is here. Open this page in a second tab.').waitFor();
  await alice.getByText('Nobody has said anything in #lobby yet.').waitFor();
  await open('Bob');
  await shows(alice, '#count', '1');
  assert.ok(await alice.locator('#alone').isHidden());
  await say(alice, 'hello');
  await mark(alice, 'hello', 'sent');
  assert.ok(await alice.locator('#empty').isHidden());
  await entry(alice, 'Bob').click();
  await shows(alice, '#empty', 'You and Bob have not written to each other yet.');
  assert.deepEqual(faults, []);
});

test('a direct message is shown as delivered when the other page has it', async (t) => {
  const { open, faults } = await browse(t, await run(t, 'chat'));
  const alice = await open('Alice');
  const bob = await open('Bob');
  const carol = await open('Carol');
  await entry(alice, 'Bob').click();
  await say(alice, 'just for you');
  await mark(alice, 'just for you', 'delivered');
  await entry(bob, 'Alice').getByText('1', { exact: true }).waitFor();
  await entry(bob, 'Alice').click();
  await message(bob, 'just for you').waitFor();
  await say(bob, 'thank you');
  await mark(bob, 'thank you', 'delivered');
  await message(alice, 'thank you').waitFor();
  assert.equal(await carol.locator('.message').count(), 0);

  await bob.close();
  await shows(alice, '#members', 'is not here');
  await say(alice, 'are you there?');
  await message(alice, 'are you there?').getByText('not delivered: Bob is not here').waitFor();
  await mark(alice, 'are you there?', 'failed');
  assert.deepEqual(faults, []);
});

test('a plain WebSocket and a Socket.IO client share rooms and report delivery to each other', async (t) => {
  const { open, faults } = await browse(t, await run(t, 'chat'));
  const alice = await open('Alice');
  const bob = await open('Bob', SOCKET_IO);
  await shows(alice, 'footer .protocol', 'a plain WebSocket');
  await shows(bob, 'footer .protocol', 'Socket.IO');
  await shows(alice, '#members', 'you and Bob');
  await shows(bob, '#members', 'Alice and you');

  for (const [from, to, name] of [[alice, bob, 'Alice'], [bob, alice, 'Bob']]) {
    await from.getByLabel('Message', { exact: true }).pressSequentially('hel');
    await shows(to, '#typing', `${name} is typing`);
    await say(from, `hello from ${name}`);
    await mark(from, `hello from ${name}`, 'sent');
    await message(to, `hello from ${name}`).waitFor();
  }
  for (const [from, to, name] of [[alice, bob, 'Bob'], [bob, alice, 'Alice']]) {
    await entry(from, name).click();
    await say(from, `just for ${name}`);
    await mark(from, `just for ${name}`, 'delivered');
    await entry(to, name === 'Bob' ? 'Alice' : 'Bob').click();
    await message(to, `just for ${name}`).waitFor();
  }

  await bob.close();
  await shows(alice, '#members', 'is not here');
  await say(alice, 'are you there?');
  await message(alice, 'are you there?').getByText('not delivered: Bob is not here').waitFor();
  assert.deepEqual(faults, []);
});

test('the Socket.IO page explains how to install a missing client', async (t) => {
  const chat = await run(t, 'chat', 0, { SOCKET_IO_CLIENT: '/nowhere' });
  assert.deepEqual(chat.lines, ['The page /socketio/ needs socket.io-client. To install it: npm ci --prefix tests/node']);
  const { open, faults } = await browse(t, chat);
  const page = await open(undefined, SOCKET_IO);
  await shows(page, '#refused', 'socket.io-client is not installed. Do that, and reload:\nnpm ci --prefix tests/node');
  assert.ok(await page.getByRole('button', { name: 'Enter' }).isDisabled());
  await page.getByRole('link', { name: 'Use a plain WebSocket instead' }).click();
  await enter(page, 'Alice');
  await shows(page, '#status', 'connected');
  assert.deepEqual(faults, []);
});

for (const [name, path] of PAGES) {
  test(`the page shows errors of the server, by ${name}`, async (t) => {
    const { open, faults } = await browse(t, await run(t, 'chat'));
    const alice = await open('Alice', path);
    await shows(alice, '#status', 'connected');
    await say(alice, '   ');
    await shows(alice, '#problem', "a message can't be empty");
    assert.equal(await alice.locator('.message').count(), 0);
    await alice.getByRole('textbox', { name: 'Join a room' }).fill('a room');
    await alice.getByRole('textbox', { name: 'Join a room' }).press('Enter');
    await shows(alice, '#problem', "a room's name can't contain ' '");

    const other = await open('Alice', path);
    await shows(other, '#refused', 'this name is taken');
    await enter(other, '');
    await shows(other, '#refused', "a name can't be empty");
    await enter(other, 'Bob');
    await shows(other, '#status', 'connected');
    await shows(alice, '#members', 'you and Bob');
    await other.getByRole('button', { name: 'Leave the chat' }).click();
    await shows(alice, '#members', 'you');
    await other.getByLabel('Your name').waitFor();
    assert.deepEqual(faults, []);
  });
}

for (const [name, path] of PAGES) {
  test(`a reloaded page keeps its name and receives the history, by ${name}`, async (t) => {
    const { open, faults } = await browse(t, await run(t, 'chat'));
    const alice = await open('Alice', path);
    const bob = await open('Bob', path);
    await say(alice, 'before');
    await mark(alice, 'before', 'sent');
    await alice.reload();
    await shows(alice, '#status', 'connected');
    await shows(alice, '#members', 'you and Bob');
    await shows(bob, '#members', 'Alice and you');
    await mark(alice, 'before', 'sent');
    await say(bob, 'after');
    await message(alice, 'after').waitFor();
    assert.equal(await alice.locator('.message').count(), 2);
    assert.deepEqual(faults, []);
  });
}

for (const [name, path] of PAGES) {
  test(`a duplicated tab takes over and the first one says so, by ${name}`, async (t) => {
    const { open, faults } = await browse(t, await run(t, 'chat'));
    const alice = await open('Alice', path);
    await shows(alice, '#members', 'you');
    const session = await alice.evaluate(() => sessionStorage.getItem('chat'));
    const copy = await open(undefined, path);
    await copy.evaluate((session) => sessionStorage.setItem('chat', session), session);
    await copy.reload();
    await shows(copy, '#members', 'you');
    await shows(alice, '#refused', 'you are connected from elsewhere');
    await alice.getByLabel('Your name').waitFor();
    assert.deepEqual(faults, []);
  });
}

test('pages reconnect when the server restarts', async (t) => {
  const first = await run(t, 'chat');
  const { open, faults } = await browse(t, first);
  const alice = await open('Alice');
  const bob = await open('Bob', SOCKET_IO);
  await shows(alice, '#members', 'you and Bob');
  assert.equal(await first.stop(), 0);
  await shows(alice, '#status', 'reconnecting…');
  await shows(bob, '#status', 'reconnecting…');
  const notes = (page) => page.locator('.note').allTextContents();
  const before = [await notes(alice), await notes(bob)];

  // What is written without a connection is sent in order when it is back.
  const written = ['first', 'second', 'third'].map((word) => `the ${word} without a connection`);
  for (const text of written) await say(alice, text);
  for (const text of written) await mark(alice, text, 'waiting');

  await run(t, 'chat', first.port);
  await shows(alice, '#status', 'connected');
  await shows(bob, '#status', 'connected');
  await shows(alice, '#members', 'you and Bob');
  for (const text of written) await mark(alice, text, 'sent');
  for (const page of [alice, bob]) {
    await message(page, written[2]).waitFor();
    assert.deepEqual(await page.locator('.message .text').allTextContents(), written);
  }
  // They were in the room before, so nobody is said to have joined.
  assert.deepEqual([await notes(alice), await notes(bob)], before);
  await say(alice, 'here again');
  await mark(alice, 'here again', 'sent');
  await message(bob, 'here again').waitFor();
  assert.deepEqual(faults, []);
});

test('other clients can use the same envelopes', async (t) => {
  const chat = await run(t, 'chat');
  const alice = await Client.connect(t, `${chat.ws}/ws?name=Alice&key=secret`);
  assert.deepEqual(await alice.nextJson(), { event: 'welcome', data: { name: 'Alice', people: ['Alice'] } });
  assert.deepEqual(await alice.ask('join', 'Lobby'), { data: { room: 'lobby', members: ['Alice'], said: [] } });

  assert.deepEqual(await alice.ask('say', { room: 'lobby', text: '' }), {
    error: { code: 'invalid_payload', message: "a message can't be empty", argument: 0, path: 'text' },
  });
  assert.deepEqual(await alice.ask('say', { room: 'attic', text: 'hello' }), {
    error: { code: 'not_in_room', message: 'join #attic first' },
  });
  assert.deepEqual(await alice.ask('tell', { to: 'Bob', text: 'hello' }), {
    error: { code: 'nobody_there', message: 'Bob is not here' },
  });

  const stranger = await Client.connect(t, `${chat.ws}/ws?name=Alice&key=guess`);
  assert.deepEqual(await stranger.end(), { code: 1008, reason: 'this name is taken' });

  const bob = await Client.connect(t, `${chat.ws}/ws?name=Bob`);
  assert.deepEqual((await bob.nextJson()).data.people, ['Alice', 'Bob']);
  assert.deepEqual(await alice.nextJson(), { event: 'arrived', data: { name: 'Bob' } });
  bob.sendJson({ event: 'tell', data: { to: 'Alice', text: 'hello' }, id: 'a' });
  const told = await alice.nextJson();
  assert.deepEqual([told.event, told.data.from, told.data.text], ['told', 'Bob', 'hello']);
  // The sender is not blocked while its message is being delivered.
  assert.deepEqual((await bob.ask('join', 'lobby')).data.members.sort(), ['Alice', 'Bob']);
  assert.deepEqual(await alice.nextJson(), { event: 'joined', data: { room: 'lobby', name: 'Bob' } });
  alice.sendJson({ id: told.id });
  assert.deepEqual(await bob.nextJson(), { id: 'a', data: { at: told.data.at } });

  const again = await Client.connect(t, `${chat.ws}/ws?name=Alice&key=secret`);
  assert.deepEqual(await alice.end(), { code: 4001, reason: 'you are connected from elsewhere' });
  assert.deepEqual((await again.nextJson()).data.people, ['Alice', 'Bob']);
  assert.deepEqual(await bob.nextJson(), { event: 'parted', data: { room: 'lobby', name: 'Alice' } });
  assert.deepEqual((await again.ask('join', 'lobby')).data.members.sort(), ['Alice', 'Bob']);
  assert.deepEqual(await bob.nextJson(), { event: 'joined', data: { room: 'lobby', name: 'Alice' } });
  bob.socket.close();
  assert.deepEqual(await again.nextJson(), { event: 'parted', data: { room: 'lobby', name: 'Bob' } });
  assert.deepEqual(await again.nextJson(), { event: 'left', data: { name: 'Bob' } });
});

test('the page loads nothing from other origins, and pages of other origins can not connect', async (t) => {
  const chat = await run(t, 'chat');
  const response = await get(chat.http);
  assert.equal(response.statusCode, 200);
  assert.match(response.headers['content-security-policy'], /^default-src 'self';/);
  assert.equal(await refusal(`${chat.ws}/ws?name=Eve`, { origin: 'http://example.org' }), 403);
});
