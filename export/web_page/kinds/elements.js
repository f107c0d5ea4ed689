// What the kinds of page share.

/** Puts HTML into a panel and returns its parts: elements by their data-part. */
export function build(panel, html) {
  panel.innerHTML = html;
  return Object.fromEntries([...panel.querySelectorAll('[data-part]')].map(node => [node.dataset.part, node]));
}

/** An element with text, and with more elements in it. */
export function make(name, text = '', ...children) {
  const node = document.createElement(name);
  node.textContent = text;
  node.append(...children);
  return node;
}

/** Calls `work` after a pause in typing; what a test waits for is the text in data-shown. */
export function typed(field, work, report, pause = 120) {
  let timer = 0, wanted = 0;
  const begin = async () => {
    const mine = ++wanted, text = field.value;
    try {
      await work(text, () => mine !== wanted);
      if (mine === wanted) document.body.dataset.shown = text;
    } catch (error) {
      report(error);
    }
  };
  field.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(begin, pause);
  });
  return begin;
}

/** A button that copies what `text()` gives, and says so. */
export function copies(button, text) {
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text());
    const before = button.textContent;
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}
