"""Next words beside an interpolated Kneser-Ney trigram: perplexity of each word of what follows, on sentences nobody learnt.

    pip install nltk
    python tests/benchmarks/next_words.py train.tsv dev.tsv test.tsv --column 1        English of Hindi Visual Genome; 2: Hindi
    python tests/benchmarks/next_words.py train.txt dev.txt test.txt                   any plain text

The files: Hindi Visual Genome 1.1, lindat.mff.cuni.cz (CC BY-NC-SA 4.0), as SOURCE TAB TARGET. Sentences of dev and test that the training
text holds too are left out.

Unigram, trigram and the run's first row are of the same tokens (words and single signs), the same vocabulary (tokens that
the training text holds at least twice; any other is one and the same `<unk>`), the same training sentences, and foretell the
same tokens, each sentence's end among them, from all that was truly written before. The trigram is NLTK's, its discount the
best of several on dev. The last row is the same run of SentencePiece's pieces: it spells unknown words out where the others
only say `<unk>`, which no other row pays for; its nats are divided by the same number of tokens.
"""

import argparse
import collections
import functools
import importlib.metadata
import math
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

DISCOUNTS = (0.5, 0.6, 0.7, 0.8, 0.9)
SEEN = 2  # times a token must stand in the training text to be known
BEGIN, END = "<s>", "</s>"


class Trigram:
    """NLTK's interpolated Kneser-Ney.

    Args:
        sentences: lists of tokens.
    """

    def __init__(self, sentences: list[list[str]]):
        from nltk.lm import KneserNeyInterpolated
        from nltk.util import everygrams

        padded = [[BEGIN, BEGIN, *tokens, END] for tokens in sentences]
        self.model = KneserNeyInterpolated(3)
        self.model.fit([list(everygrams(tokens, max_len=3)) for tokens in padded], [token for row in padded for token in row])
        counting = self.model.estimator._continuation_counts  # goes through all n-grams at each call
        self.model.estimator._continuation_counts = functools.cache(counting)

    def nats(self, history: list[str], tokens: list[str]) -> float:
        """-log p of tokens and of the end, after a history."""
        line = [BEGIN, BEGIN, *history, *tokens, END]
        return -sum(math.log(self.model.score(line[i], line[i - 2:i])) for i in range(len(history) + 2, len(line)))

    def tune(self, rows: list[tuple[list[str], list[str]]]) -> float:
        """Takes the discount that is best on rows of history and tokens; returns it."""
        def cost(discount: float) -> float:
            self.model.estimator.discount = discount
            return sum(self.nats(*row) for row in rows)

        self.model.estimator.discount = min(DISCOUNTS, key=cost)
        return self.model.estimator.discount


class Unigram:
    """Shares of tokens, ends among them; a token that never stood anywhere is counted once.

    Args:
        sentences: lists of tokens.
    """

    def __init__(self, sentences: list[list[str]]):
        self.counts = collections.Counter(token for tokens in sentences for token in (*tokens, END))

    def nats(self, history: list[str], tokens: list[str]) -> float:
        return sum(math.log(self.counts.total() / max(1, self.counts[token])) for token in (*tokens, END))


def lines_of(path: Path, column: int) -> list[str]:
    """The sentences of a file, or of a column of a TSV."""
    from keras_s2s.normalize import normalize
    from keras_s2s.sentences import sentences

    lines = path.read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[column - 1] if column else line for line in lines]
    return [sentence for text in texts for sentence in sentences(normalize(text))]


def trained(folder: Path, files: dict[str, Path], settings: list[str], words):
    """A run of the preset, of the tokens of `words`; without, of pieces."""
    from keras_s2s import tokenizers, workflow
    from keras_s2s.presets import PRESETS
    from keras_s2s.run import load

    pieces = [] if words else ["data.source_tokenizer=sentencepiece", "data.target_tokenizer=sentencepiece"]
    config = PRESETS["next-word"][1].set([*(f"data.{name}={path}" for name, path in files.items()), "watch.images=false",
                                          "train.evaluate_every=1000", *pieces, *settings])
    run = workflow.open_run(folder, config, False)
    workflow.prepare_corpus(run)
    for side in ("source", "target") if words else ():
        tokenizers.save(words, run.assets, side)
    workflow.prepare_assets(run)
    workflow.train(run, False)
    return run, load(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs=3, type=Path, metavar="FILE", help="train, dev, test")
    parser.add_argument("--column", type=int, default=0, help="of a TSV, from 1; default: plain text")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings of the runs")
    parser.add_argument("--runs", type=Path, help="a folder to keep the runs in")
    parser.add_argument("--skip", choices=("words", "pieces"), help="one of the two runs")
    arguments = parser.parse_args()
    if missing := [str(path) for path in arguments.files if not path.is_file()]:
        print(f"there is no {', '.join(missing)}; the first lines of this file say where to get it")
        return 1
    texts = dict(zip(("train", "dev", "test"), (lines_of(path, arguments.column) for path in arguments.files)))
    known = set(texts["train"])
    for name in ("dev", "test"):
        texts[name] = [text for text in texts[name] if text not in known]
    with tempfile.TemporaryDirectory() as folder:
        return compare(arguments.runs or Path(folder), texts, arguments)


def compare(folder: Path, texts: dict[str, list[str]], arguments) -> int:
    """Trains all and prints the table; 1 where a run is not below the trigram on test."""
    import tensorflow as tf

    from keras_s2s.tokenizers import SPECIALS, Words

    counts = collections.Counter(Words.split(tf.constant(texts["train"])).flat_values.numpy().tolist())
    words = Words.train(texts["train"], len(SPECIALS) + sum(count >= SEEN for count in counts.values()))

    def tokens(lines: list[str]) -> list[list[str]]:
        ids = words.tokenize(tf.constant([line.encode() for line in lines])).to_list() if lines else []
        return [[words.pieces[token] for token in row] for row in ids]

    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.txt" for name in texts}
    for name, path in files.items():
        path.write_text("\n".join(texts[name]) + "\n", encoding="utf-8")
    runs = {}
    for name, own in (("the same tokens", words), ("of pieces", None)):
        if arguments.skip != ("words" if own else "pieces"):
            runs[f"next-word, {name}"] = trained(folder / f"run{len(runs)}", files, arguments.set, own)
    pairs = {name: next(iter(runs.values()))[0].rows(name) for name in ("dev", "test")}
    pairs = {name: rows.raws(range(len(rows))) for name, rows in pairs.items()}
    rows = {name: list(zip(*map(tokens, pair))) for name, pair in pairs.items()}
    sizes = {name: sum(len(written) + 1 for _, written in part) for name, part in rows.items()}
    trigram, unigram = Trigram(tokens(texts["train"])), Unigram(tokens(texts["train"]))
    discount = trigram.tune(rows["dev"])
    label = f"trigram, Kneser-Ney, discount {discount}"
    costs = {who: {name: sum(model.nats(*row) for row in part) for name, part in rows.items()}
             for who, model in (("unigram", unigram), (label, trigram))}
    for who, (_, predictor) in runs.items():
        costs[who] = {name: float(sum(steps.sum() for steps in predictor.surprises(*pairs[name]))) for name in rows}
    found = {who: {name: math.exp(cost[name] / sizes[name]) for name in rows} for who, cost in costs.items()}
    print(f"perplexity of a token; {len(texts['train']):,} sentences to learn from, {words.vocabulary_size:,} tokens known; "
          f"NLTK {importlib.metadata.version('nltk')}")
    print("".join(f"{head:>40}" if i == 0 else f"{head:>16}" for i, head in enumerate(("", *rows))))
    print("\n".join(f"{who:>40}" + "".join(f"{part[name]:>16.2f}" for name in rows) for who, part in found.items()))
    print("  ".join(f"{name}: {len(texts[name]):,} sentences, {len(rows[name]):,} beginnings, {sizes[name]:,} tokens foretold, "
                    f"{100 * sum('<unk>' in t for _, w in rows[name] for t in w) / sizes[name]:.1f} % unknown" for name in rows))
    return int(any(found[who]["test"] >= found[label]["test"] for who in runs))


if __name__ == "__main__":
    sys.exit(main())
