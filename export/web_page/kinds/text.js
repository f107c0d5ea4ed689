// Translation as it is typed, line by line.
import {Analogies} from '../analogies.js';
import {Translator} from '../translator.js';
import {build, confidence, copies, make, typed} from './elements.js';

const HTML = `
<section>
<label>Your text
<textarea data-part="source" dir="auto" rows="4" autofocus spellcheck="false"></textarea></label>
<p class="note">Every line is translated by itself, as you type. <span class="cut" data-part="cut" hidden>A line was too long and has been
cut.</span></p>
</section>
<section>
<h2>Translation</h2>
<output data-part="answer" dir="auto" aria-live="polite" aria-label="Translation"></output>
<p class="note" data-part="facts"></p>
<button data-part="copy" type="button" disabled>Copy</button>
</section>
<section class="wide">
<h2>Translations of the last line, the best first</h2>
<ol data-part="others"></ol>
</section>`;

export async function mount(panel, model, facts, report) {
  const analogies = facts.pairs ? new Analogies(await (await fetch(new URL('../' + facts.pairs, import.meta.url))).json()) : null;
  const translator = new Translator(model, analogies), part = build(panel, HTML);
  const begin = typed(part.source, async (text, outdated) => {
    const lines = text.split('\n'), begun = performance.now(), found = [];
    for (const line of lines) {
      found.push(line.trim() ? await translator.translate(line) : {answers: [{text: '', score: 0}], truncated: false});
      if (outdated()) return;
    }
    const milliseconds = performance.now() - begun;
    const said = found.filter((_, i) => lines[i].trim());
    const sure = said.reduce((sum, one) => sum + one.answers[0].score, 0) / (said.length || 1);
    part.answer.value = found.map(one => one.answers[0].text).join('\n');
    part.facts.textContent = said.length ? `${confidence(sure)} · ${milliseconds.toFixed(1)} ms` : '';
    part.cut.hidden = !found.some(one => one.truncated);
    part.copy.disabled = !part.answer.value;
    const last = lines.filter(line => line.trim()).at(-1);
    const best = last ? (await translator.translate(last, true)).answers : [];
    if (outdated()) return;
    part.others.replaceChildren(...best.filter(one => one.text).map(one => {
      const text = make('span', one.text);
      text.dir = 'auto';
      return make('li', '', text, ' ', make('small', confidence(one.score)));
    }));
  }, report);
  copies(part.copy, () => part.answer.value);
  if (part.source.value) await begin();
}
