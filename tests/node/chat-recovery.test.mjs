// The `chat` example: pages that were cut off have missed nothing when they are back.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { PAGES, SOCKET_IO, browse, mark, message, say, shows } from './chat.mjs';
import { Redis } from './cluster/redis.mjs';
import { run } from './lib.mjs';

const RESUMED = 'connected again, nothing was missed';

const several = (when) => ['one', 'two', 'three'].map((number) => `${number} ${when}`);
const texts = (page) => page.locator('.message .text').allTextContents();

async function join(page, room) {
  await page.getByRole('textbox', { name: 'Join a room' }).fill(room);
  await page.getByRole('textbox', { name: 'Join a room' }).press('Enter');
  await shows(page, '#title', `#${room}`);
}

// A proxy for the server whose connections can be cut, and that lets no others through while it is
// cut.
async function network(t, port) {
  const pairs = new Set();
  let isCut = false;
  const listener = net.createServer((client) => {
    if (isCut) return client.destroy();
    const server = net.connect(port, '127.0.0.1');
    for (const [one, other] of [[client, server], [server, client]]) {
      pairs.add(one);
      one.on('error', () => {});
      one.on('close', () => (pairs.delete(one), other.destroy()));
      one.pipe(other);
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const cut = (wanted) => {
    isCut = wanted;
    if (isCut) pairs.forEach((stream) => stream.destroy());
  };
  t.after(() => (listener.close(), cut(true)));
  return { http: `http://127.0.0.1:${listener.address().port}`, cut };
}

for (const [name, path] of PAGES) {
  test(`a page whose network was cut has missed nothing, by ${name}`, async (t) => {
    const chat = await run(t, 'chat');
    const between = await network(t, chat.port);
    const [{ open, faults }, { open: openBehind, faults: others }] = [await browse(t, chat), await browse(t, between)];
    const bob = await open('Bob');
    const alice = await openBehind('Alice', path);
    await shows(bob, '#members', 'Alice and you');
    await say(bob, 'before');
    await message(alice, 'before').waitFor();
    between.cut(true);
    await shows(alice, '#status', 'reconnecting…');
    // More than the history of a room.
    const said = Array.from({ length: 60 }, (_, i) => `number ${i} meanwhile`);
    for (const text of said) await say(bob, text);
    await mark(bob, said.at(-1), 'sent');
    between.cut(false);
    await shows(alice, '#status', 'connected again, nothing was missed');
    await message(alice, said.at(-1)).waitFor();
    assert.deepEqual(await alice.locator('.message .text').allTextContents(), ['before', ...said]);
    await say(alice, 'here again');
    await message(bob, 'here again').waitFor();
    assert.deepEqual([faults, others], [[], []]);
  });
}

for (const [name, path] of PAGES) {
  test(`the network is cut in the page, and nothing is missing when it is back, by ${name}`, async (t) => {
    const { open, faults } = await browse(t, await run(t, 'chat'));
    const bob = await open('Bob');
    const alice = await open('Alice', path);
    await shows(bob, '#members', 'Alice and you');
    await say(bob, 'before');
    await message(alice, 'before').waitFor();
    const all = ['before'];
    for (const time of ['in the first tunnel', 'in the second tunnel']) {
      await alice.getByRole('button', { name: 'Cut the network' }).click();
      await shows(alice, '#status', 'cut off');
      await shows(bob, '#members', 'you');
      const said = several(time);
      for (const text of said) await say(bob, text);
      await mark(bob, said.at(-1), 'sent');
      await say(alice, `written ${time}`);
      await mark(alice, `written ${time}`, 'waiting');
      assert.equal(await message(alice, said[0]).count(), 0);
      await alice.getByRole('button', { name: 'Let the network through' }).click();
      await shows(alice, '#status', RESUMED);
      await mark(alice, `written ${time}`, 'sent');
      await message(alice, said.at(-1)).waitFor();
      await message(bob, `written ${time}`).waitFor();
      all.push(...said, `written ${time}`);
      for (const page of [alice, bob]) assert.deepEqual(await texts(page), all);
    }
    assert.deepEqual(faults, []);
  });
}

test('the server is killed and started again meanwhile, and nothing is missing', async (t) => {
  const redis = await Redis.begin(t);
  const env = { REDIS_STREAMS_URL: redis.url };
  const [first, other] = await Promise.all([run(t, 'chat', 0, env), run(t, 'chat', 0, env)]);
  const [{ open, faults }, { open: openOther, faults: others }] = [await browse(t, first), await browse(t, other)];
  const bob = await openOther('Bob');
  const alice = await open('Alice');
  const carol = await open('Carol', SOCKET_IO);
  const pages = [alice, carol];
  for (const page of [...pages, bob]) await join(page, 'rust');
  await shows(bob, '#members', 'Alice, you, and Carol');
  await say(bob, 'before');
  for (const page of pages) await message(page, 'before').waitFor();
  await first.stop('SIGKILL');
  for (const page of pages) await shows(page, '#status', 'reconnecting…');
  const said = several('meanwhile');
  for (const text of said) await say(bob, text);
  await mark(bob, said.at(-1), 'sent');
  await run(t, 'chat', first.port, env);
  for (const page of pages) {
    await shows(page, '#status', RESUMED);
    await message(page, said.at(-1)).waitFor();
    assert.deepEqual(await texts(page), ['before', ...said]);
    await shows(page, '#title', '#rust');
  }
  for (const [name, page] of [['Alice', alice], ['Carol', carol]]) {
    await say(page, `${name} is back`);
    await mark(page, `${name} is back`, 'sent');
    for (const other of [bob, ...pages]) await message(other, `${name} is back`).waitFor();
  }
  assert.deepEqual(await bob.locator('.message', { hasText: 'is back' }).locator('.from').allTextContents(), ['Alice', 'Carol']);
  assert.deepEqual([faults, others], [[], []]);
});
