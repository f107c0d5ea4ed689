"""The contract of a scoring: what answers are worth against references, and how a person is shown that.

TensorFlow is not needed, so that reports and tables are made without a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from keras_s2s.config import require


class Measured(NamedTuple):
    """What answers are worth."""

    scores: dict[str, float]  # by name, such as bleu
    signatures: dict[str, str]  # how each is made, where that needs saying


class Scoring:
    """How answers of one kind are measured, kept and shown.

    Attributes:
        heads: the scores that are printed and drawn, the most important first -> how they are called.
        also: further ones that the best weights can go by -> how they are called.
        decimals: that are printed of those.
        falling: those of which less is better.
        resampled: of texts, scores that come with bootstrap intervals -> how they are called.
        token: what the loss is of, and in which unit.
        right: what the share "accuracy" is of.
        about: words on scores, for TensorBoard.
    """

    heads: dict[str, str]
    also: dict[str, str] = {}
    decimals = 1
    falling: tuple[str, ...] = ("loss",)
    resampled: dict[str, str] = {}
    unit = "answers"  # what is judged
    counted = "words"  # how long a text is
    edges: tuple[int, ...] = (5, 10, 15, 20, 30)  # of those, between the parts of a set that are scored apart
    token = "Nats for each real token"
    right = "share of the real tokens that are answered right"
    about: dict[str, str] = {}
    perplexity = True  # the loss is in nats, so that e to its power says something

    def watched(self, monitor: str) -> dict[str, str]:
        """The scores that are printed and drawn after an epoch: the one that the best weights go by before the others."""
        return {name: shown for name, shown in (self.also | self.heads).items() if name == monitor} | self.heads

    def chosen(self, total: int, most: int) -> range:
        """Which of so many dev pairs are answered after an epoch."""
        return range(min(total, most))

    def measure(self, answers: Sequence[Any], references: Sequence[Any], sources: Sequence[Any]) -> Measured:
        """Scores answers, as `Target.answers` gives them, against references, as `Rows.raws` gives them."""
        raise NotImplementedError

    def evaluate(self, predictor: Any, rows: Any, train: Any | None, label: str) -> tuple[dict[str, Any], Any]:
        """Answers and scores a whole set.

        Args:
            predictor: a `Predictor`.
            rows: of the set.
            train: rows of the training set, for what needs a comparison with it.
            label: of the bar.

        Returns:
            what metrics.json says of the set, and what of the answers is to be kept.
        """
        raise NotImplementedError

    def keep(self, folder: Path, name: str, done: Any) -> None:
        """Writes what a run made of a set to a file in `folder`."""
        raise NotImplementedError

    def recall(self, folder: Path, name: str) -> Any | None:
        """What `keep` wrote; None where there is nothing, or something else."""
        raise NotImplementedError

    def sources(self, rows: Any) -> Sequence[Any]:
        """The raw sources of a set in the order of what `evaluate` makes of them."""
        return rows.raws(range(len(rows)))[0]

    def judged(self, done: Any) -> Any:
        """What scores are resampled of: a row for each thing that is right or wrong by itself."""
        return done

    def size(self, text: str) -> int:
        """How long a text is."""
        return len(text.split())

    def columns(self, row: dict[str, Any]) -> dict[str, Any]:
        """What a report says of a set, or of a part of it: head -> value."""
        raise NotImplementedError

    def tiles(self, row: dict[str, Any], name: str) -> dict[str, tuple[str, str]]:
        """The most important figures of a set for its report: what it is -> the figure, words below it."""
        raise NotImplementedError

    def table(self, results: dict[str, dict[str, Any]]) -> str:
        """Results by set, as lines for the terminal."""
        raise NotImplementedError

    def line(self, row: dict[str, Any]) -> str:
        """One set's result in a few words."""
        raise NotImplementedError

    def allowed(self, wanted: float, count: int) -> float:
        """How much worse a quantized file may be by the first of the heads, on so many answers."""
        return wanted

    own_rows = False  # runs that are compared answer sets of their own, of which what they share counts; else the first's

    def compare(self, predictors: Sequence[Any], rows: Sequence[Any], labels: Sequence[str]) -> dict[str, Any]:
        """Two runs' answers side by side.

        Args:
            predictors: both.
            rows: the set of each; twice the same unless `own_rows`.
            labels: of the bars.

        Returns:
            {"count": answers compared, "of": what they are, METRIC: {"scores": [a, b], "difference": b - a, "interval": the
            middle 95 % of it, "p_value": how often chance alone makes as much}}
        """
        raise NotImplementedError

    def require_monitor(self, name: str) -> None:
        """Raises ValueError unless the best weights can go by a score of that name."""
        names = ("loss", *self.heads, *self.also)
        require(name in names, f"`train.monitor` must be one of {', '.join(names)} for what this run says; got {name!r}.")

    def require_translations(self) -> None:
        """Raises ValueError where answers cannot be compared word by word."""

    def look(self, sources: Sequence[Any], references: Sequence[Any], answers: Sequence[Any]) -> dict[str, Any] | None:
        """Answers as `overlays.inside` draws them; None where only the model itself has something to show."""
        return None

    def kept(self, done: Any) -> dict[str, Any] | None:
        """The same of what `keep` keeps."""
        return None

    def rows(self, sources: Sequence[Any], references: Sequence[Any], answers: Sequence[Any], wanted: int) -> list[list[str]]:
        """A table of some answers, its head first; empty where they are nothing to read."""
        return []

    def example(self, source: Any, reference: Any, answer: Any) -> str:
        """One answer in a line; "" where it is nothing to read."""
        return ""
