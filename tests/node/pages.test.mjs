// Each page of the examples at the width of a phone and of a desktop, light and dark: nothing is
// wider than the screen. The screenshots are in `target/screenshots`, for people to look at.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { launch } from './browser.mjs';
import { LIMIT, built, run } from './lib.mjs';

const DIRECTORY = path.join(built, '../screenshots');
const SCREENS = [375, 1200].flatMap((width) => ['light', 'dark'].map((colorScheme) => ({ width, colorScheme })));

// Opens a page in a context of its own. Errors on the page fail the test.
async function open(browser, address, faults) {
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(error));
  await page.goto(address);
  return page;
}

async function enter(page, name) {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Enter' }).click();
}

async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByLabel('Message', { exact: true }).press('Enter');
  await page.locator('.message', { hasText: text }).getByRole('img', { name: 'sent', exact: true }).waitFor();
}

// Takes the page's four screenshots.
async function shoot(page, name) {
  mkdirSync(DIRECTORY, { recursive: true });
  for (const { width, colorScheme } of SCREENS) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${name} is ${overflow} px wider than ${width} px`);
    await page.screenshot({ path: path.join(DIRECTORY, `${name}-${width}-${colorScheme}.png`) });
  }
}

test('the pages of the chat fit the screen', async (t) => {
  const [chat, browser, faults] = [await run(t, 'chat'), await launch(t), []];
  const alice = await open(browser, chat.http, faults);
  await shoot(alice, 'chat-gate');
  await enter(alice, 'Alice');
  await alice.getByText('Nobody has said anything').waitFor();
  await shoot(alice, 'chat-empty');
  const bob = await open(browser, `${chat.http}/socketio/`, faults);
  await shoot(bob, 'chat-socketio-gate');
  await enter(bob, 'Bob');
  await bob.getByText('Nobody has said anything').waitFor();
  for (const [page, text] of [[alice, 'Hello! Who is here?'], [bob, 'I am. '.repeat(40)], [alice, 'Good.']]) await say(page, text);
  await bob.locator('.message', { hasText: 'Good.' }).waitFor();
  await shoot(bob, 'chat');
  await bob.getByRole('button', { name: 'Cut the network' }).click();
  await bob.locator('#status', { hasText: 'cut off' }).waitFor();
  await shoot(bob, 'chat-cut-off');
  const docs = await open(browser, `${chat.http}/docs/`, faults);
  await docs.getByRole('heading').first().waitFor();
  await shoot(docs, 'chat-docs');
  assert.deepEqual(faults, []);
});

test('the pages of the dashboard fit the screen', async (t) => {
  const [dashboard, browser, faults] = [await run(t, 'dashboard'), await launch(t), []];
  const page = await open(browser, dashboard.http, faults);
  await open(browser, dashboard.http, faults);
  await page.locator('#who li').nth(1).waitFor();
  await page.getByRole('button', { name: 'Wave to everyone' }).click();
  await page.locator('#most').filter({ hasText: /[1-9]/ }).waitFor();
  await page.getByRole('button', { name: 'Wave to everyone' }).click();
  await page.locator('#who .waved').waitFor();
  await shoot(page, 'dashboard');
  const docs = await open(browser, `${dashboard.http}/docs/`, faults);
  await docs.getByRole('heading').first().waitFor();
  await shoot(docs, 'dashboard-docs');
  assert.deepEqual(faults, []);
});

test('the page of uploads fits the screen', async (t) => {
  const [upload, browser, faults] = [await run(t, 'upload'), await launch(t), []];
  const page = await open(browser, upload.http, faults);
  await page.locator('#file:enabled').waitFor();
  await shoot(page, 'upload-empty');
  for (const [name, length] of [['holiday.jpg', 2_500_000], [`a-${'very-'.repeat(20)}long-name.txt`, 17]]) {
    await page.locator('#file').setInputFiles({ name, mimeType: 'application/octet-stream', buffer: randomBytes(length) });
    await page.getByRole('status').filter({ hasText: `${name} has arrived` }).waitFor();
    await page.locator('#file:enabled').waitFor();
  }
  await shoot(page, 'upload');
  assert.deepEqual(faults, []);
});
