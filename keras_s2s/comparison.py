"""Several runs on one page: their scores on the sets they share, whether the differences are more than chance, and where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_s2s import breakdown, metrics
from keras_s2s.config import Config, settings
from keras_s2s.files import write_whole
from keras_s2s.page import Html, contents, example, html, page, picture, pictures, section, table
from keras_s2s.plots import intervals
from keras_s2s.report import Finished, curves, duration, gather, signatures
from keras_s2s.scoring import Scoring, scoring_of
from keras_s2s.scoring.text import Translated

EXAMPLES = 8  # sentences on which the runs differ most
ALSO = {"exact_match": "exact %", "repetition_rate": "repeats %"}  # without intervals


def write(paths: Sequence[Path], file: Path) -> Path:
    """Writes the comparison of runs, the first being what the others are held against; returns its path.

    Raises:
        ValueError: one is not an evaluated run, or they share no set.
        OSError: the disk cannot take it.
    """
    runs = [gather(path) for path in paths]
    for one in runs:
        scoring_of(one.run.config).require_translations()
    found = named(runs)
    shared = shared_sets(found)
    if not shared:
        raise ValueError("runs must share a set to be compared; each of these was scored on other pairs. Compare two with: "
                         f"keras-s2s compare {paths[0]} {paths[1]} --data FILE")
    first, scoring = shared[0], scoring_of(runs[0].run.config)
    sections = [section("Scores", *(scores(found, name, scoring) for name in shared), signatures(next(iter(found.values()))),
                        note="The difference is to the first run; p is how often chance alone makes one as large (paired "
                             "bootstrap)."),
                section("How they learnt", curves(found)),
                section("Where they differ", parts(found, first, scoring),
                        note=f"{leading(scoring)[1]} on {first} with 95 % intervals."),
                section("Translations", Html("".join(examples(found, first))),
                        note="Those whose scores lie farthest apart. Words that are not in the reference are dotted."),
                section("Settings that differ", differing(found)), section("Training", training(found))]
    head = Html(f"<header><h1>{html(' / '.join(found))}</h1><p class=\"note\">{len(found)} runs compared</p></header>")
    write_whole(file, page("Runs compared: " + ", ".join(found), [head, contents(sections), *sections]).encode())
    return file


def named(runs: Sequence[Finished]) -> dict[str, Finished]:
    """Runs by name; by as much of their path as it takes to tell them apart."""
    paths = [one.run.path.resolve().parts for one in runs]
    for depth in range(1, max(map(len, paths)) + 1):
        names = ["/".join(path[-depth:]) for path in paths]
        if len(set(names)) == len(runs):
            return dict(zip(names, runs))
    raise ValueError(f"a run is compared with itself: {runs[0].run.path}. Name different runs.")


def shared_sets(found: dict[str, Finished]) -> list[str]:
    """Sets that all runs have translated, source for source and reference for reference."""
    runs = list(found.values())
    return [name for name, done in runs[0].sets.items() if all(
        name in one.sets and one.sets[name][:2] == done[:2] for one in runs[1:])]


def leading(scoring: Scoring) -> tuple[str, str]:
    """The score that runs are first compared by, and how it is called."""
    return next(iter(scoring.resampled.items()))


def scores(found: dict[str, Finished], name: str, scoring: Scoring) -> Html:
    """A line for each run, with its difference from the first."""
    judged = {run: scoring.judged(one.sets[name]) for run, one in found.items()}
    first: Translated = next(iter(judged.values()))
    rows, also = [], {head: label for head, label in ALSO.items() if head not in scoring.resampled}
    for run, done in judged.items():
        row, cells = found[run].metrics[name], list[Any]()
        for metric in scoring.resampled:
            _, low, high = breakdown.scored(done.hypotheses, done.references, metric)
            cells += [row[metric], f"{low:.1f} to {high:.1f}", "" if done is first else against(metrics.paired_bootstrap(
                first.hypotheses, done.hypotheses, done.references, metric, breakdown.SAMPLES))]
        rows.append((run, *cells, *(row[head] for head in also)))
    heads = [head for label in scoring.resampled.values() for head in (label, "95 %", "difference")]
    return table(("run", *heads, *also.values()), rows, f"{name}, {len(first.sources):,} {scoring.unit}")


def against(compared: metrics.Comparison) -> str:
    """A difference, and whether it may be chance."""
    return f"{compared.difference:+.1f} (p {compared.p_value:.3f})"


def parts(found: dict[str, Finished], name: str, scoring: Scoring) -> Html:
    """The leading score by source length, run beside run."""
    metric, label = leading(scoring)
    judged = {run: scoring.judged(one.sets[name]) for run, one in found.items()}
    rows = {run: breakdown.by_length([scoring.size(source) for source in done.sources], scoring.edges, done.references,
                                     done.hypotheses, [metric]) for run, done in judged.items()}
    first = next(iter(rows.values()))
    if len(first) < 2:
        return Html("")
    said = "; ".join(f"{run}, {part.name} {scoring.counted}: {label} {part.scores[metric][0]:.1f}"
                     for run, row in rows.items() for part in row)
    values = {run: [part.scores[metric] for part in row] for run, row in rows.items()}
    drawn = intervals([f"{part.name}\n({part.sentences:,})" for part in first], values,
                      f"{scoring.counted} of the source ({scoring.unit})", "")
    return pictures(picture(drawn, "by-length", f"{label} by {scoring.counted} of the source", said))


def examples(found: dict[str, Finished], name: str) -> list[Html]:
    """The sentences whose chrF differs most between the runs."""
    done = {run: one.sets[name] for run, one in found.items()}
    values = {run: breakdown.sentence_scores(one.references, one.hypotheses) for run, one in done.items()}
    first = next(iter(done.values()))
    spans = [max(column) - min(column) for column in zip(*values.values())]
    chosen = [i for i in sorted(range(len(spans)), key=lambda i: -spans[i])[:EXAMPLES] if spans[i] > 0]
    return [example(first.sources[i], first.references[i], {run: one.hypotheses[i] for run, one in done.items()},
                    {run: values[run][i] for run in done}) for i in chosen]


def differing(found: dict[str, Finished]) -> Html:
    """Settings in which the runs are not alike."""
    def value(config: Config, full: str) -> str:
        section_name, _, name = full.partition(".")
        value = getattr(getattr(config, section_name), name)
        return ", ".join(Path(str(part)).name for part in value) or "\u2014" if isinstance(value, tuple) else str(value)

    rows = [(full, *(value(one.run.config, full) for one in found.values())) for full in settings()]
    return table(("setting", *found), [row for row in rows if len(set(row[1:])) > 1])


def training(found: dict[str, Finished]) -> Html:
    """What each run took."""
    told = [(run, one.metrics.get("training", {})) for run, one in found.items()]
    return table(("run", "weights", "epochs", "best epoch", "steps", "time"), [
        (run, row.get("weights", 0), row.get("epochs", 0), row.get("best_epoch", 0), row.get("steps", 0),
         duration(row.get("seconds", 0.0))) for run, row in told])
