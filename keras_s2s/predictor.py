"""Raw in, raw out: the one object that evaluation, the command line, Python callers and every export call.

    raw --prepare--> encode --search--> render --> raw        all in-graph
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_s2s.config import Config, Search, require
from keras_s2s.corpora import require_texts
from keras_s2s.cores import SIDE_BY_SIDE
from keras_s2s.media import Item, decoded
from keras_s2s.model import EncoderDecoder
from keras_s2s.pipeline import by_length
from keras_s2s.reading import Rejected
from keras_s2s.shortlist import Lexicon, Shortlist

BATCH_TOKENS = 4096  # source steps of a batch, about
LOOKED_AT = 65536  # the same, once for each beam: what Bahdanau's attention makes of a step grows with it


class Predictor:
    """A trained encoder-decoder that answers.

    Args:
        model: the encoder-decoder, or several as an `Ensemble`.
        search: how answers are found; the run's own settings where not given.
        lexicon: what a shortlist (`search.shortlist`) and analogies (`search.analogy`) are taken from.

    Raises:
        ValueError: a shortlist or analogies of what is no text, or without a lexicon.

    Call: raw sources [B] -> what `Target.render` gives, such as {"text": [B, K] strings, "score": [B, K] float32}.
    """

    def __init__(self, model: EncoderDecoder, search: Search | None = None, lexicon: Lexicon | None = None):
        self.model = model
        self.search = search or model.config.search
        self.lexicon: Any = lexicon
        require_texts(model.config, self.search)
        for name in ("shortlist", "analogy"):
            require(not getattr(self.search, name) or lexicon is not None, f"`search.{name}` needs a trained run, from whose "
                    "training set it is learned: keras_s2s.load(RUN).")
        self._answer = tf.function(self.answer, input_signature=[model.source.signature, tf.TensorSpec([2], tf.int32)],
                                   autograph=False)

    @property
    def config(self) -> Config:
        return self.model.config

    @property
    def training_model(self) -> keras.Model:
        return self.model.training_model

    @property
    def encoder_model(self) -> keras.Model:
        return self.model.encoder_model

    @property
    def decoder_model(self) -> keras.Model:
        return self.model.decoder_model

    def __call__(self, raw: tf.Tensor, seed: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return self._answer(raw, tf.zeros([2], tf.int32) if seed is None else seed)

    def answer(self, raw: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a call does, to be traced into an export; `seed` [2] int32 matters to sampling only."""
        model = self.model
        prepared = model.source.prepare(raw)
        encoded = model.encode(prepared)
        step, memory, listed = model.step, model.remember(encoded), None
        if self.search.shortlist:
            listed, own = Shortlist(self.lexicon, self.search.shortlist)(prepared)
            step, memory = model.narrowed(listed, own, memory)
        found = model.target.search(step, encoded.state, memory, model.source.lengths(prepared), self.search, seed,
                                    gaps=model.copies, last=model.source.last(raw), listed=listed)
        return model.target.render(found, model.copied(raw, encoded, found))

    def predict(self, raws: Sequence[Any], progress: Callable[[int], None] | None = None, seed: int = 0) -> list[Any]:
        """Answers any number of sources, in batches of like length, in their own order; an empty one stays empty.

        Args:
            raws: the sources, as `Rows.raws` gives them.
            progress: called with the number of sources answered since its last call.
            seed: of sampling.

        Returns:
            what `Target.answers` makes of each.
        """
        if self.search.analogy and self.search.beam_size > 1:  # one hypothesis leaves no choice
            found = self._beam.predict(raws, progress, seed)
            return [self.lexicon.analogies.ranked(raw, answer, self.search.analogy, self.search.n_best)
                    for raw, answer in zip(raws, found)]
        source, target = self.model.source, self.model.target
        sizes = source.sizes(raws)
        answers = [target.nothing(self.search) for _ in raws] if (sizes == 0).any() else [None] * len(raws)
        wanted = np.flatnonzero(sizes)
        steps = min(4 * BATCH_TOKENS, LOOKED_AT // target.beams(self.search))
        batches = [wanted[part] for part in by_length(sizes[wanted], steps, target.batch_size(self.search))]

        def said(number: int, rows: np.ndarray) -> list[Any]:
            made = source.batch([raws[row] for row in rows])
            found = self(tf.constant(made, source.signature.dtype), tf.constant([seed, number], tf.int32))
            return target.answers({name: value.numpy() for name, value in found.items()}, self.search)

        self._answer.get_concrete_function()  # traced here, not by two threads
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:  # whoever stops half way drops `map`, which then cancels the rest
            for rows, found in zip(batches, pool.map(said, range(len(batches)), batches)):
                for row, answer in zip(rows, found):
                    answers[row] = answer
                if progress:
                    progress(len(rows))
        return answers

    @functools.cached_property
    def _beam(self) -> Predictor:
        """What gives all hypotheses of a beam, by their scores alone."""
        return self.with_search(n_best=self.search.beam_size, analogy=0.0)

    def translate(self, sentences: Sequence[str], **settings: Any) -> list[str]:
        """The best translation of each sentence.

        Args:
            sentences: any number, in any order.
            settings: of the search, such as beam_size=5, where they shall differ from the run's.
        """
        self.require("translate")
        if isinstance(sentences, str):
            raise ValueError("translate takes a list of sentences; got one string. Write translate([sentence]).")
        predictor = self.with_search(**settings) if settings else self
        return [answer.texts[0] for answer in predictor.predict(sentences)]

    def files(self, paths: Sequence[str | Path]) -> list[Item]:
        """Files as `predict` takes them, read as those of the training were.

        Raises:
            ValueError: this run reads none, or one cannot be used; the message names it.
        """
        decode: Any = functools.partial(type(self.model.source).decode, config=self.config)
        found = []
        for path in paths:
            try:
                found.append(Item(str(path), decoded(path, decode)))
            except Rejected as why:
                raise ValueError(f"{path}: {why}") from None
        return found

    def alignment(self, source: Any, target: str) -> dict[str, Any]:
        """How attention lies when the model is made to say `target`: see `alignments`."""
        return self.alignments([source], [target])[0]

    def alignments(self, sources: Sequence[Any], targets: Sequence[str]) -> list[dict[str, Any]]:
        """For each pair the steps of the source, the pieces of the target, and a row of attention weights for each piece.

        Raises:
            ValueError: the model has no attention.
        """
        model = self.model
        found: list[dict[str, Any]] = [{} for _ in sources]
        for rows in by_length(self._sizes(sources, targets), BATCH_TOKENS):
            prepared = model.source.prepare(tf.constant(model.source.batch([sources[row] for row in rows])))
            teaching = model.target.prepare(tf.constant(model.target.batch([targets[row] for row in rows])))
            weights = model.alignments(prepared, teaching.inputs).numpy().round(4).tolist()
            steps = model.source.lengths(prepared).numpy(), teaching.lengths().numpy()
            for i, (row, s, t) in enumerate(zip(rows, *steps)):
                found[row] = {"source": model.source.names(prepared[i].numpy(), int(s)),
                              "target": model.target.labels(teaching.outputs[i, :t].numpy()),
                              "weights": [line[:s] for line in weights[i][:t]]}
        return found

    def _sizes(self, sources: Sequence[Any], targets: Sequence[str]) -> np.ndarray:
        """About how much work each pair is."""
        return self.model.source.sizes(sources) + np.array([len(target) for target in targets], np.int64)

    def surprises(self, sources: Sequence[Any], targets: Sequence[str]) -> list[np.ndarray]:
        """-log p in nats of each token of each target and of its end, after its source; teacher-forced."""
        model = self.model
        found: list[np.ndarray] = [np.zeros(0)] * len(sources)
        for rows in by_length(self._sizes(sources, targets), BATCH_TOKENS):
            prepared = model.source.prepare(tf.constant(model.source.batch([sources[row] for row in rows])))
            teaching = model.target.prepare(tf.constant(model.target.batch([targets[row] for row in rows])))
            logits = model.foretell(prepared, teaching.inputs)
            losses = model.target.loss(teaching.outputs, logits, teaching.weights)[1].numpy()
            for row, loss, steps in zip(rows, losses, teaching.lengths().numpy()):
                found[row] = loss[:steps]
        return found

    def require(self, verb: str) -> None:
        """Raises ValueError unless that is what the model does."""
        able = self.model.source.verb
        if able != verb:
            raise ValueError(f"this run cannot {verb}: it reads {self.config.data.source}. Use: keras-s2s {able}")

    def with_search(self, **settings: Any) -> Predictor:
        """The same model with other search settings."""
        return Predictor(self.model, dataclasses.replace(self.search, **settings), self.lexicon)
