// The TypeScript of a contract: correct uses compile, wrong uses do not, it works against the
// server, and its types match serde's output.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { bundle } from './bundle.mjs';
import { built, start, within } from './lib.mjs';

const here = fileURLToPath(new URL('contract', import.meta.url));
const chat = fileURLToPath(new URL('../../examples/chat/page/ts', import.meta.url));
const tsc = fileURLToPath(new URL('node_modules/typescript/bin/tsc', import.meta.url));
const program = path.join(built, 'contract');

// The errors of a TypeScript project, as `{ file, line, code }`.
async function compile(project) {
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, '--pretty', 'false', '-p', project]).catch((error) => error);
  const lines = stdout.matchAll(/^(.+)\((\d+),\d+\): error (TS\d+): .*$/gm);
  const errors = [...lines].map(([text, file, line, code]) => ({ file: path.basename(file), line: Number(line), code, text }));
  assert.ok(errors.length > 0 || stdout.trim() === '', stdout);
  return errors;
}

// A directory for generated files. It is inside this directory, so that packages are found.
function scratch(t) {
  const directory = mkdtempSync(path.join(here, 'scratch-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('a program that uses every event correctly compiles', async () => {
  assert.deepEqual(await compile(here), []);
});

test("the chat's pages compile, and their bundles are up to date", async () => {
  assert.deepEqual(await compile(chat), []);
  for (const { path, text } of await bundle()) assert.equal(readFileSync(path, 'utf8'), text, 'run `node tests/node/bundle.mjs`');
});

test('each wrong use is an error at its line', async (t) => {
  const directory = scratch(t);
  const config = { extends: '../tsconfig.json', include: ['../wrong/*.ts'] };
  writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify(config));
  const expected = readdirSync(path.join(here, 'wrong')).sort().map((file) => {
    const lines = readFileSync(path.join(here, 'wrong', file), 'utf8').split('\n');
    const at = lines.findIndex((line) => line.startsWith('// expected: '));
    return `${file}:${at + 2} ${lines[at].slice('// expected: '.length)}`;
  });
  const found = (await compile(directory)).map(({ file, line, code }) => `${file}:${line} ${code}`);
  assert.deepEqual(found.sort(), expected.sort());
});

// Bundles a program and loads it.
async function load(t, name) {
  const outfile = path.join(scratch(t), `${name}.mjs`);
  const options = { bundle: true, format: 'esm', platform: 'node', packages: 'external', logLevel: 'error' };
  await build({ entryPoints: [path.join(here, `${name}.ts`)], outfile, ...options });
  return import(pathToFileURL(outfile));
}

test('the exported types work with socket.io-client', async (t) => {
  const server = await start(t, program, []);
  await (await load(t, 'socketio')).run(server.http);
  await server.stop();
  assert.deepEqual(server.lines, [], 'the server reported no contract violation');
});

test('the exported client works with a plain WebSocket and reconnects', async (t) => {
  const server = await start(t, program, []);
  const sockets = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  };
  t.after(() => delete globalThis.WebSocket);
  await (await load(t, 'plain')).run(server.ws, () => sockets.at(-1).terminate());
  await server.stop();
  assert.deepEqual(server.lines, [], 'the server reported no contract violation');
});

// The output of the program for `input`.
async function output(argument, input = '') {
  const child = spawn(program, [argument], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(input);
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk;
  if (child.exitCode === null) await once(child, 'exit');
  assert.equal(child.exitCode, 0, argument);
  return text;
}

test('every value that serde writes has the exported type', async (t) => {
  const directory = scratch(t);
  writeFileSync(path.join(directory, 'zoo.ts'), await output('zoo-types'));
  writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({ extends: '../tsconfig.json', include: ['*.ts'] }));
  assert.deepEqual((await compile(directory)).map(({ text }) => text), []);
});

test('what clients may leave out is optional in the types that they send, and only there', async (t) => {
  const directory = scratch(t);
  writeFileSync(path.join(directory, 'zoo.ts'), await output('zoo-inputs'));
  writeFileSync(path.join(directory, 'use.ts'), `
import { type ClientToServerRequests, type Options, type Skipped, connect } from './zoo';
type Sent<E extends keyof ClientToServerRequests> = Parameters<ClientToServerRequests[E]>[0];
export const skipped: Sent<'skipped'> = { kept: 1 };
export const options: Sent<'options'> = { nested: null };
connect('ws://127.0.0.1/ws').emit('skipped', { kept: 1 });
connect('ws://127.0.0.1/ws').emit('arrays', { three: [1, 2, 3], boxed: [{ x: 1 }], tree: { value: 1, children: [] } });
// @ts-expect-error it has no default
export const missing: Sent<'skipped'> = { defaulted: 1 };
// @ts-expect-error it is a number
export const other: Sent<'skipped'> = { kept: 1, defaulted: '' };
// @ts-expect-error the server always sends it
export const heard: Skipped = { kept: 1 };
// @ts-expect-error the server always sends it
export const answered: Options = { nested: null };
`);
  writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({ extends: '../tsconfig.json', include: ['*.ts'] }));
  assert.deepEqual((await compile(directory)).map(({ text }) => text), []);
});

test('names and types that are hard to export compile and are used correctly', async (t) => {
  const directory = scratch(t);
  writeFileSync(path.join(directory, 'nasty.ts'), await output('nasty'));
  copyFileSync(path.join(here, 'nasty', 'use.ts'), path.join(directory, 'use.ts'));
  writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({ extends: '../tsconfig.json', include: ['*.ts'] }));
  assert.deepEqual((await compile(directory)).map(({ text }) => text), []);
});

for (const [name, use] of [
  ['empty', 'connect("ws://127.0.0.1/ws").close();'],
  ['late', 'connect("ws://127.0.0.1/ws").emit("words", 1, 2, 3, 4, 5);'],
]) {
  test(`the TypeScript of \`contract ${name}\` compiles`, async (t) => {
    const directory = scratch(t);
    writeFileSync(path.join(directory, `${name}.ts`), await output(name));
    writeFileSync(path.join(directory, 'use.ts'), `import { connect } from "./${name}";\n${use}\n`);
    writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({ extends: '../tsconfig.json', include: ['*.ts'] }));
    assert.deepEqual((await compile(directory)).map(({ text }) => text), []);
  });
}

test('values pass through a JavaScript program unchanged', async () => {
  const lines = (await output('zoo')).trimEnd().split('\n');
  assert.ok(lines.length > 500);
  await output('zoo-check', lines.map((line) => JSON.stringify(JSON.parse(line))).join('\n'));
});

test('the exported emitter emits over HTTP', async (t) => {
  const server = await start(t, program, ['daily']);
  const socket = io(server.http, { transports: ['websocket'], forceNew: true });
  t.after(() => socket.close());
  const headlines = [];
  const isOver = new Promise((resolve) => socket.on('news', ({ headline }) => headlines.push(headline) && headline === 'at last' && resolve()));
  await once(socket, 'connect');
  const ids = await (await load(t, 'emit')).run(server.http, '6e1c5a2b9f0d4e7f8a31');
  assert.equal(new Set(ids).size, 2);
  await within(isOver, 'waiting for the last event');
  assert.deepEqual(headlines, ['to all', 'once', 'at last']);
  await server.stop();
  assert.deepEqual(server.lines, [], 'the server reported no contract violation');
});
