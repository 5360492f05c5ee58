// The Admin UI in a browser, as an admin uses it. Its icons and fonts are not on this machine, so
// what is outside of it is blocked, and buttons are found by the names of their icons.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LIMIT, built } from './lib.mjs';

// The pages are large, and a busy machine takes long to start them, in milliseconds.
const PATIENCE = 4 * LIMIT;
const SCREENSHOTS = path.join(built, '../screenshots');
const PAGES = fileURLToPath(new URL('ui/dist/', import.meta.resolve('@socket.io/admin-ui/package.json')));
const KINDS = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml', '.png': 'image/png' };

// Serves the pages on a port of their own until the test ends. Returns the address.
export async function servePages(test) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://127.0.0.1');
    const file = path.join(PAGES, pathname === '/' ? 'index.html' : path.normalize(pathname));
    try {
      response.writeHead(200, { 'content-type': KINDS[path.extname(file)] ?? 'text/plain' }).end(await readFile(file));
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

export class AdminPage {
  // Errors on the page.
  faults = [];

  // Opens the pages at an address in a browser context of their own.
  static async open(test, browser, address) {
    const admin = new AdminPage();
    const context = await browser.newContext({ reducedMotion: 'reduce', viewport: { width: 1400, height: 900 }, locale: 'en-US' });
    test.after(() => context.close());
    context.setDefaultTimeout(PATIENCE);
    await context.route((url) => url.hostname !== '127.0.0.1', (route) => route.abort());
    admin.page = await context.newPage();
    admin.page.on('pageerror', (error) => admin.faults.push(error));
    await admin.page.goto(address);
    return admin;
  }

  // Fills in the form.
  async logIn(server, username, password, { webSocketOnly = false } = {}) {
    const form = this.page.locator('form').filter({ hasText: 'Password' });
    await form.getByLabel('Server URL').fill(server);
    await form.getByLabel('Username').fill(username);
    await form.getByLabel('Password').fill(password);
    if (webSocketOnly) {
      await form.getByText('Advanced options').click();
      await form.getByText('WebSocket only?').click();
    }
    await form.getByRole('button', { name: 'Connect' }).click();
  }

  // Waits until the page is connected.
  async connected() {
    await this.page.locator('form').filter({ hasText: 'Password' }).waitFor({ state: 'hidden' });
    await this.page.locator('header .d-lg-flex').getByText('connected', { exact: true }).waitFor();
  }

  async disconnected() {
    await this.page.locator('header .d-lg-flex').getByText('disconnected', { exact: true }).waitFor();
  }

  // Goes to a page by its path, and waits until the one before is gone. It keeps its connection.
  async go(to) {
    await this.page.evaluate(async (to) => {
      window.location.hash = `#${to}`;
      for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
    }, to);
    await this.page.waitForFunction(() => document.querySelectorAll('.v-main__wrap > .container > *').length === 1);
  }

  async select(namespace) {
    await this.page.locator('.selector').click();
    await this.page.locator('.v-menu__content').getByRole('option', { name: namespace, exact: true }).click();
  }

  // The row of a table that has this text.
  row(text) {
    return this.page.locator('tbody tr').filter({ hasText: text });
  }

  // The button with this icon in an element.
  button(icon, within = this.page) {
    return within.locator(`button:has(.mdi-${icon})`);
  }

  // Presses the button in the row that has this text. The click also opens the page of what is in
  // the row, so this goes back.
  async press(icon, text) {
    const { hash } = new URL(this.page.url());
    await this.button(icon, this.row(text)).click();
    await this.go(hash.slice(1));
  }

  // Waits until the page shows this text.
  async shows(text) {
    await this.page.locator('main').getByText(text).first().waitFor();
  }

  async shoot(name) {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: path.join(SCREENSHOTS, `admin-${name}.png`) });
  }

  assertFaultless() {
    assert.deepEqual(this.faults, []);
  }
}
