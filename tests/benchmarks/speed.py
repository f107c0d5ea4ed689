"""How fast training is, beside a plain Keras loop and JoeyNMT: python -m tests.benchmarks.speed [--peers FOLDER]

The same model over the same tokens: bidirectional LSTM 256 and decoder LSTM 256, Luong attention, embeddings 256, V = 2,000, dropout 0.3, Hindi Visual Genome. Each
contender trains in a process of its own, turn by turn, and prints real target tokens a second; the ratio of the medians is what
counts, since machines are shared and noisy. `bfloat16` is keras_s2s with train.precision=mixed_bfloat16. With --peers JoeyNMT is
installed in that folder (some 6 GB) and trains too. `peak` are float32 matrix products alone, on all cores; shares of it count the
products for real tokens, not for padding.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks import joeynmt, peers

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "hvg-en-hi" / "train.tsv"
ROOT = Path(__file__).resolve().parents[2]
CONTENDERS = ("plain", "keras_s2s", "bfloat16")
UPDATES = 45  # of JoeyNMT in a round
SENTENCES, UNITS, VOCABULARY = 128, 256, 2000


def corpus():
    """Prepared tokens of both sides: the same for every contender."""
    import tensorflow as tf

    from keras_s2s.config import Config
    from keras_s2s.sources import SOURCES
    from keras_s2s.targets import TARGETS

    pairs = [line.rstrip("\n").split("\t") for line in open(DATA, encoding="utf-8")]
    config = Config().set([f"data.source_vocabulary_size={VOCABULARY}", f"data.target_vocabulary_size={VOCABULARY}",
                           "model.bidirectional=true", "model.attention=luong", "model.dropout=0.3"])
    source = SOURCES["text"].fit(config, [pair[0] for pair in pairs])
    target = TARGETS["text"].fit(config, [pair[1] for pair in pairs])
    texts = [tf.constant([pair[side].encode() for pair in pairs]) for side in (0, 1)]
    return config, source, target, texts


def steps(name: str):
    """The contender's step function and its batches, ((source, target_in), target_out, weights) each."""
    import keras
    import tensorflow as tf

    if name == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    config, source, target, texts = corpus()
    rows = tf.data.Dataset.from_tensor_slices(tuple(texts)).shuffle(1 << 16, seed=1)
    if name == "plain":
        batches = rows.batch(SENTENCES)
        step = plain_step()
    else:
        from keras_s2s.model import EncoderDecoder
        from keras_s2s.training import TeacherForced

        batches = by_length(texts, source, target, config)
        step = tf.function(TeacherForced(EncoderDecoder(config, source, target), 1000).train_step, reduce_retracing=True)

    def prepare(source_text, target_text):
        teaching = target.prepare(target_text)
        return (source.prepare(source_text), teaching.inputs), teaching.outputs, teaching.weights

    return step, batches.map(prepare).repeat().prefetch(4)


def by_length(texts, source, target, config):
    """The package's own batches: rows of like length, about as many sentences a batch as the plain loop has."""
    import numpy as np
    import tensorflow as tf

    from keras_s2s.pipeline import Batches

    lengths = np.stack([source.lengths(source.prepare(texts[0])), tf.reduce_sum(target.prepare(texts[1]).weights, 1)], 1)
    batches = Batches(lengths.astype(np.int32), round(SENTENCES * float(lengths.max(axis=1).mean())), 1)
    return tf.data.Dataset.range(batches.steps_per_epoch).map(lambda number: tuple(
        tf.gather(side, tf.ensure_shape(tf.numpy_function(batches.rows_of, [number], tf.int32), [None])) for side in texts))


def plain_step():
    """A model and a loop as a tutorial writes them: Keras layers, a GradientTape, a masked mean."""
    import keras
    import tensorflow as tf
    from keras import layers

    source, target_in = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(VOCABULARY, UNITS, mask_zero=True)(source)
    outputs, *state = layers.Bidirectional(layers.LSTM(UNITS // 2, return_sequences=True, return_state=True))(vectors)
    state = [layers.Concatenate()([state[0], state[2]]), layers.Concatenate()([state[1], state[3]])]
    decoded = layers.LSTM(UNITS, return_sequences=True)(layers.Embedding(VOCABULARY, UNITS)(target_in), initial_state=state)
    decoded = layers.Dropout(0.3)(decoded)
    context = layers.Attention()([layers.Dense(UNITS, use_bias=False)(decoded), outputs])
    mixed = layers.Dense(UNITS, activation="tanh")(layers.Concatenate()([context, decoded]))
    model = keras.Model([source, target_in], layers.Dense(VOCABULARY)(mixed))
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(batch):
        inputs, wanted, weights = batch
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, model(list(inputs), training=True))
            loss = tf.reduce_sum(loss * weights) / tf.reduce_sum(weights)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, model.trainable_variables), 1.0)
        optimizer.apply(gradients, model.trainable_variables)
        return {"loss": loss}

    return step


def operations(batch) -> float:
    """Floating-point operations of the matrix products of a training step for its real tokens: of each weight two forward, four back."""
    (source, _), _, weights = batch
    read, said = (source.numpy() != 0).sum(axis=1), weights.numpy().sum(axis=1)
    encoder = 2 * (UNITS + UNITS // 2) * 4 * (UNITS // 2)  # both ways
    decoder = 2 * UNITS * 4 * UNITS + 3 * UNITS * UNITS + UNITS * VOCABULARY  # the cell, attention's query and mix, the projection
    return 6.0 * float((read * encoder + said * decoder + 2 * read * said * UNITS).sum())


def peak(seconds: float) -> None:
    """Prints floating-point operations a second of matrix products."""
    import tensorflow as tf

    square = tf.random.normal([2048, 2048])
    products, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        tf.matmul(square, square).numpy()
        products += 1
    print(products * 2 * 2048 ** 3 / (time.perf_counter() - begun))


def measure(name: str, seconds: float) -> None:
    """Trains for a while; prints target tokens a second of wall time and of processor time, and operations a second."""
    step, batches = steps(name)
    iterator = iter(batches)
    for _ in range(30):
        step(next(iterator))
    tokens, worked, wall, cpu = 0.0, 0.0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        batch = next(iterator)
        float(step(batch)["loss"])
        tokens, worked = tokens + float(batch[2].numpy().sum()), worked + operations(batch)
    wall = time.perf_counter() - wall
    print(tokens / wall, tokens / (time.process_time() - cpu), worked / wall)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="for JoeyNMT's own environment; without it JoeyNMT is left out")
    parser.add_argument("--measure", choices=(*CONTENDERS, "peak"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"{DATA.name} of Hindi Visual Genome 1.1 is needed at {DATA}; it is published by LINDAT/CLARIAH-CZ (UFAL).")
    if arguments.measure:
        return peak(arguments.seconds) if arguments.measure == "peak" else measure(arguments.measure, arguments.seconds)
    peer = peers.had("JoeyNMT", lambda: prepared_peer(arguments.peers)) if arguments.peers else None
    found: dict[str, list[float]] = {name: [] for name in (*CONTENDERS, *(("joeynmt",) if peer else ()))}
    for turn in range(arguments.rounds):
        (most,) = measured("peak", 3)
        print(f"round {turn + 1}  peak       {most / 1e9:>8,.0f} GFLOP/s", flush=True)
        for name, speeds in found.items():
            if name == "joeynmt":
                speeds.append(peer.train(UPDATES))
                note = ""
            else:
                wall, cpu, worked = measured(name, arguments.seconds)
                speeds.append(wall)
                note = f"{cpu:>8,.0f} a processor second, {worked / 1e9:.0f} GFLOP/s = {100 * worked / most:.0f} % of peak"
            print(f"round {turn + 1}  {name:<10} {speeds[-1]:>8,.0f} target tokens/s   load {os.getloadavg()[0]:.1f}   {note}",
                  flush=True)
    medians = {name: statistics.median(speeds) for name, speeds in found.items()}
    for name, value in medians.items():
        against = "   ".join(f"{value / medians[other]:.2f} x {other}" for other in medians if other != name)
        print(f"{name:<10} {value:>8,.0f} target tokens/s   {against}")


def measured(name: str, seconds: float) -> list[float]:
    """What `--measure` prints, in a process of its own."""
    threads = {"TF_NUM_INTRAOP_THREADS": "1"} if name in ("keras_s2s", "bfloat16") else {}  # what train.py sets on two cores
    command = [sys.executable, "-m", "tests.benchmarks.speed", "--measure", name, "--seconds", str(seconds)]
    environment = {**os.environ, **threads, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


def prepared_peer(folder: Path) -> joeynmt.Peer:
    """JoeyNMT with this corpus."""
    _, source, target, texts = corpus()
    sides = [[" ".join(pieces) for pieces in part.tokenizer.processor.encode([text.decode() for text in side.numpy()], out_type=str)]
             for part, side in zip((source, target), texts)]
    pairs = list(zip(*sides))
    peer = joeynmt.Peer(folder, UNITS, SENTENCES)
    peer.prepare({"train": pairs, "dev": pairs[:20]}, VOCABULARY)
    return peer


if __name__ == "__main__":
    main()
