// The example `cluster` and its page in a real browser, with a server on Node.js in the cluster.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { io } from 'socket.io-client';
import { launch } from './browser.mjs';
import { Redis, eventually, freePorts } from './cluster/redis.mjs';
import { Client, Feed, LIMIT, built, get, run, start } from './lib.mjs';
import { runNginx } from './nginx.mjs';

const SCREENSHOTS = path.join(built, '../screenshots');
const SCREENS = [375, 1200].flatMap((width) => ['light', 'dark'].map((colorScheme) => ({ width, colorScheme })));
const EXAMPLE = fileURLToPath(new URL('../../examples/cluster', import.meta.url));
const PACKAGES = fileURLToPath(new URL('node_modules', import.meta.url));

// A directory until the test ends.
function temporary(test) {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-'));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

// Runs the server on Node.js until the test ends, with the packages of the tests.
async function runNode(test, redis) {
  const directory = temporary(test);
  copyFileSync(path.join(EXAMPLE, 'node/server.mjs'), path.join(directory, 'server.mjs'));
  symlinkSync(PACKAGES, path.join(directory, 'node_modules'));
  return start(test, process.execPath, ['server.mjs'], { REDIS_URL: redis.url, PORT: '0' }, directory);
}

// Runs nginx with the file of the containers until the test ends. `servers` has the programs by the
// names of their containers. Returns its address.
async function balance(test, servers) {
  const [port] = await freePorts(1);
  let file = readFileSync(path.join(EXAMPLE, 'nginx.conf'), 'utf8').replace('listen 80;', `listen 127.0.0.1:${port};`);
  for (const [name, server] of Object.entries(servers)) {
    assert.ok(file.includes(`server ${name}:3000;`), name);
    file = file.replaceAll(`server ${name}:3000;`, `server 127.0.0.1:${server.port};`);
  }
  assert.doesNotMatch(file, /:3000;/);
  const address = `http://127.0.0.1:${port}`;
  await runNginx(test, file, address);
  return address;
}

// A client that is called `name`. `received` waits for an event's payload. Each event is
// acknowledged if the server asks for that.
function socketIo(test, address, name, options = { transports: ['websocket'] }) {
  const socket = io(address, { auth: { name }, forceNew: true, ...options });
  test.after(() => socket.disconnect());
  const feed = new Feed();
  socket.onAny((event, payload, answer) => {
    feed.push({ event, payload });
    // Without a question, the last argument is the offset of the event.
    if (typeof answer === 'function') answer();
  });
  const heard = (event, matches) => feed.until((all) => all.find((item) => item.event === event && matches(item.payload))?.payload, `waiting for ${event}`);
  return { socket, heard, received: (event) => heard(event, () => true) };
}

async function open(browser, address, faults) {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(error));
  await page.goto(address);
  return page;
}

const column = (page, name) => page.getByRole('region', { name, exact: true });
const banner = (column) => column.getByRole('alert').filter({ hasText: "can't be reached" });

async function say(column, text) {
  await column.getByRole('textbox').fill(text);
  await column.getByRole('textbox').press('Enter');
}

const message = (column, text) => column.locator('.message', { hasText: text });

// Waits until a message is shown exactly once in each of the columns.
async function shown(columns, text) {
  for (const column of columns) await message(column, text).waitFor();
  for (const column of columns) assert.equal(await message(column, text).count(), 1);
}

const summary = (page, text) => page.locator('#summary').filter({ hasText: text }).waitFor();

async function shoot(page, name) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  for (const { width, colorScheme } of SCREENS) {
    await page.setViewportSize({ width, height: width < 640 ? 1900 : 860 });
    await page.emulateMedia({ colorScheme });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${name} is ${overflow} px wider than ${width} px`);
    await page.screenshot({ path: path.join(SCREENSHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true });
  }
}

test('messages cross between two servers and one on Node.js, and again after Redis was away', async (t) => {
  const redis = await Redis.begin(t);
  const node = await runNode(t, redis);
  const cluster = await run(t, 'cluster', 0, { REDIS_URL: redis.url, NODE_URL: node.http });
  const [browser, faults] = [await launch(t), []];
  const page = await open(browser, cluster.http, faults);
  const all = ['Server 1', 'Server 2', 'Node.js'].map((name) => column(page, name));
  await summary(page, '3 servers are one cluster');

  for (const [i, from] of all.entries()) {
    await say(from, `number ${i} <b>crosses</b>`);
    await shown(all, `number ${i} <b>crosses</b>`);
  }
  for (const each of all) assert.match(await each.locator('.members').textContent(), /^In #lobby: .*you/);
  await eventually(async () => {
    const listed = await Promise.all(all.map(async (each) => (await each.locator('.members').textContent()).split(', ').length));
    return listed.every((count) => count >= 3);
  }, 'waiting for all members');
  await shoot(page, 'cluster');

  await redis.kill();
  for (const each of all) await banner(each).waitFor();
  await summary(page, '0 of 3 servers reach the cluster');
  for (const [i, from] of all.entries()) {
    await say(from, `alone ${i}`);
    await shown([from], `alone ${i}`);
  }
  await shoot(page, 'cluster-down');

  await redis.start();
  for (const each of all) await banner(each).waitFor({ state: 'hidden' });
  await summary(page, '3 servers are one cluster');
  for (const [i, from] of all.entries()) {
    await say(from, `together ${i}`);
    await shown(all, `together ${i}`);
  }
  // What was said without Redis did not cross.
  for (const [i, from] of all.entries()) {
    for (const each of all) assert.equal(await message(each, `alone ${i}`).count(), each === from ? 1 : 0);
  }

  await page.reload();
  await summary(page, '3 servers are one cluster');
  await say(all[1], 'reloaded');
  await shown(all, 'reloaded');
  assert.equal(await node.stop(), 0);
  await column(page, 'Node.js').getByText('reconnecting…').waitFor();
  await summary(page, '2 of 3 servers reach the cluster');
  assert.equal(await cluster.stop(), 0);
  await column(page, 'Server 1').getByText('reconnecting…').waitFor();
  assert.deepEqual(faults, []);
});

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('the example starts a Redis of its own, and ends it', async (t) => {
  const cluster = await run(t, 'cluster');
  const line = await cluster.line(/^started redis:/);
  const pid = Number(/process (\d+)$/.exec(line)[1]);
  t.after(() => isRunning(pid) && process.kill(pid));
  const [browser, faults] = [await launch(t), []];
  const page = await open(browser, cluster.http, faults);
  const [one, two] = ['Server 1', 'Server 2'].map((name) => column(page, name));
  await summary(page, '2 servers are one cluster');
  await say(two, 'hello');
  await shown([one, two], 'hello');
  // A second page takes other names.
  const other = await open(browser, cluster.http, faults);
  await summary(other, '2 servers are one cluster');
  await say(column(other, 'Server 1'), 'I am new');
  await shown([one, two], 'I am new');
  assert.equal(await cluster.stop(), 0);
  assert.ok(!isRunning(pid));
  assert.deepEqual(faults, []);
});

test('without Redis it says what to do', async () => {
  const example = path.join(process.env.EXAMPLES_DIR ?? path.join(built, 'examples'), 'cluster');
  const { REDIS_URL, ...env } = process.env;
  const failed = promisify(execFile)(example, { env: { ...env, PORT: '0', PATH: '/nowhere' }, timeout: LIMIT });
  await assert.rejects(failed, { code: 1, stderr: /there is no Redis: set REDIS_URL, .* or install redis-server/ });
});

test('direct messages and names cross between servers', async (t) => {
  const redis = await Redis.begin(t);
  const node = await runNode(t, redis);
  const env = { REDIS_URL: redis.url };
  const [first, second] = [await run(t, 'chat', 0, env), await run(t, 'chat', 0, env)];
  const ann = await Client.connect(t, `${first.ws}/ws?name=ann`);
  assert.deepEqual((await ann.nextJson()).event, 'welcome');
  const bob = await Client.connect(t, `${second.ws}/ws?name=bob`);
  assert.deepEqual((await bob.nextJson()).data, { name: 'bob', people: ['ann', 'bob'] });
  assert.deepEqual(await ann.nextJson(), { event: 'arrived', data: { name: 'bob' } });

  bob.sendJson({ event: 'tell', data: { to: 'ann', text: 'psst' }, id: 1 });
  const told = await ann.nextJson();
  assert.deepEqual([told.event, told.data.from, told.data.text], ['told', 'bob', 'psst']);
  ann.sendJson({ id: told.id });
  assert.deepEqual(await bob.nextJson(), { id: 1, data: { at: told.data.at } });
  assert.equal((await bob.ask('tell', { to: 'cid', text: 'psst' }, 2)).error.code, 'nobody_there');

  const cid = socketIo(t, node.http, 'cid');
  assert.deepEqual((await cid.received('welcome')).people, ['ann', 'bob', 'cid']);
  assert.deepEqual(await ann.nextJson(), { event: 'arrived', data: { name: 'cid' } });
  assert.deepEqual(await bob.nextJson(), { event: 'arrived', data: { name: 'cid' } });
  assert.ok((await bob.ask('tell', { to: 'cid', text: 'psst' }, 3)).data.at);
  assert.equal((await cid.received('told')).from, 'bob');
  const telling = cid.socket.emitWithAck('tell', { to: 'ann', text: 'hush' });
  const hush = await ann.nextJson();
  assert.deepEqual([hush.event, hush.data.from], ['told', 'cid']);
  ann.sendJson({ id: hush.id });
  assert.deepEqual(await telling, { at: hush.data.at });
  assert.equal((await cid.socket.emitWithAck('tell', { to: 'dan', text: 'psst' })).error.code, 'nobody_there');

  assert.deepEqual((await ann.ask('join', 'lobby')).data.members, ['ann']);
  assert.deepEqual((await cid.socket.emitWithAck('join', 'lobby')).members, ['ann', 'cid']);
  assert.deepEqual(await ann.nextJson(), { event: 'joined', data: { room: 'lobby', name: 'cid' } });
  cid.socket.disconnect();
  assert.deepEqual(await ann.nextJson(), { event: 'parted', data: { room: 'lobby', name: 'cid' } });
  assert.deepEqual(await ann.nextJson(), { event: 'left', data: { name: 'cid' } });
});

test('nginx spreads the clients over the servers of the containers, and messages cross', async (t) => {
  const redis = await Redis.begin(t);
  const env = { REDIS_URL: redis.url };
  const [one, two, node] = [await run(t, 'chat', 0, env), await run(t, 'chat', 0, env), await runNode(t, redis)];
  const address = await balance(t, { 'rust-1': one, 'rust-2': two, node });

  // The page comes with the cookie that chooses the server.
  const { headers } = await get(address);
  assert.match(headers['set-cookie'][0], /^sticky=\w{32}; Path=\/; HttpOnly; SameSite=Lax$/);
  const servers = new Set([one, two, node].map(({ port }) => `127.0.0.1:${port}`));

  const [clients, seen] = [[], new Set()];
  for (let number = 0; seen.size < servers.size; number++) {
    assert.ok(number < 100, 'the clients reach all servers');
    const extraHeaders = { Cookie: `sticky=client-${number}` };
    const { headers } = await get(`${address}/socket.io/?EIO=4&transport=websocket`, { headers: extraHeaders });
    const server = headers['x-server'];
    assert.ok(servers.has(server), server);
    if (seen.has(server)) continue;
    seen.add(server);
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      const client = socketIo(t, address, `${server} by ${transports}`.slice(-24), { transports, extraHeaders });
      await client.received('welcome');
      assert.ok((await client.socket.emitWithAck('join', 'lobby')).members.includes(`${server} by ${transports}`.slice(-24)));
      clients.push(client);
    }
  }
  for (const [i, { socket }] of clients.entries()) {
    assert.ok((await socket.emitWithAck('say', { room: 'lobby', text: `number ${i}` })).at);
    for (const other of clients.filter((client) => client.socket !== socket)) await other.heard('said', (said) => said.text === `number ${i}`);
  }
  const plain = await Client.connect(t, `${address.replace('http', 'ws')}/ws?name=ann`);
  assert.equal((await plain.nextJson()).data.people.length, clients.length + 1);
});
