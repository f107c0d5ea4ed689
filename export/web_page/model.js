// A phone file on LiteRT.js: typed arrays in, typed arrays out, one call at a time. All kinds of page use it, in browsers and in Node.
import {loadAndCompile, loadLiteRt, Tensor} from './litert/core/index.js';

let runtime;

export class Model {
  /** @param wasm folder of LiteRT's WebAssembly; @param file address or bytes of the .tflite file */
  static async load(wasm, file) {
    runtime ??= loadLiteRt(wasm);
    await runtime;
    return new Model(await loadAndCompile(file, {accelerator: 'wasm'}));
  }

  constructor(compiled) {
    this.compiled = compiled;
    this.queue = Promise.resolve();
  }

  /** Whether the file has a signature of that name. */
  has(signature) {
    return signature in this.compiled.signatures;
  }

  /** The shape of an input of a signature. */
  shape(signature, name) {
    return [...this.#inputs(signature).find(input => input.name === name || input.name.includes(name)).shape];
  }

  /** Runs a signature: {name: array} -> {name: array}; a number or boolean out is an array of one. */
  run(signature, arrays) {
    const answer = this.queue.then(() => this.#run(signature, arrays));
    this.queue = answer.catch(() => {});  // one at a time: the runtime has one set of buffers
    return answer;
  }

  #inputs(signature) {
    return this.compiled.signatures[signature].getInputDetails();
  }

  async #run(signature, arrays) {
    const given = {};
    for (const [name, array] of Object.entries(arrays)) given[name] = new Tensor(array, this.shape(signature, name));
    const found = await this.compiled.signatures[signature].run(given);
    const answer = {};
    for (const [name, tensor] of Object.entries(found)) answer[name] = (await tensor.data()).slice();
    [...Object.values(given), ...Object.values(found)].forEach(tensor => tensor.delete());
    return answer;
  }
}
