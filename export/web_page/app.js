import {Translator} from './translator.js';

const PAUSE = 120;  // ms without a key before a translation begins
const element = id => document.getElementById(id);
const [source, answer, others, facts, state, cut, copy] =
    ['source', 'answer', 'others', 'facts', 'state', 'cut', 'copy'].map(element);
let translator = null, timer = 0, wanted = 0;

async function show() {
  const mine = ++wanted, lines = source.value.split('\n'), begun = performance.now();
  const found = [];
  for (const line of lines) {
    found.push(line.trim() ? await translator.translate(line) : {answers: [{text: '', score: 0}], truncated: false});
    if (mine !== wanted) return;  // typed on meanwhile
  }
  const milliseconds = performance.now() - begun;
  const said = found.filter((_, i) => lines[i].trim());
  const sure = said.reduce((sum, one) => sum + one.answers[0].score, 0) / (said.length || 1);
  answer.value = found.map(one => one.answers[0].text).join('\n');
  facts.textContent = said.length ? `${confidence(sure)} · ${milliseconds.toFixed(1)} ms` : '';
  cut.hidden = !found.some(one => one.truncated);
  copy.disabled = !answer.value;
  const last = lines.filter(line => line.trim()).at(-1);
  const best = last ? (await translator.translate(last, true)).answers : [];
  if (mine !== wanted) return;
  others.replaceChildren(...best.filter(one => one.text).map(one => {
    const item = document.createElement('li'), text = document.createElement('span'), score = document.createElement('small');
    text.textContent = one.text;
    text.dir = 'auto';
    score.textContent = confidence(one.score);
    item.append(text, ' ', score);
    return item;
  }));
  document.body.dataset.shown = source.value;
}

/** The score is a mean log-probability; its exponential is how sure the model was of a word on average. */
function confidence(score) {
  const share = Math.exp(score);
  return `${share > 0.6 ? 'sure' : share > 0.3 ? 'fairly sure' : 'not sure'} (${Math.round(100 * share)} %)`;
}

source.addEventListener('input', () => {
  clearTimeout(timer);
  timer = setTimeout(() => translator && show().catch(report), PAUSE);
});
copy.addEventListener('click', async () => {
  await navigator.clipboard.writeText(answer.value);
  copy.textContent = 'Copied';
  setTimeout(() => { copy.textContent = 'Copy'; }, 1500);
});
const online = () => { if (translator) state.textContent = navigator.onLine ? 'Ready' : 'Ready, offline'; };
addEventListener('online', online);
addEventListener('offline', online);

function report(error) {
  state.textContent = `This browser could not run the model: ${error.message || error}. Try a newer one.`;
  console.error(error);
}

if ('serviceWorker' in navigator) {
  navigator.serviceWorker.register('sw.js').then(() => navigator.serviceWorker.ready).then(worker => {
    document.body.dataset.offline = 'ready';
    // What this browser loaded beside the list, such as the WebAssembly for older processors.
    worker.active.postMessage(performance.getEntriesByType('resource').map(entry => entry.name));
  }).catch(console.warn);  // without it the page works, online only
}

try {
  translator = await Translator.load(new URL('litert/wasm/', import.meta.url).href, new URL('model.tflite', import.meta.url).href);
  online();
  document.body.dataset.ready = 'yes';
  if (source.value) await show();
} catch (error) {
  report(error);
}
