// Runs an exported page's translator in Node: node web_runner.mjs WEB-FOLDER < a JSON list of texts > a JSON list of answers.
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

const {Translator} = await import(pathToFileURL(path.join(web, 'translator.js')).href);
for (const name of ['log', 'info', 'warn']) console[name] = () => {};  // the runtime's own reports
const translator = await Translator.load(wasm + '/', new Uint8Array(fs.readFileSync(path.join(web, 'model.tflite'))));
const answers = [];
for (const text of JSON.parse(fs.readFileSync(0, 'utf8'))) {
  answers.push({greedy: await translator.translate(text), beam: await translator.translate(text, true)});
}
fs.writeSync(1, '\nANSWERS ' + JSON.stringify(answers) + '\n');
process.exit(0);
