"""Small corpora and models for the tests: real code in seconds."""

from itertools import product

import numpy as np
import tensorflow as tf

from keras_s2s import workflow
from keras_s2s.config import Config
from keras_s2s.model import EncoderDecoder
from keras_s2s.run import Run
from keras_s2s.sources import SOURCES
from keras_s2s.targets import TARGETS
from keras_s2s.training import TeacherForced

OF_WHAT = {"red": "लाल", "big": "बड़ा", "old": "पुराना", "new": "नया"}
WHO = {"dog": "कुत्ता", "cat": "बिल्ली", "cow": "गाय"}
WHAT = {"tree": "पेड़", "house": "घर", "river": "नदी", "bird": "चिड़िया", "fish": "मछली"}
PAIRS = [(f"The {how} {who} sees a {what}.", f"{OF_WHAT[how]} {WHO[who]} {WHAT[what]} देखता है।")
         for how, who, what in product(OF_WHAT, WHO, WHAT)]
SOURCES_OF, TARGETS_OF = ([pair[side] for pair in PAIRS] for side in (0, 1))


def config(*settings: str) -> Config:
    """A tiny configuration, with settings changed. Pictures and graphs are watched where a test is of them."""
    return Config().set(["model.units=8", "model.embedding_dim=8", "train.batch_tokens=200", "train.epochs=2",
                         "train.warmup_steps=2", "train.learning_rate=0.01", "train.parts=1", "watch.images=false",
                         "watch.graph=false", *settings])


def build(*settings: str, pairs=PAIRS) -> EncoderDecoder:
    """An untrained model whose vocabularies are learnt from the pairs."""
    made = config(*settings)
    source = SOURCES[made.data.source].fit(made, [pair[0] for pair in pairs])
    target = TARGETS[made.data.target].fit(made, [pair[1] for pair in pairs])
    return EncoderDecoder(made, source, target)


def decided(core: EncoderDecoder, seed: int = 0) -> EncoderDecoder:
    """The model with larger weights, so that it is sure of what it says and rounding never changes an answer."""
    random = np.random.default_rng(seed)
    for weight in core.training_model.trainable_variables:
        weight.assign(random.normal(size=weight.shape))
    return core


def example(core: EncoderDecoder, pairs=PAIRS, seed=None):
    """Pairs as `fit` takes a batch of them: (source, target_in), target_out, weights."""
    source = core.source.prepare(tf.constant([pair[0] for pair in pairs]), seed)
    teaching = core.target.prepare(tf.constant([pair[1] for pair in pairs]), seed)
    return (source, teaching.inputs), teaching.outputs, teaching.weights


def fitted(core: EncoderDecoder, steps: int = 2, pairs=PAIRS) -> tuple[TeacherForced, dict[str, float]]:
    """Trains by `fit` on one batch, again and again; returns the model and what its last step reported."""
    model = TeacherForced(core, steps)
    seen = []
    data = tf.data.Dataset.from_tensors(example(core, pairs)).repeat(steps)
    model.fit(data, verbose=0, shuffle=False, callbacks=[Note(seen)])
    return model, seen[-1]


class Note(tf.keras.callbacks.Callback):
    """Keeps what each step reported."""

    def __init__(self, seen: list):
        super().__init__()
        self.seen = seen

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append({name: float(value) for name, value in logs.items()})


def write_tsv(path, pairs=PAIRS):
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


NAMES = [("Asha", "आशा"), ("Ravi", "रवि"), ("Mina", "मीना"), ("Karan", "करन"), ("Lila", "लीला"), ("Arjun", "अर्जुन"),
         ("Tara", "तारा"), ("Vijay", "विजय"), ("Usha", "ऊषा"), ("Mohan", "मोहन"), ("Gita", "गीता"), ("Suraj", "सूरज")]
NAMED = [(f"{name} sees a {how} {what}.", f"{naam} एक {OF_WHAT[how]} {WHAT[what]} देखता है।")
         for i, (name, naam) in enumerate(NAMES) for j, (how, what) in enumerate(product(OF_WHAT, WHAT)) if (i + j) % 2]


def begin(path, made: Config):
    """A run that is ready to be trained."""
    run = workflow.open_run(path, made, False)
    workflow.prepare_corpus(run)
    workflow.prepare_assets(run)
    return run


def learn(path, made: Config):
    """A run that is trained, and not yet scored; returns its path."""
    workflow.train(begin(path, made), False)
    return path


def finish(path, made: Config):
    """A run from its corpus to its scores, as train.py makes it; returns its path."""
    workflow.evaluate(Run.open(learn(path, made)))
    return path


def write_series(path, steps: int = 400, names=("load", "oil", "wind")):
    """A CSV of hourly series: waves of a day, each of another phase, with a little noise; all above 0."""
    random, hours = np.random.default_rng(5), np.arange(steps)
    values = [10 + 3 * np.sin(2 * np.pi * (hours / 24 + i / 5)) + 0.1 * random.normal(size=steps) for i in range(len(names))]
    times = np.datetime64("2024-01-30T00") + hours.astype("timedelta64[h]")
    lines = [f"{str(time).replace('T', ' ')}:00:00," + ",".join(f"{series[i]:.4f}" for series in values)
             for i, time in enumerate(times)]
    path.write_text("\n".join([",".join(["date", *names]), *lines]) + "\n", encoding="utf-8")
    return path


def forecasting(*settings: str) -> Config:
    """A tiny configuration of series, with settings changed."""
    return config("data.source=series", "data.target=series", "series.window=24", "series.horizon=6", "train.batch_tokens=800",
                  "train.monitor=mse", *settings)
