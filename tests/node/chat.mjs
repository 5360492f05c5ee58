// The pages of the `chat` example in a browser.

import { launch } from './browser.mjs';
import { LIMIT } from './lib.mjs';

// The paths of the two pages.
export const PLAIN = '/';
export const SOCKET_IO = '/socketio/';
export const PAGES = Object.entries({ 'a plain WebSocket': PLAIN, 'Socket.IO': SOCKET_IO });

// Runs a browser until the test ends. `open` opens a page, and errors on the page fail the test.
export async function browse(test, example) {
  const browser = await launch(test);
  const faults = [];
  const open = async (name, path = PLAIN) => {
    const context = await browser.newContext();
    context.setDefaultTimeout(LIMIT);
    const page = await context.newPage();
    page.on('pageerror', (error) => faults.push(error));
    await page.goto(example.http + path);
    if (name) await enter(page, name);
    return page;
  };
  return { open, faults };
}

export async function enter(page, name) {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Enter' }).click();
}

export async function say(page, text) {
  const composer = page.getByLabel('Message', { exact: true });
  await composer.fill(text);
  await composer.press('Enter');
}

export const message = (page, text) => page.locator('.message', { hasText: text });
export const mark = (page, text, mark) => message(page, text).getByRole('img', { name: mark, exact: true }).waitFor();
export const entry = (page, name) => page.getByRole('navigation').getByRole('button', { name });

// Waits until an element has this text.
export async function shows(page, selector, text) {
  await page.waitForFunction(
    ([selector, text]) => document.querySelector(selector).textContent === text,
    [selector, text],
    { timeout: LIMIT },
  );
}
