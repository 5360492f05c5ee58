// The AsyncAPI document of a contract is valid, its schemas match what serde reads and writes, and
// its page works in a browser.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Parser } from '@asyncapi/parser';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { launch } from './browser.mjs';
import { Client, built, run, start } from './lib.mjs';

const program = path.join(built, 'contract');

async function output(argument) {
  return (await promisify(execFile)(program, [argument], { maxBuffer: 1 << 26 })).stdout;
}

const documentOf = async (argument) => JSON.parse(await output(argument));

// Compiles the schemas of a document in strict mode.
function validators(document) {
  const ajv = new Ajv2020({ strict: true, strictTuples: false, allowUnionTypes: true });
  addFormats(ajv);
  for (const bits of ['', 8, 16, 32, 64]) {
    ajv.addFormat(`int${bits}`, { type: 'number', validate: Number.isInteger });
    ajv.addFormat(`uint${bits}`, { type: 'number', validate: (value) => Number.isInteger(value) && value >= 0 });
  }
  // The document around the schemas is not a schema itself.
  ajv.addVocabulary(Object.keys(document));
  ajv.addSchema(document, 'document');
  return (pointer) => {
    const validate = ajv.getSchema(`document#${pointer}`);
    assert.ok(validate, `there is nothing at ${pointer}`);
    return (value) => assert.ok(validate(value), `${pointer}: ${JSON.stringify(value)}\n${JSON.stringify(validate.errors, null, 2)}`);
  };
}

// The faults that the AsyncAPI parser finds in a document.
async function faultsOf(text) {
  const { document, diagnostics } = await new Parser().parse(text);
  // The document uses version 3.0. The hint at a newer version is not a fault.
  const faults = diagnostics.filter(({ code }) => code !== 'asyncapi-latest-version');
  assert.equal(document?.version() ?? '3.0.0', '3.0.0');
  return faults.map(({ message, path }) => `${path.join('.')}: ${message}`);
}

const payload = (message, channel = 'root') => `/channels/${channel}/messages/${message}/payload`;

for (const document of ['asyncapi', 'zoo-asyncapi']) {
  test(`the document of \`contract ${document}\` is valid`, async () => {
    assert.deepEqual(await faultsOf(await output(document)), []);
  });
}

for (const example of ['chat', 'dashboard']) {
  test(`the document served by the example \`${example}\` is valid`, async (t) => {
    const { http } = await run(t, example);
    const response = await fetch(`${http}/docs/asyncapi.json`);
    assert.equal(response.headers.get('content-type'), 'application/json');
    assert.deepEqual(await faultsOf(await response.text()), []);
  });
}

test('the document describes everything in the contract', async () => {
  const { document } = await new Parser().parse(await output('asyncapi'));
  assert.deepEqual(document.servers().all().map((server) => server.url()), ['wss://chat.example.org/socket.io/', 'ws://127.0.0.1:3000/']);
  assert.deepEqual(document.channels().all().map((channel) => channel.address()), ['/', '/admin']);
  assert.equal(document.channels().get('admin').summary(), 'For those who may.');
  const actions = document.operations().all().map((operation) => `${operation.id()} ${operation.action()}`);
  for (const expected of ['receive.message receive', 'receive.count receive', 'send.delivered send', 'admin.receive.restart receive']) {
    assert.ok(actions.includes(expected), expected);
  }
  const message = document.operations().get('receive.message');
  assert.equal(message.summary(), 'Says something to somebody.');
  assert.equal(message.messages().all()[0].payload().properties().to.description(), 'Whom it is for: the id of a socket.');
  assert.deepEqual(message.reply().messages().all().map((reply) => reply.name()), ['message reply', 'message error']);
  const question = document.operations().get('send.question');
  assert.deepEqual(question.reply().messages().all().map((reply) => reply.name()), ['question reply', 'question error']);
});

test('the document describes arguments and replies', async () => {
  const document = await documentOf('asyncapi');
  const validator = validators(document);
  const rejects = (message, value) => assert.throws(() => validator(payload(message))(value), { code: 'ERR_ASSERTION' });
  validator(payload('receive.sum'))([1]);
  validator(payload('receive.sum'))([1, null]);
  validator(payload('receive.sum'))([1, 2]);
  rejects('receive.sum', []);
  rejects('receive.sum', [1, 2, 3]);
  rejects('receive.sum', ['1']);
  validator(payload('receive.split.reply'))(['text', 4]);
  rejects('receive.split.reply', ['text']);
  validator(payload('receive.echo.reply'))([]);
  rejects('receive.echo.reply', [1]);
  validator(payload('receive.later.reply'))({ any: 'thing' });
  const failed = (code) => ({ error: { code, message: 'why' } });
  validator(payload('receive.message.error'))(failed('no_text'));
  validator(payload('receive.message.error'))(failed('invalid_payload'));
  rejects('receive.message.error', failed('other'));
  rejects('receive.count.error', failed('no_text'));
  validator(payload('receive.later.error'))(failed('other'));
  assert.deepEqual(document.channels.root.messages['receive.sum']['x-arguments'], [
    { name: 'first', required: true },
    { name: 'second', required: false },
  ]);
});

test('messages of the server match the document', async (t) => {
  const validator = validators(await documentOf('asyncapi'));
  const server = await start(t, program, []);
  const client = await Client.connect(t, `${server.ws}/ws`);
  const [file, content] = [{ name: 'a', content: 'aGVsbG8=' }, 'aGVsbG8='];
  validator(payload('receive.upload'))(file);
  client.sendJson({ event: 'upload', data: file, id: 1 });
  const emitted = await client.nextJson();
  assert.deepEqual(emitted, { event: 'file', data: file });
  validator(payload('send.file'))(emitted.data);
  assert.deepEqual(await client.nextJson(), { id: 1, data: content });
  validator(payload('receive.upload.reply'))(content);
  const refused = await client.ask('message', { to: 'nobody', text: '' });
  assert.equal(refused.error.code, 'no_text');
  validator(payload('receive.message.error'))(refused);
  const invalid = await client.ask('message', { to: 1 });
  assert.equal(invalid.error.code, 'invalid_payload');
  validator(payload('receive.message.error'))(invalid);
  validator(payload('receive.count.reply'))((await client.ask('count')).data);
});

test('the schemas of every type accept what serde writes', async () => {
  const validator = validators(await documentOf('zoo-asyncapi'));
  const literals = (await output('zoo-types')).matchAll(/^export const (\D\w*?)\d+: \w+ = (.*);$/gm);
  const values = [...literals].map(([, name, json]) => [name.toLowerCase(), JSON.parse(json)]);
  assert.ok(values.length > 500);
  for (const [name, value] of values) {
    validator(payload(`send.${name}`))(value);
    // Values that serde writes can also be read.
    validator(payload(`receive.${name}`))(value);
  }
});

// Values that no schema of the zoo accepts.
const OTHERS = {
  unit: 1, newtype: 1, tuple: [true, 'a', 'b'], empty: [], numbers: {}, options: { plain: '1' }, external: { Other: 1 },
  internal: { type: 'Other' }, adjacent: { type: 'Newtype', content: 'x' }, untagged: true, renamed: { in_camel_case: 1 },
  flattened: { before: 1, part: true }, skipped: { defaulted: 1 }, maps: { texts: {} }, generic: { page: {} },
  arrays: { three: [1, 2], boxed: [], tree: { value: 1, children: [] } }, others: { id: 'no' },
};

test('the schemas of types reject other values', async () => {
  const validator = validators(await documentOf('zoo-asyncapi'));
  for (const [name, value] of Object.entries(OTHERS)) {
    for (const way of ['send', 'receive']) {
      assert.throws(() => validator(payload(`${way}.${name}`))(value), { code: 'ERR_ASSERTION' }, `${way}.${name}`);
    }
  }
  // A field with a default may be missing in a value that is read.
  validator(payload('receive.skipped'))({ kept: 1 });
  assert.throws(() => validator(payload('send.skipped'))({ kept: 1 }), { code: 'ERR_ASSERTION' });
});

// Opens the page, and records its errors and its requests.
async function open(t, server, path = '/docs', options = {}) {
  const page = await (await launch(t)).newPage(options);
  const problems = [];
  const asked = new Set();
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('request', (request) => asked.add(new URL(request.url()).host));
  await page.goto(`${server.http}${path}`);
  await page.locator('[id="receive.message"]').waitFor();
  return { page, problems, asked };
}

test('the page shows the contract, sends events and shows the answers', async (t) => {
  const server = await start(t, program, []);
  const { page, problems, asked } = await open(t, server);
  assert.equal(page.url(), `${server.http}/docs/`);
  assert.equal(await page.title(), 'Chat <b>&amp;</b>');
  assert.equal(await page.locator('h1').textContent(), 'Chat <b>&amp;</b> 1.2.3', 'the title is shown as text');
  const operation = (id) => page.locator(`[id="${id}"]`);
  assert.match(await operation('receive.message').textContent(), /Says something to somebody\..*Whom it is for.*Receipt.*"no_text" \| "not_delivered"/s);
  assert.match(await operation('send.question').textContent(), /The client is to say whether it is so\..*Verdict/s);
  assert.equal(await page.locator('[id="schema-Verdict"]').count(), 1);

  for (const protocol of ['plain', 'socketio']) {
    await page.locator('#channel-root select').selectOption(protocol);
    await page.locator('#channel-root form.connection button').click();
    const status = page.locator('#channel-root output.good');
    await status.waitFor();
    const send = async (id, value) => {
      if (value !== undefined) await operation(id).locator('textarea').fill(JSON.stringify(value));
      await operation(id).locator('form.send button').click();
    };
    const answered = (id, text, kind = 'good') => operation(id).locator(`.reply.${kind}`, { hasText: text }).waitFor();
    const heard = (text) => page.locator('aside li', { hasText: text }).first();

    // The server accepts the proposed payload.
    await send('receive.message');
    await answered('receive.message', 'not_delivered', 'bad');
    await send('receive.message', { to: 1, text: '' });
    await answered('receive.message', 'invalid_payload', 'bad');
    await send('receive.sum', [1, 2]);
    await answered('receive.sum', '3');
    await send('receive.split', 'four');
    await answered('receive.split', '"four",');
    await send('receive.count');
    await answered('receive.count', '');
    await send('receive.echo', '<img src=x onerror=alert(1)>');
    await answered('receive.echo', 'without arguments');
    await heard('← delivered').waitFor();
    assert.match(await heard('← delivered').textContent(), /<img src=x onerror=alert\(1\)>/);
    await send('receive.upload');
    await answered('receive.upload', '"aGVsbG8="');
    assert.match(await heard('← file').textContent(), /aGVsbG8=/);
    await send('receive.ask', 'is it?');
    await heard('← question').locator('textarea').fill('{ "no": { "why": "it is not" } }');
    await heard('← question').locator('form.answer button').click();
    await answered('receive.ask', 'it is not');
    await send('receive.examine');
    await heard('← checkup').locator('textarea').fill('{ "ok": true, "error": { "code": "tired", "message": "a little" } }');
    await heard('← checkup').locator('form.answer button').click();
    await answered('receive.examine', 'a little');
    await send('receive.divide', [7, 2]);
    await heard('← division').locator('textarea').fill('[3, 1]');
    await heard('← division').locator('form.answer button').click();
    await answered('receive.divide', '3,');
    await send('receive.sum', {});
    await operation('receive.sum').locator('.bad', { hasText: 'an array' }).waitFor();

    await page.locator('#channel-root form.connection button').click();
    await page.locator('#channel-root output.bad').waitFor();
    await page.reload();
  }

  await page.locator('#channel-admin form.connection button').click();
  await page.locator('#channel-admin output.good').waitFor();
  await operation('admin.receive.restart').locator('form.send button').click();
  await operation('admin.receive.restart').locator('.reply.good').waitFor();
  assert.deepEqual(problems, []);
  assert.deepEqual([...asked], [new URL(server.http).host], 'the page sends no request to other hosts');
});

test('the page of nested routes connects to the routes beside it', async (t) => {
  const server = await start(t, program, []);
  const { page, problems } = await open(t, server, '/rt/about/events');
  for (const [protocol, path] of [['plain', '/rt/ws'], ['socketio', '/rt/socket.io/']]) {
    await page.locator('#channel-root select').selectOption(protocol);
    assert.equal(await page.locator('#channel-root input.path').inputValue(), path);
    await page.locator('#channel-root form.connection button').click();
    await page.locator('#channel-root output.good').waitFor();
    await page.locator('#channel-root form.connection button').click();
    await page.locator('#channel-root output.bad').waitFor();
  }
  assert.deepEqual(problems, []);
});

test('the page shows the Markdown of doc comments, and no HTML in them', async (t) => {
  const server = await start(t, program, []);
  const { page, problems } = await open(t, server);
  const shown = page.locator('[id="schema-Profile"]');
  assert.equal(await shown.locator('li', { hasText: 'A list' }).locator('em').textContent(), 'list');
  assert.equal(await shown.locator('li code', { hasText: /^code$/ }).count(), 1);
  assert.match(await shown.textContent(), /and <b>no HTML<\/b>/);
  assert.equal(await shown.locator('b').count(), 0);
  assert.deepEqual(await shown.locator('.prose a').evaluateAll((links) => links.map((link) => link.href)), ['https://example.org/page']);
  assert.match(await shown.textContent(), /a script, a type,\s+a picture/);
  assert.equal(await shown.locator('td em', { hasText: /^first$/ }).count(), 1);
  assert.equal(await page.locator('[id="receive.profile"] strong', { hasText: /^any$/ }).count(), 1);
  assert.deepEqual(problems, []);
});

test('the page shows what is deprecated', async (t) => {
  const server = await start(t, program, []);
  const { page } = await open(t, server);
  assert.match(await page.locator('[id="receive.profile"] .deprecated').first().textContent(), /Deprecated.*use message/s);
  assert.equal(await page.locator('[id="receive.message"] .deprecated').count(), 0);
  assert.match(await page.locator('[id="schema-Profile"] tr', { hasText: 'nick' }).textContent(), /deprecated/);
  const document = await documentOf('asyncapi');
  assert.equal(document.operations['receive.profile']['x-deprecated'], 'use `message`');
});

test('the page lists the error codes that an event can give, and no others', async (t) => {
  const server = await start(t, program, []);
  const { page } = await open(t, server);
  const codes = async (id) => (await page.locator(`[id="${id}"] .codes`).textContent()).split(' | ').map((code) => JSON.parse(code));
  const message = await codes('receive.message');
  assert.deepEqual(message.slice(0, 2), ['no_text', 'not_delivered']);
  for (const code of ['invalid_payload', 'internal']) assert.ok(message.includes(code), code);
  // The server has a handler of each event, and no rate limits.
  for (const code of ['unknown_event', 'reserved_event', 'rate_limited', 'unanswered']) assert.ok(!message.includes(code), code);
  assert.deepEqual(await codes('receive.count'), message.slice(2).filter((code) => code !== 'invalid_payload'), 'it has no arguments');
});

test('the page shows the rules of fields, and checks them before it sends', async (t) => {
  const server = await start(t, program, []);
  const { page, problems } = await open(t, server);
  const row = (name) => page.locator('[id="receive.profile"] tr', { has: page.locator('td:first-child', { hasText: name }) });
  assert.match(await row('name').textContent(), /2 to 8 characters.*\^\[a-z\]\+\$/s);
  assert.match(await row('email').textContent(), /email/);
  assert.match(await row('age').textContent(), /18 to 120/);
  assert.match(await row('tags').textContent(), /no item twice/);
  await page.locator('#channel-root form.connection button').click();
  await page.locator('#channel-root output.good').waitFor();
  const event = page.locator('[id="receive.profile"]');
  const button = event.locator('form.send button');
  const fill = (value) => event.locator('textarea').fill(JSON.stringify(value));
  const listed = () => event.locator('.problems li').allTextContents();
  const good = { name: 'lydia', email: 'l@example.org', age: 30, tags: ['a', 'b'] };
  await fill(good);
  assert.deepEqual(await listed(), []);
  assert.equal(await button.textContent(), 'Send');
  for (const [wrong, pattern] of [
    [{ name: 'a' }, /^name: .*2 to 8 characters/],
    [{ name: 'too-long-' }, /^name: .*2 to 8 characters/],
    [{ name: 'ABC' }, /^name: .*\^\[a-z\]/],
    [{ name: 7 }, /^name: .*string/],
    [{ email: 'nobody' }, /^email: .*email/],
    [{ age: 17 }, /^age: .*18 to 120/],
    [{ age: 18.5 }, /^age: .*integer/],
    [{ tags: ['a', 'b', 'a'] }, /^tags: .*twice/],
    [{ tags: [1] }, /^tags\[0\]: .*string/],
    [{ age: undefined }, /^age: .*missing/],
  ]) {
    await fill({ ...good, ...wrong });
    const found = await listed();
    assert.ok(found.some((problem) => pattern.test(problem)), `${JSON.stringify(wrong)}: ${found}`);
    assert.equal(await button.textContent(), 'Send anyway');
  }
  // The server's own rules may be others.
  await fill({ ...good, name: 'A' });
  await button.click();
  await event.locator('.reply.good').waitFor();
  assert.deepEqual(problems, []);
});

test('values of every type pass the check of the page, and other values do not', async (t) => {
  const document = await documentOf('zoo-asyncapi');
  const server = await start(t, program, []);
  const { page } = await open(t, server);
  const literals = (await output('zoo-types')).matchAll(/^export const (\D\w*?)\d+: \w+ = (.*);$/gm);
  const values = [...literals].map(([, name, json]) => [name.toLowerCase(), JSON.parse(json)]);
  const found = await page.evaluate(async ([document, values, others]) => {
    const { use } = await import('./schema.js');
    const { problems } = await import('./check.js');
    use(document.components.schemas);
    const schema = (name) => document.channels.root.messages[`receive.${name}`].payload;
    const wrong = values.map(([name, value]) => [name, value, problems(schema(name), value)]).filter(([, , found]) => found.length > 0);
    const right = Object.entries(others).filter(([name, value]) => problems(schema(name), value).length === 0);
    return { wrong, right };
  }, [document, values, OTHERS]);
  assert.deepEqual(found, { wrong: [], right: [] });
});

for (const [width, scheme] of [[375, 'light'], [375, 'dark'], [1200, 'light'], [1200, 'dark']]) {
  test(`the page fits a window of ${width} px, ${scheme}`, async (t) => {
    const server = await start(t, program, []);
    const { page } = await open(t, server, '/docs', { viewport: { width, height: 800 }, colorScheme: scheme });
    const links = page.locator('nav a').first();
    const edges = () => page.evaluate(() => [document.documentElement.scrollWidth, Math.round(document.querySelector('main').getBoundingClientRect().right)]);
    assert.deepEqual(await edges(), [width, width], 'nothing stands beside the text, and nothing sticks out');
    const shot = (name) => page.screenshot({ path: path.join(built, '..', 'screenshots', `contract-${name}-${width}-${scheme}.png`) });
    await shot('top');
    if (width < 1100) {
      assert.equal(await links.isVisible(), false, 'the links are folded');
      await page.locator('nav summary').click();
      await links.waitFor();
      await links.click();
      assert.equal(await links.isVisible(), false, 'the links are folded again');
    } else {
      assert.equal(await links.isVisible(), true);
    }
    await page.locator('#channel-root form.connection button').click();
    await page.locator('#channel-root output.good').waitFor();
    await page.locator('[id="receive.echo"] form.send button').click();
    await page.locator('aside li').first().waitFor();
    assert.equal((await edges())[0], width);
    await shot('sent');
    await page.locator('[id="schema-Profile"]').scrollIntoViewIfNeeded();
    await shot('schema');
    await page.locator('[id="receive.profile"]').scrollIntoViewIfNeeded();
    await shot('rules');
  });
}

test('every proposed payload matches its schema', async (t) => {
  const document = await documentOf('zoo-asyncapi');
  const validator = validators(document);
  const server = await start(t, program, []);
  const { page, problems } = await open(t, server);
  const examples = await page.evaluate(async (document) => {
    const { example, use } = await import('./schema.js');
    use(document.components.schemas);
    const messages = Object.entries(document.channels.root.messages);
    return messages.map(([name, { payload }]) => [name, example(payload)]);
  }, document);
  assert.ok(examples.length > 60);
  for (const [name, example] of examples) validator(payload(name))(example);
  assert.deepEqual(problems, []);
});
