// The fenced blocks of the README and of the guide's pages, as a reader sees them.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

const GUIDE = 'socketio/src/docs';
export const pages = ['README.md', ...readdirSync(path.join(root, GUIDE)).map((name) => `${GUIDE}/${name}`)];

// What may stand behind the fence of a Rust block. Rustdoc takes a block without a word for Rust.
const RUSTDOC = ['', 'rust', 'no_run', 'ignore', 'compile_fail', 'test_harness'];

// A page's blocks: `{ page, line, language, tags, text }`.
function read(page) {
  const blocks = [];
  let block;
  readFileSync(path.join(root, page), 'utf8').split('\n').forEach((text, index) => {
    if (block && text === '```') {
      blocks.push(block);
      block = undefined;
    } else if (block) {
      block.text += `${text}\n`;
    } else if (text.startsWith('```')) {
      const tags = text.slice(3).split(',');
      const language = tags.every((tag) => RUSTDOC.includes(tag)) ? 'rust' : tags[0];
      block = { page, line: index + 1, language, tags, text: '' };
    }
  });
  assert.equal(block, undefined, `${page}: a block has no end`);
  return blocks;
}

export const blocks = pages.flatMap(read);

const taken = new Set();

// The only block of the page in this language that contains the text. It counts as run.
export function take(page, language, text) {
  const file = page === 'README.md' ? page : `${GUIDE}/${page}`;
  const found = blocks.filter((block) => block.page === file && block.language === language && block.text.includes(text));
  assert.equal(found.length, 1, `${file}: ${found.length} blocks of ${language} contain \`${text}\``);
  taken.add(found[0].text);
  return found[0].text;
}

// Counts a block as run.
export const mark = ({ text }) => taken.add(text);

// The blocks that nobody has taken, without those that rustdoc runs. A block counts as run where
// another page has the same.
export function untaken() {
  const isRunByRustdoc = ({ language, tags }) => language === 'rust' && !tags.includes('no_run') && !tags.includes('ignore');
  return blocks.filter((block) => !isRunByRustdoc(block) && !taken.has(block.text)).map(({ page, line }) => `${page}:${line}`);
}

// A Rust block as rustdoc compiles it: with its hidden lines.
export const unhidden = (text) => text.replace(/^( *)# ?(?![[!])/gm, '$1');

// What a program prints according to its comments: those that end a line with `console.log`, and
// those on the lines below it.
export function printed(text) {
  const lines = [];
  let isLogged = false;
  for (const line of text.split('\n')) {
    const [code, comment] = line.split(/(?:^|\s)\/\/ (.*)/s);
    if (code.trim()) isLogged = code.includes('console.log');
    if (isLogged && comment !== undefined) lines.push(comment);
    isLogged &&= comment !== undefined || code.includes('console.log');
  }
  return lines;
}
