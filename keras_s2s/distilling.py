"""A student learns what its teachers say: sequence-level knowledge distillation (Kim and Rush, 2016, section 3.2).

The teachers, several together as an ensemble, answer every source of the training set with beam search. Their answers are added
to the training set as further pairs: smoother targets than people write, of which a small model learns more.

    data/untaught.tsv    the pairs as they were read
    data/taught.tsv      the same sources with the teachers' answers; grows while they answer, and is gone on with
    data/train.tsv       both
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from keras_s2s.corpora import corpus_of
from keras_s2s.files import write_whole
from keras_s2s.rows import Rows
from keras_s2s.run import Run, RunError
from keras_s2s.terminal import Bar

BEAMS = 5
TOGETHER = 4096  # sources answered between two writes


def require_teachers(config: Any) -> None:
    """Raises RunError where the teachers of a configuration are no runs, or what is read cannot be taught so."""
    teachers = config.data.teacher
    if teachers and not corpus_of(config).textual:
        raise RunError("a teacher answers pairs of texts; this run reads something else. Leave out --teacher.")
    for path in teachers:
        theirs = Run.open(Path(path)).config.data
        for side in ("source", "target"):
            if getattr(theirs, side) != getattr(config.data, side):
                raise RunError(f"a teacher must do what its student learns; the {side} of {path} is {getattr(theirs, side)!r}.")


def distill(run: Run) -> str:
    """Has the teachers answer and adds their pairs to the training set; returns what came of it."""
    untaught, taught, train = run.data / "untaught.tsv", run.data / "taught.tsv", run.file("train")
    if not untaught.exists():
        write_whole(untaught, lambda output: _copy(train, output))
    rows = Rows(untaught)
    done = _answered(taught)
    if done < len(rows):
        _answer(run.config.data.teacher, rows, taught, done)
    said = Rows(taught)
    empty = sum(not target for _, target in said)
    write_whole(train, lambda output: _join(output, untaught, said))
    left = f"; {empty:,} empty answers left out" if empty else ""
    return f"taught by {', '.join(run.config.data.teacher)}: {len(said) - empty:,} pairs more{left}"


def _answer(teachers: Sequence[str], rows: Rows, taught: Path, done: int) -> None:
    """Answers the rows from number `done` on, and writes them down chunk by chunk."""
    from keras_s2s.ensemble import load_together

    predictor = load_together(teachers).with_search(beam_size=BEAMS, temperature=0.0, shortlist=0, analogy=0.0)
    bar = Bar("the teacher answers", len(rows), done, unit=" sources")
    with open(taught, "ab") as file:
        for start in range(done, len(rows), TOGETHER):
            sources = rows.raws(range(start, min(start + TOGETHER, len(rows))))[0]
            answers = predictor.predict(sources, lambda count: bar.advance(by=count))
            lines = (f"{source}\t{' '.join(answer.best.split())}\n" for source, answer in zip(sources, answers))
            file.write("".join(lines).encode())
            file.flush()
    bar.close()


def _answered(taught: Path) -> int:
    """Whole lines there are; what a crash left of a last one is cut off."""
    if not taught.exists():
        return 0
    lines = size = 0
    with open(taught, "r+b") as file:
        for line in file:
            if line.endswith(b"\n"):
                lines, size = lines + 1, size + len(line)
        file.truncate(size)
    return lines


def _copy(path: Path, output: BinaryIO) -> None:
    with open(path, "rb") as file:
        shutil.copyfileobj(file, output)


def _join(output: BinaryIO, untaught: Path, said: Rows) -> None:
    _copy(untaught, output)
    output.writelines(source + b"\t" + target + b"\n" for source, target in said if target)
