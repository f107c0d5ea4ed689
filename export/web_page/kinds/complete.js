// Next words as a text is typed: a press on one takes it.
import {Translator} from '../translator.js';
import {build, make, typed} from './elements.js';

const HTML = `
<section class="wide">
<label>Your text
<textarea data-part="source" dir="auto" rows="3" autofocus spellcheck="false"></textarea></label>
<div class="words" data-part="words" role="group" aria-label="Next words"></div>
<p class="note" data-part="facts">Type the beginning of a sentence; press a word to take it.</p>
</section>
<section class="wide">
<h2>How it may go on</h2>
<output data-part="answer" dir="auto" aria-live="polite" aria-label="How it may go on"></output>
<button data-part="take" type="button" disabled>Take all of it</button>
</section>`;
const END = /(?<=[.!?।॥…。！？]["'”’»)\]]*)\s+/;  // between two sentences

export async function mount(panel, model, facts, report) {
  const translator = new Translator(model), part = build(panel, HTML);
  const {source} = part;
  const put = text => {
    source.value = text;
    source.focus();
    begin();
  };
  const begin = typed(source, async (text, outdated) => {
    const {before, begun} = split(text, translator), start = performance.now();
    const words = before ? (await translator.suggest(before)).filter(({word}) => word.startsWith(begun) && word !== begun) : [];
    const milliseconds = performance.now() - start;
    const so_far = `${before} ${begun}`.trim();
    const rest = so_far ? (await translator.translate(so_far)).answers[0].text : '';
    if (outdated()) return;
    part.words.replaceChildren(...words.map(({word, probability}) => {
      const button = make('button', word, ' ', make('small', `${Math.round(100 * probability)} %`));
      button.type = 'button';
      button.style.setProperty('--share', probability);
      button.addEventListener('click', () => put(`${source.value.slice(0, source.value.length - begun.length)}${word} `));
      return button;
    }));
    part.facts.textContent = words.length ? `the likeliest next words, in ${milliseconds.toFixed(1)} ms` : before
      ? 'No word of the likeliest begins like that.' : 'Type the beginning of a sentence; press a word to take it.';
    part.answer.value = so_far && rest ? `${so_far} ${rest}` : '';
    part.take.disabled = !rest;
    part.take.onclick = () => put(`${source.value.trimEnd()} ${rest} `);
  }, report);
  if (source.value) await begin();
}

/** What the model is asked: the whole words of the last sentence that fit the file, and the beginning of a word after them. */
export function split(text, translator) {
  const line = text.split('\n').at(-1).split(END).at(-1);
  const begun = line.match(/\S*$/)[0];
  let before = line.slice(0, line.length - begun.length).trim();
  while (!translator.fits(before)) before = before.slice(before.indexOf(' ') + 1 || 1);
  return {before, begun};
}
