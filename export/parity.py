"""Proof that an exported file says what the model says; a file that does not is not published.

Writes RUN/export/report.json; so for texts, for series see series_parity.py:

    {"sentences": 998,                    of the dev set, at most 1,000, evenly spaced
     "fitting": 997,                      that fit the file's border, source and answer; all below is of these
     "sizes": {"max_input_bytes": 256, "max_output_bytes": 512, "beam_size": 4, "words": 5,
               "no_repeat_ngram": null},
     "search": {...},                     the section `search` that Keras and the files answered with
     "signatures": {"bleu": "...", "chrf": "..."},
     "versions": {"tensorflow": "2.21.0", "ai-edge-litert": "...", ...},
     "keras": {"bleu": 30.1, "chrf": 50.2},
     "saved_model": {"identical": 997, "bleu": .., "bleu_difference": 0.0, "chrf": .., "chrf_difference": 0.0},
     "files": {"model-int8.tflite": {
         "quantize": "int8", "passed": true, "problem": "",       why it was not published
         "identical": 950, "bleu": .., "bleu_difference": -0.05,  file less Keras; so for each head of the run's scoring
         "chrf": .., "chrf_difference": ..,
         "bytes": 2922600, "constant_bytes": 2853677,             of weights and tables
         "latency_ms": {"median": 1.2, "p95": 1.9},               a sentence, greedy, one thread, this machine
         "latency_beam_ms": {"median": 3.0, "p95": 4.5},          K best, on at most 100 sentences
         "load_ms": 3.0, "operations": {"ADD": 119, ...}, "smallest_runtime": "2.17.0",
         "suggest": {"asked": 200, "identical": 200, "same_first": 200, "largest_difference": 1e-6, "latency_ms": {..}},
                                                                  of sentences only: next words beside Keras's
         "signatures": {"translate": {"inputs": {"text": ["uint8", [1, 256]]}, "outputs": {...}}, ...},
         "differing": [{"source": "..", "keras": "..", "file": ".."}]}}}    at most ten

`saved_model` is compared with Keras under the run's own search, whatever the file's; a sampling run has none to compare.
Files of other quantizations stay in "files" as long as they are there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from export.proof import ParityError, Proof, quantiles
from export.runtime import SayingFile
from export.series_parity import SeriesProof
from export.tflite import FILES, Phone, Sizes, convert
from keras_s2s.predictor import Predictor
from keras_s2s.run import Run, load
from keras_s2s.scoring import Measured, Scoring
from keras_s2s.sources import Source
from keras_s2s.terminal import Bar, quiet, say

MOST = 1000  # sentences decoded
BEAMS_TIMED = 100
SHOWN = 10  # differing sentences
MAX_BLEU_DROP = 0.5
SERVED_ALIKE = 0.99  # of the answers, at least: a batch may round otherwise


class Pairs(NamedTuple):
    """Sources with their references and with what Keras makes of them."""

    sources: Sequence[Any]
    references: list[str]
    keras: list[str]


class Said(NamedTuple):
    """An answer as a scoring takes it."""

    best: str


class Decoded(NamedTuple):
    """What a file makes of sources."""

    texts: list[str]
    fits: list[bool]
    milliseconds: list[float]
    load_ms: float


def export(run: Run, quantize: Sequence[str] = ("int8",), sizes: Sizes = Sizes(),
           max_bleu_drop: float = MAX_BLEU_DROP) -> Phone:
    """Writes RUN/export/model-*.tflite, each only if it passes, and the report; returns what they were made of.

    Raises:
        ParityError: a file did not pass; the others are published all the same.
    """
    for name in quantize:
        (run.export / FILES[name]).unlink(missing_ok=True)  # from other weights, maybe
    predictor = load(run.path)
    phone = Phone(predictor, sizes)
    say(f"converting to {', '.join(FILES[name] for name in quantize)}")
    made = convert(phone, list(quantize))
    proof = PROOFS[run.config.data.target](run, phone, predictor)
    proof.saved_model(predictor)
    problems = [proof.file(name, made[name], max_bleu_drop) for name in quantize]
    proof.write()
    if any(problems):
        raise ParityError("\n".join(filter(None, problems)))
    return phone


def finish(run: Run) -> None:
    """What ends a training: int8 as it comes by default. Where that cannot be, says why; the training is done all the same."""
    try:
        beams = run.config.search.beam_size
        export(run, sizes=Sizes(beam_size=beams if beams > 1 else Sizes().beam_size))
    except ValueError as error:
        say(f"no phone file: {error}")


class TextProof(Proof):
    """Texts: a file says what Keras says, to the letter in float32, within a little BLEU when quantized.

    Args:
        run, phone: see `Proof`.
        predictor: the run's model.
    """

    def __init__(self, run: Run, phone: Phone, predictor: Predictor):
        rows = run.rows("dev")
        sources, references = rows.raws(range(0, len(rows), -(-len(rows) // MOST)))
        super().__init__(run, phone, len(sources))
        self.input, self.source, self.scoring = phone.input, predictor.model.source, predictor.model.target.scoring
        own = Predictor(predictor.model, phone.search)
        bar = Bar("Keras", len(sources), unit=" sentences")
        self.pairs = Pairs(sources, references, [
            answer.texts[0] for answer in own.predict(sources, lambda n: bar.advance(by=n))])
        bar.close()
        self.added = phone.added.proof(sources)

    def saved_model(self, predictor: Predictor) -> None:
        if predictor.search.temperature:
            return
        if predictor.search.analogy:
            say("note: a file answers by the model alone, without the training pairs (search.analogy); a page may have them "
                "beside it: --format web --pairs")
        served = _loaded(self.served())
        texts, keras = _served(served.signatures, self.source, self.pairs.sources), self.pairs.keras
        if predictor.search != self.search:
            alone = predictor.with_search(analogy=0.0)
            keras = [answer.texts[0] for answer in alone.predict(self.pairs.sources)]
        compared = self.compare(texts, keras, self.pairs.references, self.pairs.sources)
        self.tree["saved_model"] = compared | self.added.saved_model(served.signatures)
        if compared["identical"] < SERVED_ALIKE * len(texts):
            say(f"warning: {self.served()} answers {compared['identical']:,} of {len(texts):,} sources as Keras does. That is "
                "a fault of the export: do not serve it, and report the case.")

    def scores(self, texts: list[str], references: list[str], sources: Sequence[Any]) -> Measured:
        """What texts are worth by the heads of the run's scoring."""
        found = self.scoring.measure([Said(text) for text in texts], references, sources)
        return found._replace(scores={name: found.scores[name] for name in self.scoring.heads})

    def compare(self, texts: list[str], keras: list[str], references: list[str], sources: Sequence[Any]) -> dict[str, Any]:
        """Scores beside Keras's on the same sources."""
        own, right = (self.scores(side, references, sources).scores for side in (texts, keras))
        differences = {f"{name}_difference": value - right[name] for name, value in own.items()}
        return {"identical": sum(a == b for a, b in zip(texts, keras)), **own, **differences}

    def measure(self, path: Path) -> dict[str, Any]:
        done, beam = (decode(path, self.source.verb, map(self.input.feed, sources), beam) for sources, beam in (
            (self.pairs.sources, False), (self.pairs.sources[:BEAMS_TIMED], True)))
        fit = np.nonzero(np.array(done.fits))[0].tolist()
        texts, keras, references, sources = ([side[i] for i in fit] for side in (
            done.texts, self.pairs.keras, self.pairs.references, self.pairs.sources))
        self.tree["fitting"] = len(fit)
        if not len(fit):
            raise ParityError("no sentence of the dev set fits the file. Give it a larger --max-input-bytes and "
                              "--max-output-bytes.")
        scored = self.scores(keras, references, sources)
        self.tree["keras"], self.tree["signatures"] = scored.scores, scored.signatures
        differing = [{"source": str(source), "keras": right, "file": text}
                     for source, right, text in zip(sources, keras, texts) if right != text]
        return {**self.compare(texts, keras, references, sources), "latency_ms": quantiles(done.milliseconds),
                "latency_beam_ms": quantiles(beam.milliseconds), "load_ms": round(done.load_ms, 2),
                **self.added.measure(path), "differing": differing[:SHOWN]}

    def problem(self, entry: dict[str, Any], quantize: str, max_drop: float) -> str:
        return (_problem(entry, quantize, max_drop, self.tree["fitting"], self.scoring)
                or self.added.problem(entry, quantize))

    def summary(self, name: str, entry: dict[str, Any]) -> str:
        cut = self.tree["sentences"] - self.tree["fitting"]
        return _summary(name, entry, self.tree["fitting"], self.scoring) + self.added.summary(entry) + (
            f"\n  {cut} of {self.tree['sentences']} sentences do not fit and are cut; see --max-input-bytes and "
            "--max-output-bytes" if cut else "")

    def differing(self, entry: dict[str, Any]) -> str:
        return "\n".join(f"  {row['source']}\n    Keras {row['keras']}\n    file  {row['file']}" for row in entry["differing"])


PROOFS: dict[str, Any] = {"text": TextProof, "series": SeriesProof}


def decode(path: Path, verb: str, sources: Iterable[dict[str, np.ndarray]], beam: bool = False) -> Decoded:
    """Answers each source, as `feed` of the file's input gives it, on one thread; the first one warms up as well."""
    begun = time.perf_counter()
    phone = SayingFile(path, verb)
    loaded = time.perf_counter()
    texts, fits, milliseconds = list[str](), list[bool](), list[float]()
    for given in sources:
        if not texts:
            phone.ask(given, beam)
        start = time.perf_counter()
        answer = phone.ask(given, beam)
        milliseconds.append(1e3 * (time.perf_counter() - start))
        texts.append(answer.texts[0])
        fits.append(not answer.truncated)
    return Decoded(texts, fits, milliseconds, 1e3 * (loaded - begun))


def _loaded(path: Path) -> Any:
    """A SavedModel."""
    import tensorflow as tf

    with quiet():  # SentencePiece's C++ reports on each load
        return tf.saved_model.load(str(path))


def _served(signatures: Any, source: Source, raws: Sequence[Any], rows: int = 32) -> list[str]:
    """The SavedModel's answers, asked as a server would be asked; an empty source stays empty, as in Keras."""
    import tensorflow as tf

    answer: Any = signatures[source.verb]
    sizes, texts = source.sizes(raws), [""] * len(raws)
    order = [i for i in np.argsort(sizes, kind="stable").tolist() if sizes[i]]
    for start in range(0, len(order), rows):
        part = order[start:start + rows]
        given = {source.signature.name: tf.constant(source.batch([raws[i] for i in part]), source.signature.dtype)}
        for i, text in zip(part, answer(**given)["text"].numpy()):
            texts[i] = text.decode()
    return texts


def _problem(entry: dict[str, Any], quantize: str, max_drop: float, sentences: int, scoring: Scoring) -> str:
    """What is wrong with a file; "" if it passes."""
    if quantize == "none" and entry["identical"] < sentences:
        return (f"float32 must say what Keras says, to the letter; {sentences - entry['identical']} of {sentences} sentences "
                "differ. That is a fault of the export: please report it with the run's config.json.")
    name, label = next(iter(scoring.heads.items()))
    falling = name in scoring.falling
    drop = entry[f"{name}_difference"] * (1 if falling else -1)
    allowed = scoring.allowed(max_drop, sentences)
    if drop > allowed:
        return (f"its {label} on the dev set is {drop:.2f} {'above' if falling else 'below'} Keras's; at most {allowed:g} is "
                "allowed. Use --quantize float16, or allow more with --max-bleu-drop.")
    return ""


def _summary(name: str, entry: dict[str, Any], sentences: int, scoring: Scoring) -> str:
    head, label = next(iter(scoring.heads.items()))
    return (f"{'exported' if entry['passed'] else 'refused'} {name} ({entry['bytes'] / 1e6:.2f} MB): {entry['identical']} of "
            f"{sentences} sentences as Keras says them, {label} {entry[head]:.1f} ({entry[f'{head}_difference']:+.2f}), "
            f"{entry['latency_ms']['median']:.1f} ms a sentence, {entry['latency_beam_ms']['median']:.1f} with "
            f"beam, on one thread")
