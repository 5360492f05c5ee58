// Creates elements of the page. Strings become text, never HTML, so neither the document nor a
// message can inject code.

// Creates an element. `kind` is its tag and classes, such as `button.send`.
export function element(kind, properties, ...children) {
  const [name, ...classes] = kind.split('.');
  const made = Object.assign(document.createElement(name), properties);
  made.classList.add(...classes);
  made.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== ''));
  return made;
}
