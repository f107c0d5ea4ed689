"""The three functional models over one set of layers.

    training_model   (source, target_in) -> logits             teacher forcing: all T steps in one pass
    encoder_model    source -> outputs, mask, state_h, state_c (one pair a layer; GRU: state_h alone)
    decoder_model    (target_in [B, T], states, outputs, mask) -> logits, states       a step is T = 1

`training_model` is `decoder_model(encoder_model(source))` over the same layer objects, so the separate inference models can
never drift from the one that was trained. Nothing is rebuilt by index and no weight is copied.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from keras_s2s.attention import Memory
from keras_s2s.config import Config
from keras_s2s.decoder import Decoder
from keras_s2s.encoder import Encoded, Encoder
from keras_s2s.search import NEVER
from keras_s2s.sources import Source
from keras_s2s.stepping import repeat_rows, row_count, size
from keras_s2s.targets import Target


class EncoderDecoder:
    """A source, an encoder, a decoder and a target, as one model in three views.

    Args:
        config: the run's configuration; the same configuration, source and target always give the same layers.
        source: what is read.
        target: what is said.

    Attributes:
        training_model, encoder_model, decoder_model: `keras.Model`s; see the top of this file.
    """

    def __init__(self, config: Config, source: Source, target: Target):
        self.config, self.source, self.target = config, source, target
        self.encoder, self.decoder = Encoder(config.model), Decoder(config.model)
        self.encoder_model = self._encoder_model()
        self.training_model = self._training_model()
        self.decoder_model = self._decoder_model()

    def encode(self, prepared) -> Encoded:
        """What `Source.prepare` gave -> Encoded, without dropout."""
        outputs, mask, *state = self.encoder_model(prepared, training=False)
        return Encoded(outputs, mask, state)

    def remember(self, encoded: Encoded) -> Memory | tuple[()]:
        """What the steps of the decoder look back at, made once for a source."""
        return self.decoder.remember(encoded)

    @property
    def tracked(self) -> list[Any]:
        """What a SavedModel must carry: weights, tables, models of tokenizers."""
        return [self.training_model, *self.source.resources, *self.target.resources]

    def step(self, inputs, state: list[Any], memory: Memory | tuple[()]):
        """One step of the decoder, without dropout: inputs [N], state, memory -> logits [N, V], state; see `Decoder`."""
        outputs, state = self.decoder.step(self.target.embed(inputs), state, memory)
        return self.target.project(outputs), state

    def narrowed(self, listed, own, memory: Memory | tuple[()]):
        """`step` and its memory among tokens listed [L] alone, of which own [B, L] are each source's.

        Logits are [N, L], and NEVER where a token is another source's: an answer does not depend on what is asked beside it.
        """
        project = self.target.narrowed(listed)

        def step(inputs, state, memory):
            memory, own = memory
            outputs, state = self.decoder.step(self.target.embed(inputs), state, memory)
            logits = project(outputs)
            each = tf.reshape(logits, [row_count(own), -1, size(listed, 0)])
            return tf.reshape(tf.where(own[:, None], each, NEVER), tf.shape(logits)), state

        return step, (memory, own)

    def foretell(self, prepared, target_in) -> tf.Tensor:
        """Logits [B, T, V] of given targets, teacher-forced, without dropout."""
        return self.training_model([prepared, target_in], training=False)

    def alignments(self, prepared, target_in) -> tf.Tensor:
        """Attention weights [B, T, S] of given targets, teacher-forced.

        Raises:
            ValueError: the model has no attention.
        """
        return self.decoder.alignments(self.target.embed(target_in), self.encode(prepared))

    @property
    def copies(self) -> bool:
        """Whether what the target cannot say is copied from the source: both must be whole words, with attention between."""
        return self.source.copied and self.target.copies and self.decoder.attention is not None

    def copied(self, raw, encoded: Encoded, found: Any) -> tf.Tensor | None:
        """The source's string that attention weighs most at each step of the answers [B, K, T]; None where none is copied.

        So an unknown word is replaced as in Jean et al. (2015), section 4.3.
        """
        if not self.copies:
            return None
        steps = self.pointed(encoded, found)
        shape = tf.shape(steps)
        flat = tf.reshape(steps, [shape[0], -1])
        return tf.reshape(tf.gather(self.source.strings(raw), flat, batch_dims=1), shape)

    def pointed(self, encoded: Encoded, found: Any) -> tf.Tensor:
        """The source step [B, K, T] that attention weighs most at each step of the answers, T the longest of them.

        One teacher-forced pass over the answers gives the weights that the search saw.
        """
        target_in = self.target.taught(found)  # [B, K, T]
        shape, (batch, beams) = tf.shape(target_in), found.tokens.shape[:2]
        flat = tf.reshape(target_in, [-1 if batch is None else batch * beams, shape[2]])  # a size that is known stays known
        weights = self.decoder.alignments(self.target.embed(flat), repeat_rows(encoded, beams))  # [B * K, T, S]
        return tf.reshape(tf.argmax(weights, axis=-1, output_type=tf.int32), shape)

    def _encoder_model(self) -> keras.Model:
        source = self.source.input()
        encoded = self.encoder(*self.source(source))
        return keras.Model(source, [encoded.outputs, encoded.mask, *encoded.state], name="encoder")

    def _training_model(self) -> keras.Model:
        source, target_in = self.encoder_model.inputs[0], self.target.input()
        outputs, mask, *state = self.encoder_model.outputs
        outputs, _ = self.decoder(self.target.embed(target_in), state, Encoded(outputs, mask, state))
        return keras.Model([source, target_in], self.target.project(outputs), name="training")

    def _decoder_model(self) -> keras.Model:
        target_in, units = self.target.input(), self.config.model.units
        names = self.decoder.state_names
        state = [keras.Input((units,), name=name) for name in names]
        outputs = keras.Input((None, units), name="outputs")
        mask = keras.Input((None,), dtype="bool", name="mask")
        decoded, new_state = self.decoder(self.target.embed(target_in), state, Encoded(outputs, mask, state))
        inputs = [target_in, *state] + ([] if self.decoder.attention is None else [outputs, mask])
        return keras.Model(inputs, [self.target.project(decoded), *new_state], name="decoder")
