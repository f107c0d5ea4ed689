"""Text <-> tokens, in-graph: SentencePiece, characters, words, bytes.

A tokenizer turns strings [B] into ragged tokens [B, None] and back without a Python step, so the same ops run in tf.data,
in the Predictor and in the SavedModel. Detokenising what was tokenised gives the text back exactly, but for tokens that
the vocabulary does not hold (`<unk>`: characters and words only; SentencePiece and bytes spell anything out). Texts are
normalised: none holds U+2581, which is how a vocabulary writes a space.
"""

from __future__ import annotations

import collections
import hashlib
import io
import itertools
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_s2s.config import require
from keras_s2s.files import write_whole
from keras_s2s.terminal import quiet

PAD, UNK, BOS, EOS = range(4)
SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
SPACE = "▁"  # how SentencePiece, and so every table of pieces here, writes a space
FEW = 1_000  # words; where there are more, those that stand in the corpus once are left out, so that `<unk>` is learnt
WORD = r" ?(?:[\p{L}\p{M}\p{N}'’\x{200C}\x{200D}]+|[^\s])"  # RE2: a run of letters or one other sign, and the space before it


class Tokenizer:
    """What all tokenizers share: a table of pieces, PAD UNK BOS EOS = 0 1 2 3 first.

    Args:
        pieces: the label of each token; a space is written "▁".

    Attributes:
        suffix: of its file in the run's assets/.
        open_vocabulary: True where any text can be spelt, so that UNK is never needed.
        whole_words: True where a token is a word, so that one the vocabulary lacks can be copied from the source.
    """

    suffix = ".vocabulary.txt"
    open_vocabulary = False
    whole_words = False

    def __init__(self, pieces: list[str]):
        require(tuple(pieces[:4]) == SPECIALS, f"a vocabulary must begin with {' '.join(SPECIALS)}; got {pieces[:4]}.")
        self.pieces = pieces

    @property
    def vocabulary_size(self) -> int:
        return len(self.pieces)

    def spaces(self) -> tuple[np.ndarray, np.ndarray]:
        """Which tokens begin with a space, and which are nothing but spaces: [V] bool each."""
        return (np.array([piece.startswith(SPACE) for piece in self.pieces]),
                np.array([piece != "" and not piece.strip(SPACE) for piece in self.pieces]))

    @property
    def resources(self) -> list[Any]:
        """What a SavedModel must carry."""
        return []

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Strings [B] -> tokens [B, None] int32, without BOS and EOS."""
        raise NotImplementedError

    def detokenize(self, tokens: tf.RaggedTensor, copied: tf.RaggedTensor | None = None) -> tf.Tensor:
        """Tokens [B, None] int32 -> strings [B]. Where tokens are whole words, each UNK becomes its string of `copied`."""
        raise NotImplementedError

    def words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Strings [B] -> what each token stands for [B, None], known or not; only where `whole_words`."""
        raise ValueError("only whole words can be copied from source to target; these tokens are parts of words.")

    def to_bytes(self) -> bytes:
        """The file that `load` reads."""
        return "".join(piece + "\n" for piece in self.pieces).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Tokenizer:
        """Reads what `to_bytes` wrote."""
        return cls(content.decode().split("\n")[:-1])

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
        """Learns the vocabulary from normalised texts; `vocabulary_size` 0 lets the corpus decide."""
        raise NotImplementedError


class SentencePiece(Tokenizer):
    """Unigram subwords with byte fallback (Kudo, 2018): never an `<unk>`; tensorflow-text runs it in-graph."""

    suffix = ".model"
    open_vocabulary = True

    def __init__(self, model: bytes):
        import sentencepiece

        sentencepiece.set_min_log_level(2)
        self.model = model
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        super().__init__([self.processor.id_to_piece(i) for i in range(self.processor.get_piece_size())])
        with quiet():  # its C++ reports at each load that there is no normalisation: as we want it
            self._in_graph = _in_graph(model)

    @property
    def resources(self) -> list[Any]:
        return [self._in_graph]

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return self._in_graph.tokenize(texts)

    def detokenize(self, tokens: tf.RaggedTensor, copied: tf.RaggedTensor | None = None) -> tf.Tensor:
        return self._in_graph.detokenize(tf.cast(tokens, tf.int32))

    def to_bytes(self) -> bytes:
        return self.model

    @classmethod
    def from_bytes(cls, content: bytes) -> SentencePiece:
        return cls(content)

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary_size: int) -> SentencePiece:
        import sentencepiece

        sentencepiece.set_min_log_level(2)
        texts = list(texts)
        # A word that is always followed by a space is never tried as a piece, unless it also ends a text: so each does once.
        words = sorted(set().union(*(text.split() for text in texts)))
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=itertools.chain(texts, words), model_writer=model, model_type="unigram",
                vocab_size=vocabulary_size or suitable_size(len(texts), len(set().union(*texts))),
                hard_vocab_limit=bool(vocabulary_size), normalization_rule_name="identity", byte_fallback=True,
                character_coverage=0.9995, required_chars=SPACE, num_threads=2,
                pad_id=PAD, unk_id=UNK, bos_id=BOS, eos_id=EOS, max_sentence_length=1 << 24, minloglevel=2,
                pad_piece=SPECIALS[PAD], unk_piece=SPECIALS[UNK], bos_piece=SPECIALS[BOS], eos_piece=SPECIALS[EOS])
        except RuntimeError as error:
            raise ValueError(f"a SentencePiece vocabulary of {vocabulary_size or 'a size chosen for you'} pieces cannot be "
                             f"made from {len(texts)} sentences: {_plain(error)} Set another "
                             "data.source_vocabulary_size / data.target_vocabulary_size, or 0 to have it chosen.") from None
        return cls(model.getvalue())


def _in_graph(model: bytes) -> Any:
    """tensorflow-text's tokenizer of a SentencePiece model, which stays for as long as the process.

    As tensorflow-text makes it, its C++ side ends with the kernel that made it: `tf.random.set_seed`, which empties the
    cache of kernels, breaks every tokenizer and every function traced with one. A name that goes by the content keeps it, and
    is right for all tokenizers of that model, those of SavedModels among them.
    """
    from tensorflow_text.python.ops import sentencepiece_tokenizer as text

    class Model(text._SentencepieceModelResource):
        def _create_resource(self):
            name = f"sentencepiece_{hashlib.sha256(model).hexdigest()}"
            return text.gen_sentencepiece_tokenizer.sentencepiece_op(model=model, shared_name=name)

    tokenizer = text.SentencepieceTokenizer(model=model, out_type=tf.int32)
    tokenizer._model_resource = Model(model, None)
    return tokenizer


def _plain(error: RuntimeError) -> str:
    """SentencePiece's message without its source file, line and failed condition."""
    return str(error).rpartition("] ")[2].strip() or "the text is too small."


def suitable_size(sentences: int, characters: int) -> int:
    """A vocabulary size for a corpus: about 2,000 pieces for 30 k sentences, growing with the root; 400 to 16,000.

    Never fewer than the specials and bytes, each of so many different characters, and as many pieces of several.
    """
    return max(400, 260 + 2 * characters, min(16_000, round(12 * sentences**0.5)))


class TableTokenizer(Tokenizer):
    """Tokens are looked up in a table of known strings; subclasses say how a text is cut."""

    def __init__(self, pieces: list[str]):
        super().__init__(pieces)
        strings = tf.constant([piece.replace(SPACE, " ").encode() for piece in pieces])
        self._ids = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(strings[4:], tf.range(4, len(pieces), dtype=tf.int32)), UNK)
        self._strings = tf.concat([["", SPECIALS[UNK], "", ""], strings[4:]], axis=0)

    @staticmethod
    def split(texts: tf.Tensor) -> tf.RaggedTensor:
        """Strings [B] -> the strings of their tokens [B, None]; joined they are the text."""
        raise NotImplementedError

    @property
    def resources(self) -> list[Any]:
        return [self._ids]

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        parts = self.split(texts)
        return parts.with_flat_values(self._ids.lookup(parts.flat_values))

    def detokenize(self, tokens: tf.RaggedTensor, copied: tf.RaggedTensor | None = None) -> tf.Tensor:
        strings = tf.gather(self._strings, tokens.flat_values)
        if copied is not None:
            strings = tf.where(tokens.flat_values == UNK, copied.flat_values, strings)
        return self.join(tokens.with_flat_values(strings))

    @staticmethod
    def join(parts: tf.RaggedTensor) -> tf.Tensor:
        """Strings of tokens [B, None] -> texts [B]."""
        return tf.strings.strip(tf.strings.reduce_join(parts, axis=1))

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary_size: int) -> TableTokenizer:
        counts: collections.Counter[bytes] = collections.Counter()
        for chunk in _chunks(texts):
            counts.update(cls.split(tf.constant(chunk)).flat_values.numpy().tolist())
        words = sorted(counts, key=lambda word: (-counts[word], word))
        often = sum(count > 1 for count in counts.values()) if cls.whole_words and len(words) > FEW else len(words)
        size = vocabulary_size or min(often + 4, cls.most)
        require(size <= len(words) + 4, f"a vocabulary of {size} was asked for, but the text has only {len(words)} different "
                f"tokens and 4 special ones. Set a vocabulary size of at most {len(words) + 4}, or 0 to have it chosen.")
        return cls([*SPECIALS, *(word.decode().replace(" ", SPACE) for word in words[:size - 4])])

    most = 4_000  # pieces, where the size is left to the corpus


class Characters(TableTokenizer):
    """One token for each Unicode character."""

    @staticmethod
    def split(texts: tf.Tensor) -> tf.RaggedTensor:
        return tf.strings.unicode_split(texts, "UTF-8")


class Words(TableTokenizer):
    """Whole words and single punctuation signs, each with the space before it, so that joining gives the text back."""

    most = 16_000
    whole_words = True

    def words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return self.split(texts)

    def spaces(self) -> tuple[np.ndarray, np.ndarray]:
        begins, blank = super().spaces()
        begins[UNK] = True  # a word that is not known is a word
        return begins, blank

    @staticmethod
    def split(texts: tf.Tensor) -> tf.RaggedTensor:
        marked = tf.strings.regex_replace(tf.strings.join([" ", texts]), f"({WORD})", "\\1\x1f")
        parts = tf.strings.split(marked, "\x1f")
        return tf.ragged.boolean_mask(parts, tf.strings.strip(parts) != "")


class Bytes(Tokenizer):
    """One token for each byte of the UTF-8 text: no vocabulary to learn, nothing unknown."""

    open_vocabulary = True

    def __init__(self, pieces: list[str] | None = None):
        super().__init__([*SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256))] if pieces is None else pieces)
        self._strings = tf.constant([b""] * 4 + [bytes([byte]) for byte in range(256)])

    def spaces(self) -> tuple[np.ndarray, np.ndarray]:
        space = np.arange(self.vocabulary_size) == len(SPECIALS) + ord(" ")
        return space, space

    def tokenize(self, texts: tf.Tensor) -> tf.RaggedTensor:
        parts = tf.strings.bytes_split(texts)
        return parts.with_flat_values(tf.reshape(tf.cast(tf.io.decode_raw(parts.flat_values, tf.uint8), tf.int32), [-1]) + 4)

    def detokenize(self, tokens: tf.RaggedTensor, copied: tf.RaggedTensor | None = None) -> tf.Tensor:
        joined = tf.strings.reduce_join(tokens.with_flat_values(tf.gather(self._strings, tokens.flat_values)), axis=1)
        return tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8", errors="replace")

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary_size: int) -> Bytes:
        require(vocabulary_size in (0, 260), f"the vocabulary of bytes is 260 tokens; got a size of {vocabulary_size}. "
                "Leave it at 0.")
        return cls()


TOKENIZERS: dict[str, type[Tokenizer]] = {
    "sentencepiece": SentencePiece, "characters": Characters, "words": Words, "bytes": Bytes}


def _chunks(texts: Iterable[str], size: int = 4096) -> Iterator[list[str]]:
    iterator = iter(texts)
    while chunk := list(islice(iterator, size)):
        yield chunk


def save(tokenizer: Tokenizer, folder: Path, name: str) -> None:
    """Writes a tokenizer to `folder` as source.model, target.vocabulary.txt or the like."""
    write_whole(folder / f"{name}{tokenizer.suffix}", tokenizer.to_bytes())


def load(kind: str, folder: Path, name: str) -> Tokenizer:
    """Reads a tokenizer that `save` wrote.

    Raises:
        ValueError: the file is missing or damaged.
    """
    path = folder / f"{name}{TOKENIZERS[kind].suffix}"
    try:
        return TOKENIZERS[kind].from_bytes(path.read_bytes())
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"the {name} vocabulary {path} cannot be read: {error}. "
                         "Copy the whole run directory again, or train again.") from None
