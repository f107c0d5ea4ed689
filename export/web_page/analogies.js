// Answers held against training pairs whose sources begin or end like the source: what keras_s2s/analogy.py does, told there.
//
// pairs.json: {weight, length_penalty, words, least, most, pairs: [[source, target], ...]}

const WORD = /[\p{L}\p{M}\p{N}'’\u200c\u200d]+|\S/gu;  // a token, as keras_s2s/tokenizers.py has it: a run of letters or one other sign

export class Analogies {
  constructor({weight, length_penalty, words, least, most, pairs}) {
    Object.assign(this, {weight, penalty: length_penalty, words});
    const read = pairs.map(([source, target]) => [points(source), this.#tokens(target)]);
    this.beginning = new Side(read, least, most);
    this.ending = new Side(read.map(pair => pair.map(side => side.toReversed())), least, most);
  }

  /** Answers {text, score}, the score being the mean log-probability of a token, in their order with what the pairs say. */
  ranked(source, answers) {
    const read = points(source.normalize('NFC').trim().replace(/\s+/gu, ' '));
    const forth = this.beginning.shares(read), back = this.ending.shares(read.toReversed());
    const value = ({text, score}) => {
      const tokens = this.#tokens(text), count = 1 + (this.words ? text.match(WORD) ?? [] : tokens).length;  // the end is one
      const alone = score * count / ((5 + count) / 6) ** this.penalty;
      return alone + this.weight * (agreed(forth, tokens) + agreed(back, tokens.toReversed()));
    };
    const values = new Map(answers.map(answer => [answer, value(answer)]));
    return answers.toSorted((one, other) => values.get(other) - values.get(one));
  }

  #tokens(text) {
    return this.words ? text.split(' ').filter(Boolean) : Array.from(text);
  }
}

/** The pairs in the order of their sources, read from one side. */
class Side {
  constructor(pairs, least, most) {
    Object.assign(this, {least, most});
    const targets = new Map();
    for (const [source, target] of pairs) {
      const name = String(source);
      if (!targets.has(name)) targets.set(name, {source, targets: []});
      targets.get(name).targets.push(target);
    }
    this.known = [...targets.values()].sort((one, other) => compare(one.source, other.source));
  }

  /** Beginnings of targets -> which share of the neighbours of the source has each. */
  shares(source) {
    const {first, end, shared} = this.#neighbours(source), counts = new Map();
    for (const one of this.known.slice(first, end)) {
      const said = new Set();
      for (const tokens of one.targets) {
        beginnings(tokens, Math.ceil(tokens.length * shared / one.source.length)).forEach(part => said.add(part));
      }
      said.forEach(part => counts.set(part, (counts.get(part) ?? 0) + 1));
    }
    return new Map([...counts].map(([part, count]) => [part, count / (end - first)]));
  }

  #neighbours(source) {
    const place = this.#place(source), near = [this.known[place - 1], this.known[place]].filter(Boolean);
    const shared = Math.max(0, ...near.map(one => common(source, one.source)));
    if (shared < this.least || near.some(one => !compare(one.source, source))) return {first: 0, end: 0, shared: 0};
    const part = source.slice(0, shared), half = Math.floor(this.most / 2);
    return {first: Math.max(this.#place(part), place - half), end: Math.min(this.#place([...part, Infinity]), place + half), shared};
  }

  /** How many sources come before one. */
  #place(source) {
    let low = 0, high = this.known.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.known[middle].source, source) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The code points of a text. */
function points(text) {
  return Array.from(text, character => character.codePointAt(0));
}

function common(one, other) {
  const end = one.findIndex((point, i) => point !== other[i]);
  return end < 0 ? one.length : end;
}

function compare(one, other) {
  const i = common(one, other);
  return (one[i] ?? -1) - (other[i] ?? -1);
}

/** The first token, the first two, ..., the first `most`. */
function beginnings(tokens, most) {
  return tokens.slice(0, most).map((_, i) => tokens.slice(0, i + 1).join('\0'));
}

/** The mean length of what tokens and neighbours have in common from the first on. */
function agreed(shares, tokens) {
  return beginnings(tokens, tokens.length).reduce((sum, part) => sum + (shares.get(part) ?? 0), 0);
}
