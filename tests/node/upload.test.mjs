// The `upload` example: its page in a real browser, and clients that violate its rules.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { launch } from './browser.mjs';
import { LIMIT, run, within } from './lib.mjs';

const CHUNK = 65_536;
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// Opens the page, and records its progress bar. Errors on the page fail the test.
async function open(test, upload) {
  const browser = await launch(test);
  const page = await browser.newPage();
  page.setDefaultTimeout(LIMIT);
  const faults = [];
  page.on('pageerror', (error) => faults.push(error));
  await page.goto(upload.http);
  await page.evaluate(() => {
    window.seen = [];
    new MutationObserver(() => seen.push(document.querySelector('progress').value)).observe(document.querySelector('progress'), { attributes: true });
  });
  const status = (pattern) => page.getByRole('status').filter({ hasText: pattern }).textContent();
  // The page has finished loading.
  const ready = () => page.locator('#file:enabled').waitFor();
  const send = async (name, buffer) => {
    await ready();
    await page.evaluate(() => seen.splice(0));
    await page.getByLabel('File').setInputFiles({ name, mimeType: 'application/octet-stream', buffer });
  };
  return { page, faults, status, ready, send };
}

function connect(test, upload) {
  const socket = io(upload.http, { forceNew: true, reconnection: false });
  test.after(() => socket.disconnect());
  return (...event) => within(socket.emitWithAck(...event), `waiting for the answer to ${event[0]}`);
}

test('a file arrives unchanged, and the page shows the progress', async (t) => {
  const { page, faults, status, send } = await open(t, await run(t, 'upload'));
  for (const [length, size] of [[0, '0 bytes'], [1, '1 byte'], [CHUNK, '64 KiB'], [40 * CHUNK + 1, '2.5 MiB']]) {
    const bytes = randomBytes(length);
    await send(`${length}.bin`, bytes);
    assert.equal(await status(`${length}.bin has arrived`), `✓ ${length}.bin has arrived, ${size}. Its checksum is right.`);
    const newest = page.getByRole('listitem').first();
    assert.equal(await newest.textContent(), `${length}.bin ${size}SHA-256 ${sha256(bytes)}`);
    const seen = await page.evaluate(() => seen);
    if (length > CHUNK) {
      assert.ok(seen.length > 2, `the bar was seen at ${seen}`);
      assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
    }
    assert.equal(await page.locator('progress').evaluate(({ value }) => value), length ? 1 : 0);
  }
  assert.equal(await page.getByRole('listitem').count(), 4);
  assert.deepEqual(faults, []);
});

test('a file can be dropped', async (t) => {
  const { page, faults, status, ready } = await open(t, await run(t, 'upload'));
  await ready();
  const transfer = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['hello'], 'dropped.txt'));
    return transfer;
  });
  // Beside the zone nothing happens.
  await page.locator('h1').dispatchEvent('drop', { dataTransfer: transfer });
  assert.ok(await page.locator('#running').isHidden());
  await page.locator('#file').dispatchEvent('dragenter', { dataTransfer: transfer });
  assert.ok(await page.locator('#drop.over').isVisible());
  // The browser assigns the files of a real drop; a made one can't.
  await page.evaluate((transfer) => {
    const input = document.querySelector('#file');
    input.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    input.files = transfer.files;
    input.dispatchEvent(new Event('change'));
  }, transfer);
  await status('dropped.txt has arrived, 5 bytes');
  assert.equal(await page.locator('#drop.over').count(), 0);
  assert.deepEqual(faults, []);
});

test('a file that is too large is not sent', async (t) => {
  const { page, faults, status, ready, send } = await open(t, await run(t, 'upload'));
  await ready();
  // The file is too large for the browser automation, so only its size is set.
  await page.evaluate(() => {
    const file = new File([new Blob(Array(65).fill(new Uint8Array(1 << 20)))], 'huge.bin');
    const transfer = new DataTransfer();
    transfer.items.add(file);
    const input = document.querySelector('#file');
    input.files = transfer.files;
    input.dispatchEvent(new Event('change'));
  });
  assert.equal(await status('huge.bin was not uploaded'), "huge.bin was not uploaded: a file can't be larger than 64 MiB");
  await send('small.bin', Buffer.from('hello'));
  await status('small.bin has arrived');
  assert.deepEqual(faults, []);
});

test('the server validates every message of a client', async (t) => {
  const upload = await run(t, 'upload');
  const ask = connect(t, upload);
  const code = async (...event) => (await ask(...event)).error?.code;
  assert.equal(await code('chunk', Buffer.alloc(1)), 'not_begun');
  assert.equal(await code('finish'), 'not_begun');
  assert.equal(await code('begin', { name: 'x', size: 64 * 1024 * 1024 + 1 }), 'file_too_large');
  assert.equal(await code('begin', { name: 'x', size: -1 }), 'invalid_payload');

  assert.deepEqual(await ask('begin', { name: 'x', size: 10 }), { largest_chunk: CHUNK });
  assert.deepEqual(await ask('chunk', Buffer.alloc(9)), { received: 9 });
  assert.equal(await code('chunk', Buffer.alloc(2)), 'too_much');
  assert.equal(await code('chunk', Buffer.alloc(1)), 'not_begun', 'the failed upload has ended');

  await ask('begin', { name: 'x', size: 10 * CHUNK });
  assert.equal(await code('chunk', Buffer.alloc(CHUNK + 1)), 'chunk_too_large');
  await ask('begin', { name: 'x', size: 2 });
  await ask('chunk', Buffer.alloc(1));
  assert.equal(await code('finish'), 'incomplete');

  // Each client has its own upload.
  const other = connect(t, upload);
  await ask('begin', { name: 'one', size: 3 });
  await other('begin', { name: 'other', size: 3 });
  await ask('chunk', Buffer.from('one'));
  await other('chunk', Buffer.from('two'));
  assert.deepEqual(await ask('finish'), { name: 'one', size: 3, sha256: sha256('one') });
  assert.deepEqual(await other('finish'), { name: 'other', size: 3, sha256: sha256('two') });
});

test('the page explains how to install a missing client', async (t) => {
  const { page, status } = await open(t, await run(t, 'upload', 0, { SOCKET_IO_CLIENT: '/nowhere' }));
  assert.match(await status('not installed'), /npm ci --prefix tests\/node$/);
  assert.ok(await page.getByLabel('File').isDisabled());
});
