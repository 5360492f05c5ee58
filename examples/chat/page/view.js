// Draws the page. User texts become text nodes, never HTML.

const MARKS = { waiting: '◷', sending: '·', sent: '✓', delivered: '✓✓', failed: '!' };

export const $ = (id) => document.getElementById(id);

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

// A circle with the first letter, in a colour derived from the name.
export function paintAvatar(avatar, name) {
  let hash = 0;
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0), 0x9e3779b1) >>> 0;
  avatar.style.setProperty('--hue', (hash >>> 8) % 360);
  avatar.textContent = [...name][0]?.toUpperCase() ?? '';
  avatar.ariaHidden = 'true';
  return avatar;
}

// Returns the element of a message, updated if it exists.
export function drawMessage(message, me) {
  const { from, text, at, mark, problem, isNote } = message;
  message.element ??= element('li', '');
  if (isNote) {
    message.element.className = 'note';
    message.element.textContent = text;
    return message.element;
  }
  const about = element('small', 'about', new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
  if (mark) {
    const sign = element('span', 'mark', MARKS[mark]);
    Object.assign(sign, { title: mark, role: 'img', ariaLabel: mark });
    about.append(sign);
  }
  message.element.className = from === me ? 'message own' : 'message';
  message.element.dataset.mark = mark ?? '';
  message.element.replaceChildren(
    paintAvatar(element('span', 'avatar'), from),
    element('div', 'bubble', element('strong', 'from', from), element('p', 'text', text), about),
    ...(problem ? [element('small', 'problem', problem)] : []),
  );
  return message.element;
}

// Shows a conversation's messages in order. Only elements in the wrong place are moved.
export function drawLog(messages) {
  const log = $('log');
  const wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const wanted = new Set(messages.map(({ element }) => element));
  for (const shown of [...log.children]) if (!wanted.has(shown)) shown.remove();
  messages.forEach(({ element, from, at, isNote }, index) => {
    const before = messages[index - 1];
    const follows = !isNote && before?.from === from && at - before.at < 300_000;
    element.classList.toggle('follows', follows);
    if (log.children[index] !== element) log.insertBefore(element, log.children[index] ?? null);
  });
  if (wasAtEnd || ['sending', 'waiting'].includes(messages.at(-1)?.mark)) log.scrollTop = log.scrollHeight;
}

// An entry of the lists in the sidebar.
export function drawEntry({ label, person, isCurrent, isAway, unread, open }) {
  const button = element('button', 'entry');
  if (person !== undefined) button.append(paintAvatar(element('span', 'avatar'), person));
  button.append(element('span', 'label', label));
  if (unread) button.append(element('span', 'badge', unread));
  button.classList.toggle('away', Boolean(isAway));
  if (isCurrent) button.ariaCurrent = 'true';
  button.onclick = open;
  return element('li', '', button);
}

// Replaces a list's entries, and keeps the focus.
export function drawList(list, entries) {
  const focused = [...list.children].findIndex((entry) => entry.contains(document.activeElement));
  list.replaceChildren(...entries);
  if (focused >= 0) list.children[focused]?.firstChild.focus();
}

export function enumerate(names) {
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(names);
}
