// Runs the code of the README and the guide exactly as it stands there, and compares what it prints
// with what its comments say. The programs listen on the ports that the pages name: 3000, and so on.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { io } from 'socket.io-client';
import { launch } from '../browser.mjs';
import { Redis, eventually } from '../cluster/redis.mjs';
import { Feed, start, within } from '../lib.mjs';
import { blocks, mark, pages, printed, root, take, untaken } from './markdown.mjs';
import { directory, environment, everything, program } from './programs.mjs';

const SERVER = 'http://127.0.0.1:3000';
const NEW_USER = directory('hello');
const TYPED = directory('typed');
const GUIDE = directory('guide');
const modules = fileURLToPath(new URL('../node_modules', import.meta.url));

// The lines that a command prints. It must succeed.
async function run(cwd, command, ...args) {
  const { stdout } = await promisify(execFile)(command, args, { cwd, env: environment }).catch((error) => {
    throw new Error(`${error.message}\n${error.stdout}`);
  });
  return stdout.trimEnd().split('\n');
}

const shell = (cwd, commands) => run(cwd, 'bash', '-euc', commands);

// Makes a directory one in which nothing from npm is installed.
function empty(at) {
  for (const name of ['package.json', 'package-lock.json', 'node_modules']) rmSync(path.join(at, name), { recursive: true, force: true });
}

// Makes a directory one in which the packages of these tests are installed.
function installed(at) {
  writeFileSync(path.join(at, 'package.json'), '{"type": "module"}');
  if (!existsSync(path.join(at, 'node_modules'))) symlinkSync(modules, path.join(at, 'node_modules'));
}

// Writes files of a TypeScript project, and compiles it.
async function compile(at, files) {
  installed(at);
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(at, name), text);
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom', '--types', ''];
  await run(at, process.execPath, path.join(modules, 'typescript/bin/tsc'), ...options, ...Object.keys(files));
}

// One for all tests of this file.
const browser = await launch({ after });

// A page of the server in a browser, and what scripts print there.
async function open(t) {
  const page = await browser.newPage();
  t.after(() => page.close());
  const output = new Feed();
  page.on('console', (message) => message.type() === 'log' && output.push(message.text()));
  page.on('pageerror', (error) => output.end(error));
  page.on('dialog', (dialog) => dialog.accept());
  await page.goto(SERVER);
  output.items.length = 0;
  return { page, output };
}

// Runs a script on the page, and waits for what its comments say that it prints.
async function runInBrowser({ page, output }, content, type = '') {
  const expected = printed(content);
  output.items.length = 0;
  await page.addScriptTag({ content, type });
  await output.until((lines) => lines.length >= expected.length || undefined, 'waiting for the output');
  assert.deepEqual(output.items, expected);
}

// Connects a client until the test ends.
async function connect(t, url = SERVER, options = {}) {
  const socket = io(url, { forceNew: true, reconnection: false, ...options });
  t.after(() => socket.close());
  await within(once(socket, 'connect'), 'waiting for the connection');
  return socket;
}

test('the first server of the README says where it listens, and its clients print what they say', async (t) => {
  const server = await start(t, program('hello'), []);
  assert.equal(server.http, SERVER);
  assert.equal(await (await fetch(SERVER)).text(), 'Clients connect to /ws, or with socket.io-client.');

  const client = take('README.md', 'js', 'emitWithAck("join"');
  empty(NEW_USER);
  writeFileSync(path.join(NEW_USER, 'client.mjs'), client);
  const lines = await shell(NEW_USER, take('README.md', 'sh', 'client.mjs'));
  const expected = printed(client);
  assert.equal(expected.length, 2);
  assert.deepEqual(lines.slice(-2), expected);

  await runInBrowser(await open(t), take('README.md', 'js', 'new WebSocket'));
});

test('the emitter of the guide compiles', async () => {
  const at = directory('emitter');
  mkdirSync(at, { recursive: true });
  const exported = (name) => readFileSync(path.join(root, 'tests/node/contract', name), 'utf8').replace('"./daily"', '"./daily.js"');
  const files = { 'daily.ts': exported('daily.ts'), 'daily-emitter.ts': exported('daily-emitter.ts') };
  await compile(at, { ...files, 'emit.ts': take('emitting.md', 'ts', 'new Emitter') });
});

test('the typed server of the README exports its contract, and the typed client prints what it says', async (t) => {
  const commands = take('README.md', 'sh', 'SOCKETIO_EXPORT');
  rmSync(path.join(TYPED, 'chat.ts'), { force: true });
  await start(t, 'bash', ['-euc', commands], environment, TYPED);

  const chat = readFileSync(path.join(TYPED, 'chat.ts'), 'utf8').replace(/^ */gm, '');
  for (const part of ['export interface ServerToClientEvents', '/** Says something to somebody. */\nmessage:']) {
    assert.ok(chat.includes(take('README.md', 'ts', part).replace(/^ */gm, '')), part);
  }
  const sources = [TYPED, directory('clustered')].map((at) => readFileSync(path.join(at, 'src/main.rs'), 'utf8'));
  sources.push(readFileSync(path.join(directory('clustered'), 'src/bin/ready.rs'), 'utf8'));
  for (const block of blocks.filter(({ tags }) => tags.includes('ignore'))) {
    assert.ok(sources.some((source) => source.includes(block.text)), `${block.page}:${block.line} is no part of a program`);
    mark(block);
  }

  const client = take('README.md', 'ts', 'io("http://127.0.0.1:3000")');
  empty(TYPED);
  await shell(TYPED, 'npm init -y');
  writeFileSync(path.join(TYPED, 'client.ts'), client);
  const lines = await shell(TYPED, take('README.md', 'sh', 'tsc'));
  assert.deepEqual(lines.slice(-1), printed(client));
});

test('a server with the line for a cluster shares its rooms with one on Node.js', async (t) => {
  const redis = await Redis.begin(t);
  const env = { REDIS_URL: redis.url };
  const node = path.join(root, 'examples/cluster/node');
  const copied = directory('node');
  mkdirSync(copied, { recursive: true });
  installed(copied);
  copyFileSync(path.join(node, 'server.mjs'), path.join(copied, 'server.mjs'));
  const other = await start(t, process.execPath, ['server.mjs'], { ...env, PORT: '0' }, copied);
  for (const name of ['clustered', 'ready']) {
    const server = await start(t, program(name), [], env);
    const here = await connect(t);
    const there = await connect(t, other.http, { auth: { name } });
    await there.emitWithAck('join', 'lobby');
    const said = once(there, 'said');
    await eventually(async () => (await redis.cli('PUBSUB', 'NUMSUB', 'socket.io-request#/#')).endsWith('2'), 'waiting for both servers');
    assert.deepEqual(await here.emitWithAck('say', { room: 'lobby', text: 'hello' }), { length: 5 });
    assert.deepEqual(await within(said, 'waiting for the message'), [{ from: here.id, text: 'hello' }]);
    await server.stop();
  }
});

test('the commands of the README exist', () => {
  for (const commands of [take('README.md', 'sh', 'benches/run'), take('README.md', 'sh', 'tests/run')]) {
    for (const line of commands.trimEnd().split('\n')) accessSync(path.join(root, line.split(' ')[0]), constants.X_OK);
  }
});

test('all pages want the same versions of crates', () => {
  const crates = new Map();
  for (const [, crate, version] of everything.matchAll(/^(\S+) = .*?"([\d.]+)"/gm)) crates.set(crate, version);
  for (const { page, line, text } of blocks.filter(({ language }) => language === 'toml')) {
    if (text.startsWith('[patch')) continue;
    for (const [, crate, version] of text.matchAll(/^(\S+) = .*?"([\d.]+)"/gm)) {
      assert.equal(version, crates.get(crate), `${page}:${line}: ${crate}`);
    }
  }
  // What these need is in the manifest of the guide's programs.
  for (const page of ['asyncapi.md', 'contract.md', 'validation.md']) take(page, 'toml', 'socketio');
  for (const [page, part] of [['README.md', '[dev-dependencies]'], ['testing.md', '[dev-dependencies]']]) take(page, 'toml', part);
});

test('a server that gets Ctrl-C ends', async (t) => {
  const server = await start(t, program('serving'), []);
  const end = once(await connect(t), 'disconnect');
  assert.equal(await server.stop('SIGINT'), 0);
  await within(end, 'waiting for the end');
});

test("a contract's file begins as the page says, and its clients work", async (t) => {
  mkdirSync(path.join(GUIDE, 'bindings'), { recursive: true });
  await start(t, program('contract'), [], {}, GUIDE);
  const exported = readFileSync(path.join(GUIDE, 'bindings/chat.ts'), 'utf8');
  const beginning = take('contract.md', 'ts', 'export type Said');
  assert.ok(exported.includes(beginning), exported);

  const client = take('contract.md', 'ts', 'socket.emitWithAck(');
  const requests = take('contract.md', 'ts', 'request(socket');
  const plain = take('contract.md', 'ts', 'RequestError }');
  await compile(GUIDE, { 'client.ts': client, 'requests.ts': requests, 'plain.ts': plain });
  assert.deepEqual(await run(GUIDE, process.execPath, 'client.js'), printed(client));
  assert.deepEqual(await run(GUIDE, process.execPath, 'requests.js'), printed(requests));

  const options = { bundle: true, format: 'esm', write: false, logLevel: 'error' };
  const { outputFiles } = await build({ entryPoints: [path.join(GUIDE, 'plain.js')], ...options });
  const opened = await open(t);
  await opened.page.addScriptTag({ content: outputFiles[0].text, type: 'module' });
  const expected = printed(plain);
  await opened.output.until((lines) => lines.length >= expected.length || undefined, 'waiting for the output');
  assert.deepEqual(opened.output.items, expected);
});

test('clients answer the requests of a server', async (t) => {
  await start(t, program('requests'), []);
  const { page } = await open(t);
  await page.addScriptTag({ path: path.join(modules, 'socket.io-client/dist/socket.io.js') });
  const ask = () => page.evaluate(() => globalThis.socket.emitWithAck('leave game'));
  const client = async (content) => {
    await page.evaluate(() => void (globalThis.socket = io()));
    await page.addScriptTag({ content });
  };
  await client(take('requests.md', 'js', 'answer({ yes: confirm(text) })'));
  assert.equal(await ask(), true);
  await client(take('requests.md', 'js', 'code: "busy"'));
  assert.match((await ask()).error.message, /busy|not now/);

  await page.evaluate(() => {
    globalThis.ws = new WebSocket('/ws');
    return new Promise((resolve) => ws.addEventListener('open', resolve));
  });
  await page.addScriptTag({ content: take('requests.md', 'js', 'ws.onmessage') });
  const acked = await page.evaluate(() => {
    ws.send(JSON.stringify({ event: 'leave game', id: 7 }));
    return new Promise((resolve) => ws.addEventListener('message', ({ data }) => JSON.parse(data).id === 7 && resolve(data)));
  });
  assert.equal(acked, '{"id":7,"data":true}');
});

test('a client acks reliable events, and tells their repetitions', async (t) => {
  await start(t, program('reliable'), []);
  const opened = await open(t);
  await opened.page.addScriptTag({ path: path.join(modules, 'socket.io-client/dist/socket.io.js') });
  await opened.page.evaluate(() => {
    globalThis.socket = io();
    globalThis.acked = new Promise((resolve) => socket.emit('order', 'two teas', (failed) => resolve(failed ?? 'acked')));
  });
  await runInBrowser(opened, take('delivery.md', 'js', 'socket.on("bill"'));
  assert.equal(await opened.page.evaluate(() => acked), 'acked');
});

test('the first server of the page on Socket.IO clients answers', async (t) => {
  await start(t, program('socketio'), []);
  installed(GUIDE);
  const client = take('socketio.md', 'js', '"say", "lobby"');
  writeFileSync(path.join(GUIDE, 'client.mjs'), client);
  assert.deepEqual(await run(GUIDE, process.execPath, 'client.mjs'), printed(client));
});

test('both kinds of clients authenticate', async (t) => {
  await start(t, program('authorize'), []);
  const opened = await open(t);
  await opened.page.addScriptTag({ path: path.join(modules, 'socket.io-client/dist/socket.io.js') });
  await runInBrowser(opened, take('socketio.md', 'js', 'auth: { token'));
  await opened.page.waitForFunction(() => admin.connected);

  await runInBrowser(await open(t), take('socketio.md', 'js', '?token=guess'));
  for (const extraHeaders of [{ authorization: 'Bearer secret' }, { cookie: 'token=secret' }]) {
    const socket = io(`${SERVER}/admin`, { extraHeaders, forceNew: true });
    t.after(() => socket.close());
    await within(once(socket, 'connect'), 'waiting for the connection');
  }
});

test('a plain client logs in by its first event', async (t) => {
  await start(t, program('log-in'), []);
  await runInBrowser(await open(t), take('socketio.md', 'js', 'event: "log in"'));
});

test('broken rules are answered as the page says', async (t) => {
  await start(t, program('validation'), []);
  const socket = await connect(t);
  const answer = async (nickName, age) => (await socket.emitWithAck('sign up', { nickName, children: [{ age: 3 }, { age }] })).error;
  assert.deepEqual(await answer('Ann', 18), JSON.parse(take('validation.md', 'json', '{"code": "invalid_payload", "message": "greater')));
  assert.deepEqual(await answer('A', 18), JSON.parse(take('validation.md', 'json', '"data"')));
  assert.equal(await socket.emitWithAck('sign up', { nickName: 'é'.repeat(20), children: [] }), `welcome, ${'é'.repeat(20)}`);
});

test('every page belongs to the guide, and every block is run', () => {
  const library = readFileSync(path.join(root, 'socketio/src/lib.rs'), 'utf8');
  for (const page of pages.map((page) => path.basename(page))) assert.ok(library.includes(page) || page === 'limits.md', page);
  take('operations.md', 'nginx', 'upstream');
  // tests/node/cluster/overview.test.mjs runs these.
  take('authentication.md', 'js', 'socketio:disconnect_where');
  take('operations.md', 'js', 'socketio:stats');
  take('recipes.md', 'nginx', 'upstream');
  take('recipes.md', 'haproxy', 'backend');
  assert.deepEqual(untaken(), []);
});
