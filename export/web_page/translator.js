// The phone file on LiteRT.js: text in, text out. Used by the page and by the Node test alike.
import {loadAndCompile, loadLiteRt, Tensor} from './litert/core/index.js';

const decoder = new TextDecoder();

export class Translator {
  /** @param wasm folder of LiteRT's WebAssembly; @param model address or bytes of the .tflite file */
  static async load(wasm, model) {
    await loadLiteRt(wasm);
    return new Translator(await loadAndCompile(model, {accelerator: 'wasm'}));
  }

  constructor(model) {
    this.model = model;
    this.width = model.signatures.translate.getInputDetails()[0].shape[1];
    this.queue = Promise.resolve();
  }

  /** One answer, or with `beam` the K best: [{text, score}], the best first, and whether something was cut. */
  translate(text, beam = false) {
    const answer = this.queue.then(() => this.#run(text, beam));
    this.queue = answer.catch(() => {});  // one at a time: the runtime has one set of buffers
    return answer;
  }

  async #run(text, beam) {
    const bytes = new TextEncoder().encode(text.normalize('NFC')).subarray(0, this.width);
    const input = new Tensor(new Uint8Array([...bytes, ...new Uint8Array(this.width - bytes.length)]), [1, this.width]);
    const found = await this.model.run(beam ? 'translate_beam' : 'translate', {text: input});
    const [texts, lengths, scores, cut] = await Promise.all(
        [found.text, found.length, found.score, found.truncated].map(async tensor => (await tensor.data()).slice()));
    [input, ...Object.values(found)].forEach(tensor => tensor.delete());
    const size = texts.length / lengths.length;
    return {
      answers: [...lengths].map((length, k) => ({
        text: decoder.decode(texts.subarray(k * size, k * size + length)), score: scores[k]})),
      truncated: cut[0] > 0,
    };
  }
}
