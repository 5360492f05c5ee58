// Elements of the page. What is put into them becomes text, never HTML: nothing in the document or of what the server sends can do
// anything here.

// An element: what it is, as in `button.send`, its properties, and what is in it.
export function element(kind, properties, ...children) {
  const [name, ...classes] = kind.split('.');
  const made = Object.assign(document.createElement(name), properties);
  made.classList.add(...classes);
  made.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== ''));
  return made;
}
