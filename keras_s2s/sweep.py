"""A grid of runs into one table: `python train.py --sweep units=128,256 dropout=0.2,0.3`.

Each run lies in a folder of its own below the sweep's, so that `tensorboard --logdir` shows them side by side in its table of
settings and scores. Runs that are finished are not made again; one that fails does not end the others.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_s2s.config import Config, require
from keras_s2s.files import write_whole
from keras_s2s.run import Run
from keras_s2s.scoring import scoring_of
from keras_s2s.terminal import say


def grid(config: Config, ranges: Sequence[str]) -> dict[str, Config]:
    """Every combination of the values, by a name that tells them.

    Args:
        config: what all have in common.
        ranges: such as "units=128,256": a setting and its values.

    Raises:
        ValueError: no such setting, no value, or a combination that cannot be.
    """
    columns: dict[str, list[str]] = {}
    for text in ranges:
        name, sign, values = text.partition("=")
        given = [value for value in values.split(",") if value]
        require(bool(sign and given), f"a range must be written name=value,value such as units=128,256; got {text!r}.")
        section, field, _ = Config.find(name)
        require(f"{section}.{field}" not in columns, f"`{name}` is given twice; write all its values into one range.")
        require(len(set(given)) == len(given), f"a value stands twice in {text!r}; each makes a run of its own.")
        columns[f"{section}.{field}"] = given
    made = {}
    for combination in itertools.product(*columns.values()):
        chosen = dict(zip(columns, combination))
        name = ",".join(f"{full.partition('.')[2]}={value}" for full, value in chosen.items()).replace("/", "-")
        made[name] = config.set(f"{full}={value}" for full, value in chosen.items())
    return made


def sweep(arguments: argparse.Namespace, story: Callable[[Any], Any]) -> int:
    """Makes the runs of the grid, one after the other; returns the exit status: 0 where none failed.

    Args:
        arguments: of train.py; `sweep` holds the ranges, `run` is the folder for all.
        story: makes one run from arguments with `run`, `config` and `resume`.
    """
    import keras

    made, failed = grid(arguments.config, arguments.sweep), {}
    for number, (name, config) in enumerate(made.items(), 1):
        path = arguments.run / name
        if finished(path):
            say(f"run {number} of {len(made)}, {name}: finished before")
            continue
        say(f"\nrun {number} of {len(made)}: {name}")
        one = copy.copy(arguments)
        one.run, one.config, one.resume = path, config, (path / "config.json").exists()
        try:
            story(one)
        except ValueError as error:
            failed[name] = str(error)
            say(f"{name} failed: {error}")
        keras.utils.clear_session()
    conclude(arguments.run, list(made), failed)
    return 1 if failed else 0


def finished(path: Path) -> bool:
    """Whether a run is trained and scored."""
    if not (path / "config.json").exists():
        return False
    run = Run.open(path)
    return all(name in run.metrics() for name in ("training", *run.splits()[1:]))


def conclude(folder: Path, names: Sequence[str], failed: dict[str, str]) -> None:
    """Prints the table of the runs and writes it to sweep.tsv, the best dev BLEU first, and compares them in a page."""
    from keras_s2s import comparison

    rows, scoring = [], None
    for name in names:
        if name in failed or not finished(folder / name):
            continue
        run = Run.open(folder / name)
        found = run.metrics()
        columns = {"run": name}
        scoring = scoring_of(run.config)
        for split in run.splits()[1:]:
            columns |= {f"{split} {label}": f"{found[split][head]:.{scoring.decimals + 1}f}"
                        for head, label in scoring.heads.items()}
        rows.append(columns | {"weights": str(found["training"]["weights"]), "seconds": str(found["training"]["seconds"])})
    if scoring is None:
        return
    head, label = next(iter(scoring.heads.items()))
    rows.sort(key=lambda row: float(row[f"dev {label}"]) * (1 if head in scoring.falling else -1))
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    write_whole(folder / "sweep.tsv", "".join("\t".join(line) + "\n" for line in lines).encode())
    widths = [max(map(len, column)) for column in zip(*lines)]
    say("\n" + "\n".join("  ".join(f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}"
                                   for place, (cell, width) in enumerate(zip(line, widths))) for line in lines))
    say(f"\ntable     {folder / 'sweep.tsv'}")
    if len(rows) > 1:
        with contextlib.suppress(ValueError):  # of runs that cannot be compared word by word
            best = [folder / row["run"] for row in rows]
            say(f"page      {comparison.write(best, folder / 'comparison.html')}")
    say(f"\nnext:\n  tensorboard --logdir {folder}\n  keras-s2s inspect '{folder / rows[0]['run']}'")
