// Runs an exported page's modules in Node: node web_runner.mjs WEB-FOLDER < JSON {texts, beginnings, csvs} > a JSON list, an entry a run.
import fs from 'node:fs';
import {createRequire, register} from 'node:module';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import vm from 'node:vm';

const web = path.resolve(process.argv[2]), wasm = path.join(web, 'litert', 'wasm');
// LiteRT.js loads itself as a browser's worker does; these names are all that it asks of one.
Object.assign(globalThis, {self: globalThis, require: createRequire(import.meta.url), __dirname: wasm,
                           __filename: path.join(wasm, 'litert_wasm_internal.js')});
globalThis.importScripts = address => vm.runInThisContext(
    fs.readFileSync(address, 'utf8') + '\n;globalThis.ModuleFactory = ModuleFactory;', {filename: address});
// The page's import map, and the scripts as modules whatever package.json lies above them.
register('data:text/javascript,' + encodeURIComponent(`
  export const resolve = (name, context, next) => name === '@litertjs/wasm-utils'
      ? {url: ${JSON.stringify(pathToFileURL(path.join(web, 'litert', 'wasm-utils', 'index.js')).href)}, shortCircuit: true}
      : next(name, context);
  export const load = (url, context, next) => next(url, url.startsWith(${JSON.stringify(pathToFileURL(web).href)})
      ? {...context, format: 'module'} : context);`));

const load = name => import(pathToFileURL(path.join(web, name)).href);
const {Model} = await load('model.js'), {Translator} = await load('translator.js'), {Forecaster} = await load('forecaster.js');
const {Analogies} = await load('analogies.js'), {split} = await load('kinds/complete.js');
for (const name of ['log', 'info', 'warn']) console[name] = () => {};  // the runtime's own reports
const given = JSON.parse(fs.readFileSync(0, 'utf8')), {runs} = JSON.parse(fs.readFileSync(path.join(web, 'page.json')));
const all = async (items, work) => {
  const found = [];
  for (const item of items) found.push(await work(item));
  return found;
};
const kinds = {
  text: (model, run) => {
    const translator = new Translator(model);
    const looking = new Translator(model, new Analogies(JSON.parse(fs.readFileSync(path.join(web, run.pairs)))));
    return all(given.texts, async text => ({greedy: await translator.translate(text), beam: await translator.translate(text, true),
                                            looked: await looking.translate(text, true), one: await looking.translate(text)}));
  },
  complete: model => {
    const translator = new Translator(model);
    return all(given.beginnings, async text => ({...split(text, translator), words: await translator.suggest(split(text, translator).before)}));
  },
  series: (model, run) => {
    const forecaster = new Forecaster(model, run);
    return all(given.csvs, async csv => {
      try {
        return forecaster.csv(await forecaster.forecast(csv));
      } catch (error) {
        return error.message;
      }
    });
  },
};
const answers = await all(runs, async run => {
  const model = await Model.load(wasm + '/', new Uint8Array(fs.readFileSync(path.join(web, run.model))));
  return kinds[run.kind](model, run);
});
fs.writeSync(1, '\nANSWERS ' + JSON.stringify(answers) + '\n');
process.exit(0);
