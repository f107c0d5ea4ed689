"""One frozen tree of settings: written once here, checked at construction, saved as JSON, set from the command line.

    Config(data=Data(), model=Model(units=512), train=Train(), search=Search(), watch=Watch(), series=Series())

A setting is a field with its comment. `--set model.units=512`, `config.json` and the tables of the README all come from
these fields; there is no second list of options anywhere.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from keras_s2s import registry
from keras_s2s.checks import between, choice, require
from keras_s2s.kind_settings import Audio, Image, Series

FORMAT = 1  # of config.json; raised when an older run can no longer be read

TOKENIZERS = ("sentencepiece", "characters", "words", "bytes")
CELLS = ("lstm", "gru")
ATTENTIONS = ("none", "luong", "scaled_luong", "bahdanau")
MOST_LISTED = 100  # of `search.shortlist`
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")
SCHEDULES = ("constant", "linear", "cosine", "inverse_sqrt")
MONITORS = ("loss", "bleu", "chrf", "exact_match", "cider", "next_word", "mse", "mae", "wer", "cer")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclass(frozen=True)
class Data:
    """What is learnt from: the corpus and, where it is text, how it becomes tokens."""

    source: str = "text"  # kind of source: what is read
    target: str = "text"  # kind of target: what is said
    # Files, globs, or "source-file,target-file"; empty: the embedded phrasebook. Given with --data: `--set data.train=a,b`
    # parts at commas, so it means two files of pairs.
    train: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()  # empty: split off the training data, no sentence on both sides
    test: tuple[str, ...] = ()  # empty: split off as well, unless `dev` is given
    extra: tuple[str, ...] = ()  # files of which nothing is ever held out, such as back-translations; given with --extra
    corpus: str = "pairs"  # of text files: pairs, or sentences, each cut into a beginning and its rest
    cuts: int = 2  # of a sentence at most, each at another space; only where the corpus is sentences
    columns: tuple[int, ...] = (1, 2)  # of a TSV that hold source and target, counted from 1
    max_characters: int = 1000  # a longer source or target is rejected, with its line
    held_out: int = 1000  # pairs of an automatic dev and of an automatic test set, at most 5 % of the corpus each
    source_tokenizer: str = "sentencepiece"  # sentencepiece, characters, words, bytes
    target_tokenizer: str = "sentencepiece"
    source_vocabulary_size: int = 0  # 0: chosen from the corpus
    target_vocabulary_size: int = 0
    teacher: tuple[str, ...] = ()  # runs whose answers to the training sources are learnt too; given with --teacher
    subword_sampling: float = 0.0  # alpha of Kudo (2018), eq. 8; 0: always the best segmentation; 0.2 is strong

    def __post_init__(self) -> None:
        for name, choices in (("source", tuple(registry.SOURCES)), ("target", tuple(registry.TARGETS)),
                              ("corpus", tuple(registry.CORPORA)), ("source_tokenizer", TOKENIZERS),
                              ("target_tokenizer", TOKENIZERS)):
            choice("data", name, getattr(self, name), choices)
        between("data", "cuts", self.cuts, 1, 20)
        require(len(self.columns) == 2 and min(self.columns) >= 1 and self.columns[0] != self.columns[1],
                "`data.columns` must name two different columns counted from 1, such as 1,2; "
                f"got {','.join(map(str, self.columns))}.")
        between("data", "max_characters", self.max_characters, 1)
        between("data", "held_out", self.held_out, 1)
        for name in ("source_vocabulary_size", "target_vocabulary_size"):
            value = getattr(self, name)
            require(value == 0 or value >= 8, f"`data.{name}` must be 0 (chosen from the corpus) or at least 8; got {value}.")
        between("data", "subword_sampling", self.subword_sampling, 0, 10)


@dataclass(frozen=True)
class Model:
    """The encoder-decoder: its cells, its sizes, its options."""

    cell: str = "lstm"  # lstm, gru
    units: int = 256  # of each layer of encoder and decoder; a bidirectional layer has units // 2 a direction
    num_layers: int = 1  # of the encoder and of the decoder, 1-8
    residual_from: int = 3  # number of the first layer with a residual connection, 2 or more (Wu et al., 2016, have the third)
    embedding_dim: int = 256
    embedding_stddev: float = 0.5  # of the first embeddings; Keras's own 0.03 leaves an LSTM's gates half open for long
    bidirectional: bool = False  # the encoder reads both ways
    attention: str = "none"  # none (the context vector alone), luong, scaled_luong, bahdanau
    attention_layer: int = 0  # of the decoder, after which attention sits; 0: the last; those above know what was looked at
    tied_embeddings: bool = False  # target embedding and output projection share one matrix
    input_dropout: float = 0.0  # of embeddings
    word_dropout: float = 0.0  # of whole embeddings, so that a token is as good as unseen (Gal and Ghahramani, 2016)
    dropout: float = 0.2  # between layers and before the projection
    recurrent_dropout: float = 0.0  # of the state, one mask for all steps (Gal and Ghahramani, 2016); cuDNN's kernel has none
    reverse_source: bool = False  # read the source backwards (Sutskever et al., 2014)

    def __post_init__(self) -> None:
        choice("model", "cell", self.cell, CELLS)
        choice("model", "attention", self.attention, ATTENTIONS)
        between("model", "units", self.units, 1)
        between("model", "num_layers", self.num_layers, 1, 8)
        between("model", "residual_from", self.residual_from, 2)
        between("model", "embedding_dim", self.embedding_dim, 1)
        between("model", "embedding_stddev", self.embedding_stddev, 0, 10)
        for name in ("input_dropout", "word_dropout", "dropout", "recurrent_dropout"):
            between("model", name, getattr(self, name), 0, 0.95)
        require(not self.bidirectional or self.units % 2 == 0,
                f"`model.units` must be even when `model.bidirectional` is set; got {self.units}. "
                f"Use {self.units - 1} or {self.units + 1}.")
        require(not (self.bidirectional and self.reverse_source),
                "`model.bidirectional` reads the source both ways already; set only one of it and `model.reverse_source`.")
        between("model", "attention_layer", self.attention_layer, 0, self.num_layers)
        require(self.attention_layer == 0 or self.attention != "none",
                f"`model.attention_layer` {self.attention_layer} says where attention sits, and `model.attention` is none. "
                "Choose a kind, such as scaled_luong, or leave the layer at 0.")
        require(not self.tied_embeddings or self.embedding_dim == self.units,
                "`model.tied_embeddings` needs `model.embedding_dim` equal to `model.units`; "
                f"got {self.embedding_dim} and {self.units}.")


@dataclass(frozen=True)
class Train:
    """How it is learnt."""

    epochs: int = 12
    batch_tokens: int = 1024  # steps of the longer side of a batch, padding included
    optimizer: str = "adam"  # sgd, momentum, adam, adamw
    learning_rate: float = 0.003
    schedule: str = "cosine"  # constant, linear, cosine, inverse_sqrt
    warmup_steps: int = 100
    weight_decay: float = 0.01  # adamw only
    clip_norm: float = 1.0  # global norm of the gradient; 0: no clipping
    label_smoothing: float = 0.0
    r_drop: float = 0.0  # alpha of Liang et al. (2021), eq. 4: two passes with other dropout shall agree; costs twice the time
    teacher_forcing: float = 1.0  # share of true previous tokens; below 1 scheduled sampling, 0 free running
    ema: float = 0.0  # momentum of the weights' moving average, such as 0.999; 0: off
    parts: int = 2  # of a batch, computed side by side on a CPU's cores; the gradient is the whole batch's; 1 on a GPU
    precision: str = "float32"  # float32; mixed_bfloat16 for GPUs, and CPUs with AVX512_BF16 or AMX; mixed_float16 for GPUs
    monitor: str = "loss"  # what the best is by, on dev: loss; of text bleu, chrf and the like; of series mse, mae; speech wer
    patience: int = 0  # evaluations that bring no better weights before training stops; 0: never
    evaluate_every: int = 1  # epochs between translations of the dev set
    save_every_steps: int = 0  # 0: at each end of an epoch and by time
    save_every_minutes: float = 10.0
    seed: int = 1

    def __post_init__(self) -> None:
        choice("train", "optimizer", self.optimizer, OPTIMIZERS)
        choice("train", "schedule", self.schedule, SCHEDULES)
        choice("train", "monitor", self.monitor, MONITORS)
        choice("train", "precision", self.precision, PRECISIONS)
        for name, low in (("epochs", 1), ("batch_tokens", 1), ("warmup_steps", 0), ("patience", 0), ("parts", 1),
                          ("evaluate_every", 1), ("save_every_steps", 0), ("save_every_minutes", 0), ("weight_decay", 0),
                          ("clip_norm", 0)):
            between("train", name, getattr(self, name), low)
        require(0 < self.learning_rate < float("inf"), f"`train.learning_rate` must be above 0; got {self.learning_rate!r}.")
        for name, high in (("label_smoothing", 0.9), ("r_drop", 100), ("teacher_forcing", 1), ("ema", 0.99999),
                           ("seed", 2**31 - 1)):
            between("train", name, getattr(self, name), 0, high)


@dataclass(frozen=True)
class Search:
    """How an answer is found; may differ from call to call."""

    beam_size: int = 1  # 1: greedy
    n_best: int = 1  # answers that are given, the best first; the fewer, the sooner they are found
    length_penalty: float = 0.6  # alpha of Wu et al. (2016), eq. 14
    early_stopping: bool = True  # beam search: end where none that goes on would rank if it ended next; false: where none can
    no_repeat_ngram: int = 0  # never say the same n tokens twice; 0: off
    shortlist: int = 0  # answer with the target tokens most likely for each source token, so many, not with all; 0: with all
    analogy: float = 0.0  # what a beam's score gains by each token said as training pairs of like sources say it; 0: off
    max_length: int = 200  # tokens of an answer at most
    max_length_ratio: float = 2.0  # and at most this many times the source's tokens, plus 10
    temperature: float = 0.0  # above 0: sample instead of searching
    top_k: int = 0  # sample among the k likeliest tokens; 0: all
    top_p: float = 1.0  # sample among the likeliest tokens that make up this probability

    def __post_init__(self) -> None:
        for name, low, high in (("beam_size", 1, 100), ("length_penalty", 0, 5), ("no_repeat_ngram", 0, 20),
                                ("shortlist", 0, MOST_LISTED), ("analogy", 0, 100)):
            between("search", name, getattr(self, name), low, high)
        for name, low in (("n_best", 1), ("max_length", 1), ("max_length_ratio", 0), ("temperature", 0), ("top_k", 0)):
            between("search", name, getattr(self, name), low)
        require(self.n_best <= self.beam_size, f"`search.n_best` must be at most `search.beam_size` {self.beam_size}; got "
                f"{self.n_best}. Ask for fewer answers, or widen the beam.")
        require(0 < self.top_p <= 1, f"`search.top_p` must be above 0 and at most 1; got {self.top_p!r}.")
        require(self.temperature == 0 or self.beam_size == 1,
                f"sampling (`search.temperature` {self.temperature:g}) and beam search (`search.beam_size` {self.beam_size}) "
                "exclude each other. Set one of them: temperature 0, or beam_size 1.")


@dataclass(frozen=True)
class Watch:
    """What TensorBoard is shown; changes nothing in what is learnt."""

    every: int = 20  # steps between two points of a training curve
    sentences: int = 10  # dev sentences in the table of translations, the same at each evaluation; 0: no table
    images: bool = True  # attention maps, or the map of context vectors, after evaluations 1, 2, 4, 8 ... and the last
    embeddings: bool = True  # the vocabularies' vectors for the projector, after the first epoch and at the end
    graph: bool = True  # of the training model
    histograms: bool = False  # of every weight and its gradient after each epoch
    profile: tuple[int, ...] = ()  # first and last step to be profiled, such as 10,20

    def __post_init__(self) -> None:
        between("watch", "every", self.every, 1)
        between("watch", "sentences", self.sentences, 0, 100)
        require(not self.profile or len(self.profile) == 2 and 1 <= self.profile[0] <= self.profile[1],
                "`watch.profile` must be the first and the last step to be profiled, such as 10,20; "
                f"got {','.join(map(str, self.profile))}.")


@dataclass(frozen=True)
class Config:
    """The whole configuration of a run; `config.json` in the run directory."""

    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    train: Train = field(default_factory=Train)
    search: Search = field(default_factory=Search)
    watch: Watch = field(default_factory=Watch)
    series: Series = field(default_factory=Series)
    image: Image = field(default_factory=Image)
    audio: Audio = field(default_factory=Audio)

    def set(self, assignments: typing.Iterable[str]) -> Config:
        """Returns a copy with settings changed; an assignment is "section.field=value".

        Raises:
            ValueError: an unknown section or field (with the nearest name), or a value that is not of the field's type.
        """
        changes: dict[str, dict[str, Any]] = {}
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            require(bool(equals), f"a setting is written section.field=value, such as model.units=512; got {assignment!r}.")
            section, field_name, kind = self.find(name.strip())
            changes.setdefault(section, {})[field_name] = parse_value(f"{section}.{field_name}", kind, text.strip())
        return dataclasses.replace(self, **{
            section: dataclasses.replace(getattr(self, section), **fields) for section, fields in changes.items()})

    @classmethod
    def find(cls, name: str) -> tuple[str, str, Any]:
        """Returns section, field and type of a setting named "section.field", or "field" where only one section has it."""
        types = settings()
        matches = [full for full in types if name in (full, full.partition(".")[2])]
        if len(matches) == 1:
            section, _, field_name = matches[0].partition(".")
            return section, field_name, types[matches[0]]
        require(not matches, f"{name!r} is a field of several sections; write {' or '.join(matches)}.")
        near = difflib.get_close_matches(name, types, 1, 0.5) or [
            full for full in types if full.partition(".")[2] in difflib.get_close_matches(
                name.rpartition(".")[2], [n.partition(".")[2] for n in types], 1, 0.5)]
        raise ValueError(f"there is no setting {name!r}." + (f" Did you mean {near[0]}?" if near else "")
                         + " `python train.py --settings` lists them all.")

    def to_json(self) -> str:
        """The configuration as indented JSON, its format number first."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Reads what `to_json` wrote; unknown keys beside the sections (versions, say) are left alone.

        Raises:
            ValueError: not JSON, another format, an unknown setting, a value of the wrong type or out of range.
        """
        try:
            tree = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"the configuration is not JSON: {error}.") from None
        require(isinstance(tree, dict) and tree.get("format") == FORMAT,
                f"the configuration must be of format {FORMAT}; got "
                f"{tree.get('format') if isinstance(tree, dict) else type(tree).__name__!r}. "
                "It was written by another version of keras_s2s: train again, or install that version.")
        sections = _types(cls)
        return cls(**{name: _section(name, kind, tree.get(name, {})) for name, kind in sections.items()})


_types: Callable[[Any], dict[str, Any]] = functools.cache(typing.get_type_hints)  # which compiles annotations anew each time


def settings() -> dict[str, Any]:
    """Every setting's full name, "section.field", and its type."""
    return {f"{section}.{name}": kind for section, cls in _types(Config).items() for name, kind in _types(cls).items()}


def parse_value(name: str, kind: Any, text: str) -> Any:
    """Reads a setting's value from text: a number, true/false, words, or a comma-separated tuple."""
    try:
        if kind is bool:
            return {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}[text.lower()]
        if typing.get_origin(kind) is tuple:
            return tuple(typing.get_args(kind)[0](part) for part in text.split(",") if part)
        return kind(text)
    except (ValueError, KeyError):
        wanted = "true or false" if kind is bool else getattr(kind, "__name__", str(kind))
        raise ValueError(f"`{name}` must be of type {wanted}; got {text!r}.") from None


def _section(name: str, kind: Any, tree: Any) -> Any:
    """Builds one section from its JSON object, checking each value's type."""
    require(isinstance(tree, dict), f"section {name!r} of the configuration must be an object; got {type(tree).__name__}.")
    types = _types(kind)
    values = {}
    for key, value in tree.items():
        require(key in types, f"there is no setting '{name}.{key}' in this version of keras_s2s.")
        if typing.get_origin(types[key]) is tuple:
            element = typing.get_args(types[key])[0]
            fits = isinstance(value, list) and all(type(part) is element for part in value)
            value = tuple(value) if fits else value
        else:
            fits = type(value) is types[key] or (types[key] is float and type(value) is int)
        require(fits, f"`{name}.{key}` must be of type {getattr(types[key], '__name__', types[key])}; got {value!r}.")
        values[key] = value
    return kind(**values)
