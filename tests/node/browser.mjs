// A browser for the tests.

import { chromium } from 'playwright-core';
import { LIMIT } from './lib.mjs';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// Runs a browser until the test ends.
export async function launch(test) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: FLAGS, timeout: 2 * LIMIT });
  test.after(() => browser.close());
  return browser;
}
