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

/** The score is a mean log-probability; its exponential is how sure the model was of a word on average. */
export function confidence(score) {
  const share = Math.exp(score);
  return `${share > 0.6 ? 'sure' : share > 0.3 ? 'fairly sure' : 'not sure'} (${Math.round(100 * share)} %)`;
}

/** Shows an answer with how sure it is, and the other answers, in parts answer, facts, others, cut and copy. */
export function tell(part, {answers, truncated}, milliseconds) {
  part.answer.value = answers[0].text;
  part.facts.textContent = answers[0].text ? `${confidence(answers[0].score)} · ${milliseconds.toFixed(0)} ms` : 'Nothing was made out.';
  part.cut.hidden = !truncated;
  part.copy.disabled = !answers[0].text;
  part.others.replaceChildren(...answers.slice(1).filter(one => one.text).map(one => {
    const text = make('span', one.text);
    text.dir = 'auto';
    return make('li', '', text, ' ', make('small', confidence(one.score)));
  }));
}

/** HTML of those parts. */
export const told = (title, cut) => `
<section>
<h2>${title}</h2>
<output data-part="answer" dir="auto" aria-live="polite" aria-label="${title}"></output>
<p class="note"><span data-part="facts"></span> <span class="cut" data-part="cut" hidden>${cut}</span></p>
<button data-part="copy" type="button" disabled>Copy</button>
</section>
<section class="wide">
<h2>It may also be</h2>
<ol data-part="others"></ol>
</section>`;
