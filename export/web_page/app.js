// The page: a tab for each run of page.json, each with the module of its kind, its model loaded when it is first looked at.
//
// A kind is a file kinds/NAME.js with `export async function mount(panel, model, facts, report)`: it fills the panel and answers with the
// model. `facts` is the run's entry in page.json; `report(error)` shows what a person cannot help.
import {Model} from './model.js';
import {make} from './kinds/elements.js';

const [state, tabs, panels] = ['state', 'tabs', 'panels'].map(id => document.getElementById(id));
const wasm = new URL('litert/wasm/', import.meta.url).href;
let ready = false;

function report(error) {
  state.textContent = `This browser could not run the model: ${error.message || error}. Try a newer one.`;
  console.error(error);
}

function online() {
  if (ready) state.textContent = navigator.onLine ? 'Ready' : 'Ready, offline';
}

async function show(number, runs) {
  [...tabs.children].forEach((tab, i) => {
    tab.setAttribute('aria-selected', i === number);
    tab.tabIndex = i === number ? 0 : -1;
    panels.children[i].hidden = i !== number;
  });
  const run = runs[number], panel = panels.children[number];
  if (panel.dataset.begun) return;
  panel.dataset.begun = 'yes';
  state.textContent = 'Loading the model …';
  try {
    const [model, {mount}] = await Promise.all([
      Model.load(wasm, new URL(run.model, import.meta.url).href), import(`./kinds/${run.kind}.js`)]);
    await mount(panel, model, run, report);
    ready = true;
    online();
    panel.dataset.ready = document.body.dataset.ready = 'yes';
    panel.querySelector('textarea')?.focus();
  } catch (error) {
    report(error);
  }
}

if ('serviceWorker' in navigator) {
  navigator.serviceWorker.register('sw.js').then(() => navigator.serviceWorker.ready).then(worker => {
    document.body.dataset.offline = 'ready';
    // What this browser loaded beside the list, such as the WebAssembly for older processors.
    worker.active.postMessage(performance.getEntriesByType('resource').map(entry => entry.name));
  }).catch(console.warn);  // without it the page works, online only
}
addEventListener('online', online);
addEventListener('offline', online);

const {title, runs} = await (await fetch('page.json')).json();
document.title = document.querySelector('h1').textContent = title;
runs.forEach((run, number) => {
  const tab = make('button', run.title), panel = make('div');
  Object.assign(tab, {type: 'button', id: `tab-${number}`});
  tab.setAttribute('role', 'tab');
  tab.setAttribute('aria-controls', `panel-${number}`);
  tab.addEventListener('click', () => show(number, runs));
  tabs.append(tab);
  Object.assign(panel, {className: 'panel', id: `panel-${number}`, hidden: true});
  if (runs.length > 1) {
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-labelledby', tab.id);
  }
  panels.append(panel);
});
tabs.hidden = runs.length < 2;
tabs.addEventListener('keydown', event => {
  const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (!step) return;
  const number = (runs.length + [...tabs.children].indexOf(document.activeElement) + step) % runs.length;
  tabs.children[number].focus();
  show(number, runs);
});
await show(0, runs);
