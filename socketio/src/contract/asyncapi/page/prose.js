// Shows doc comments.

import { element } from './element.js';

let rendered = {};

// Sets the HTML of each text. The server has made it from Markdown: it has no HTML of the doc
// comments themselves, and leads to web and mail addresses only.
export function render(texts) {
  rendered = texts;
}

export function prose(text, kind = 'div.prose') {
  const made = element(kind);
  if (Object.hasOwn(rendered, text)) made.innerHTML = rendered[text];
  else made.textContent = text;
  return made;
}
