"""report.html: what became of a run, for a person to read; one file, made from the run's folder without the model."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, NamedTuple

from keras_s2s import breakdown, forecast_report, ledger, overlays, plots
from keras_s2s.evaluation import inside, recall
from keras_s2s.files import write_whole
from keras_s2s.ledger import duration
from keras_s2s.page import Html, contents, example, facts, html, page, picture, pictures, section, table, tiles
from keras_s2s.run import Run, RunError
from keras_s2s.scoring import scoring_of
from keras_s2s.scoring.text import Translated

EXAMPLES = 6  # of the best, of the worst, of any
WORDS_OF = 1_000_000  # training sources, evenly spaced, whose words count as known
SEED = 7
WORDS_OF_WHAT = ("source", "reference")


class Finished(NamedTuple):
    """A run with all that its report is made of."""

    run: Run
    metrics: dict[str, Any]  # metrics.json
    sets: dict[str, Any]  # what was kept of each, by name, the one that is looked at closely first

    @property
    def name(self) -> str:
        return self.run.path.resolve().name

    @property
    def history(self) -> list[dict[str, float]]:
        return self.metrics.get("training", {}).get("history", [])


def complete(run: Run) -> bool:
    """Whether the run has scored and kept its translations of every set."""
    return all(name in run.metrics() and recall(run, name) is not None for name in run.splits()[1:])


def gather(path: Path) -> Finished:
    """Reads a run.

    Raises:
        ValueError: not a run, or one that has not been evaluated.
    """
    run = Run.open(path)
    names = run.splits()[2:] + run.splits()[1:2]
    if not names or not complete(run):
        raise RunError(f"{path} has no translations to report on yet. Finish it with: python train.py --run {path} --resume")
    return Finished(run, run.metrics(), {name: done for name in names if (done := recall(run, name))})


def write(path: Path, output: Path | None = None) -> Path:
    """Writes the run's report.html, or to another file; returns its path.

    Raises:
        ValueError: not a run, or not trained yet.
        OSError: the disk cannot take it.
    """
    file = output or path / "report.html"
    write_whole(file, single(gather(path)).encode())
    return file


def single(found: Finished) -> str:
    """The report of one run as HTML."""
    run, name = found.run, next(iter(found.sets))
    first, *others = KINDS.get(run.config.data.target, Texts).sections(found)
    sections = [
        first, section("How it learnt", curves({found.name: found})), *others,
        section("Where the time went", ledger.times(run)),
        section("Data", ledger.data(run)), section("Exports", ledger.exports(run)),
        section("Configuration", ledger.configuration(run), note="What differs from the defaults is marked."),
        section("Versions and sizes", facts({**ledger.versions(run), **ledger.sizes(run)}))]
    return page(f"{found.name}: report", [head(found, name), contents(sections), *sections])


def head(found: Finished, name: str) -> Html:
    """The run's name and its most important figures."""
    training, row, model = found.metrics.get("training", {}), found.metrics[name], found.run.config.model
    kind = f"{model.cell.upper()}, {model.num_layers} layer{'s' * (model.num_layers > 1)} of {model.units}" + (
        ", bidirectional" * model.bidirectional) + (f", {model.attention} attention" if model.attention != "none" else
                                                    ", the context vector alone")
    return Html(f"<header><h1>{html(found.name)}</h1><p class=\"note\">{html(kind)}</p></header>") + tiles({
        **{what: Html(f"{figure}<small>{words}</small>") for what, (figure, words) in
           scoring_of(found.run.config).tiles(row, name).items()},
        "trained": Html(f"{duration(training.get('seconds', 0))}<small>{training.get('epochs', 0)} epochs, "
                        f"{training.get('steps', 0):,} steps</small>"),
        "weights": Html(f"{training.get('weights', 0):,}<small>best after epoch {training.get('best_epoch', '?')}</small>")})


class Texts:
    """What only a report on translations has."""

    @staticmethod
    def sections(found: Finished) -> list[Html]:
        """Scores first, then what follows the curves."""
        (name, done), kept = next(iter(found.sets.items())), inside(found.run)
        scoring, side = scoring_of(found.run.config), WORDS_OF_WHAT[found.run.rows(name).words_of]
        return [
            section("Scores", scores(found)),
            section("Where it is good, and where not", parts(found.run, done),
                    note=f"On {name}, by {scoring.counted} of the {side}. Lines are 95 % intervals of {breakdown.SAMPLES} "
                         f"bootstrap samples; parts of fewer than {breakdown.FEWEST} {scoring.unit} are left out."),
            section("Translations", *examples(done), note="Words that are not in the reference are dotted; words of the "
                    "reference that the translation does not have are underlined."),
            section("Inside the model", within(kept), note="Where the decoder looks (across) while it says each piece of its "
                    "translation (down)." if kept and kept["kind"] == "attention" else "")]


KINDS: dict[str, Any] = {"series": forecast_report}  # what a report says of a kind of target


def scores(found: Finished) -> Html:
    """Every set's scores, and how they are made."""
    columns, rows = scoring_of(found.run.config).columns, []
    for name in found.run.splits()[1:]:
        row = found.metrics[name]
        for label, part in ((name, row), ("source not in training", row.get("unseen"))):
            if part:
                rows.append({"set": label, **columns(part)})
    return table(tuple(rows[0]), [tuple(row.values()) for row in rows]) + signatures(found)


def signatures(found: Finished) -> Html:
    """How the scores are made, so that others can make the same."""
    recipes = found.metrics[next(iter(found.sets))]["signatures"].values()
    return Html("".join(f'<p class="note"><code>{html(recipe)}</code></p>' for recipe in recipes))


def curves(found: dict[str, Finished]) -> Html:
    """Loss, scores, accuracy and speed by epoch, of one run or several."""
    def lines(*names: tuple[str, str]) -> dict[str, Any]:
        drawn = {}
        for run, one in found.items():
            for key, label in names:
                points = [(entry["epoch"], entry[key]) for entry in one.history if key in entry]
                if points:
                    shown = label if len(found) == 1 else run if len(names) == 1 else f"{run}, {label}"
                    drawn[shown] = tuple(zip(*points))
        return drawn

    config = next(iter(found.values())).run.config
    scoring = scoring_of(config)
    heads = list(scoring.watched(config.train.monitor).items())[:None if len(found) == 1 else 1]
    kinds = [("loss", f"Loss: {scoring.token[0].lower()}{scoring.token[1:]}", [("loss", "training"), ("dev_loss", "dev")]
              if len(found) == 1 else [("dev_loss", "dev")]),
             # A picture each: BLEU goes to 100, CIDEr to 10.
             *((name, f"{label} of the dev set", [(f"dev_{name}", "dev")]) for name, label in heads),
             ("accuracy", f"Of the dev set the {scoring.right}, with teacher forcing", [("dev_accuracy", "dev")]),
             ("speed", "Target tokens a second", [("tokens_per_second", "speed")])]
    return pictures(*(picture(plots.curves(drawn, "epoch", 0 if name == "speed" else None), name, title, told(drawn))
                      for name, title, names in kinds if (drawn := lines(*names))))


def told(drawn: dict[str, Any]) -> str:
    """Curves in words."""
    return " ".join(f"{name}: {ys[0]:.4g} in epoch {xs[0]:.0f}, {ys[-1]:.4g} in epoch {xs[-1]:.0f}; lowest {min(ys):.4g}, "
                    f"highest {max(ys):.4g}." for name, (xs, ys) in drawn.items())


def parts(run: Run, done: Translated) -> Html:
    """Scores by source length and by unseen words, and how the lengths of translations compare."""
    train, scoring = run.rows("train"), scoring_of(run.config)
    done, wanted = scoring.judged(done), scoring.resampled
    every = -(-len(train) // WORDS_OF)
    words_of = train.words_of
    what, texts = WORDS_OF_WHAT[words_of], (done.sources, done.references)[words_of]
    known = breakdown.known_words(train[i][words_of].decode() for i in range(0, len(train), every))
    sizes, said_and_right = [scoring.size(text) for text in texts], (done.references, done.hypotheses)
    drawn = []
    for name, title, x, rows in (
            ("length", f"By {scoring.counted} of the {what}", f"{scoring.counted} of the {what}",
             breakdown.by_length(sizes, scoring.edges, *said_and_right, [*wanted])),
            ("unseen", f"By words of the {what} that training never met", "unseen words",
             breakdown.by_unseen(texts, *said_and_right, known, [*wanted]))):
        if len(rows) > 1:
            names = [f"{row.name}\n({row.sentences:,})" for row in rows]
            said = "; ".join(f"{row.name}: {row.sentences} sentences, " + ", ".join(
                f"{label} {ranged(row.scores[metric])}" for metric, label in wanted.items()) for row in rows)
            values = {label: [row.scores[metric] for row in rows] for metric, label in wanted.items()}
            drawn.append(picture(plots.intervals(names, values, f"{x} ({scoring.unit})", ""), f"by-{name}", title, said))
    ratios = breakdown.length_ratios(done.references, done.hypotheses)
    edges = [i / 10 for i in range(0, 26)]
    middle = sum(0.8 <= ratio <= 1.25 for ratio in ratios) / len(ratios)
    said = (f"{100 * middle:.0f} % of the translations are between 0.8 and 1.25 times as long as their reference; "
            f"{100 * sum(ratio < 0.8 for ratio in ratios) / len(ratios):.0f} % are shorter.")
    drawn.append(picture(plots.histogram(ratios, edges, "characters of the translation for each of the reference",
                                         "sentences", 1.0), "ratio", f"Length ratio: {said}", said))
    return pictures(*drawn)


def ranged(value: tuple[float, float, float]) -> str:
    """A value and its interval in words."""
    return f"{value[0]:.1f} ({value[1]:.1f} to {value[2]:.1f})"


def examples(done: Translated) -> list[Html]:
    """The best, the worst and some random translations."""
    values = breakdown.sentence_scores(done.references, done.hypotheses)
    long = [i for i in range(len(values)) if len(done.sources[i].split()) >= 4] or list(range(len(values)))
    ordered = sorted(long, key=lambda i: (values[i], len(done.references[i])))
    chosen = {"The best": ordered[::-1][:EXAMPLES], "The worst": ordered[:EXAMPLES],
              "At random": random.Random(SEED).sample(range(len(values)), min(EXAMPLES, len(values)))}
    return [Html(f"<h3>{title}</h3>") + Html("".join(
        example(done.sources[i], done.references[i], {"translation": done.hypotheses[i]}, {"translation": values[i]})
        for i in rows)) for title, rows in chosen.items()]


def within(found: dict[str, Any] | None) -> Html:
    """Attention maps, or the map of context vectors."""
    if not found:
        return Html("")
    drawn = overlays.inside(found)
    if found["kind"] == "context":
        share = f"{100 * found['explained']:.0f} %"
        title = (f"Context vectors of {len(found['points'])} sentences in two dimensions (PCA, {share} of their variance). "
                 "Each colour joins a sentence and its nearest neighbour.")
        said = "; ".join(f"“{found['labels'][i]}” is nearest to “{found['labels'][j]}”" for i, j in found["pairs"])
        return pictures(picture(drawn[0], "context", title, said, wide=True))
    titles = (spelt(one["target"]) if "picture" in one else f"{spelt(one['source'])}  \u2192  {spelt(one['target'])}"
              for one in found["maps"])
    return pictures(*(picture(figure, f"attention-{number}", title, strongest(one))
                      for number, (figure, title, one) in enumerate(zip(drawn, titles, found["maps"]), 1)))


def spelt(pieces: list[str]) -> str:
    """The text that pieces make up."""
    return "".join(piece for piece in pieces if piece != "<eos>").replace("▁", " ").strip()


def strongest(one: dict[str, Any]) -> str:
    """An attention map in words."""
    pairs = (f"{piece} looks at {one['source'][max(range(len(row)), key=row.__getitem__)]}"
             for piece, row in zip(one["target"], one["weights"]))
    return "; ".join(pairs).replace("▁", "_")
