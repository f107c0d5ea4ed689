// Text in, text out, on a phone file: translations, continuations, next words. Used by the page and by the Node test alike.
import {Model} from './model.js';

const decoder = new TextDecoder();

export class Translator {
  /** @param wasm folder of LiteRT's WebAssembly; @param model address or bytes of the .tflite file */
  static async load(wasm, model) {
    return new Translator(await Model.load(wasm, model));
  }

  /** @param analogies of analogies.js, if answers are to be held against training pairs */
  constructor(model, analogies = null) {
    this.model = model;
    this.analogies = analogies;
    this.width = model.shape('translate', 'text')[1];
  }

  /** One answer, or with `beam` the K best: [{text, score}], the best first, and whether something was cut. */
  async translate(text, beam = false) {
    const several = beam || this.analogies;
    const found = await say(this.model, several ? 'translate_beam' : 'translate', {text: this.#bytes(text)});
    const answers = this.analogies?.ranked(text, found.answers) ?? found.answers;
    return {...found, answers: beam ? answers : answers.slice(0, 1)};
  }

  /** The likeliest next words: [{word, probability}], the likeliest first; of files of a run of sentences. */
  async suggest(text) {
    const found = await this.model.run('suggest', {text: this.#bytes(text)});
    const words = strings(found.words, found.length);
    return words.map((word, k) => ({word, probability: found.probability[k]})).filter(one => one.probability > 0);
  }

  /** Whether the whole text is read. */
  fits(text) {
    return new TextEncoder().encode(text.normalize('NFC')).length < this.width;
  }

  #bytes(text) {
    const bytes = new Uint8Array(this.width);
    bytes.set(new TextEncoder().encode(text.normalize('NFC')).subarray(0, this.width));
    return bytes;
  }
}

/** What a signature that answers with text says: [{text, score}], the best first, and whether something was cut. */
export async function say(model, signature, arrays) {
  const found = await model.run(signature, arrays), texts = strings(found.text, found.length);
  return {answers: texts.map((text, k) => ({text, score: found.score[k]})), truncated: found.truncated[0] > 0};
}

/** Rows of zero-padded UTF-8 side by side -> strings. */
function strings(bytes, lengths) {
  const size = bytes.length / lengths.length;
  return [...lengths].map((length, k) => decoder.decode(bytes.subarray(k * size, k * size + length)));
}
