"""How good the presets are on real data, beside published figures; and what each option gives, by dev score alone.

    python -m tests.benchmarks.quality hvg FOLDER --seeds 1 2 3       Hindi Visual Genome 1.1: train.tsv, dev.tsv, test.tsv
    python -m tests.benchmarks.quality dakshina FOLDER                Dakshina's Hindi lexicon, Latin first: train.tsv, dev.tsv
    python -m tests.benchmarks.quality dakshina FOLDER --text hvg.tsv the words of a Hindi text as well, back-translated
    python -m tests.benchmarks.quality cmudict FOLDER --peers PEERS   CMUdict, the g014b2b split: train.tsv; beside Phonetisaurus
    python -m tests.benchmarks.quality cmudict FOLDER --text words.txt --seeds 1 2   words of a list as well, as both seeds' runs say them
    python -m tests.benchmarks.quality hvg FOLDER --ablate --epochs 8 one change of the preset at a time
    python -m tests.benchmarks.quality hvg FOLDER --search --seeds 1 2 3  beams and length penalties, each run alone and all together

The test set is looked at once a run, and never by --ablate and --search. Dakshina's test part is not at hand, so its dev part is the test set
here, and about 1,000 pairs of train are held out to choose by: all words that begin with the same six letters. So they have as much in
common with the others as the dev part has: 52 % four letters (there 50 %), 14 % their spelling (11 %). Of CMUdict 2,670 words are held
out to choose by and 2,670 to test.
Runs stay in --runs and are gone on with, not made again. What the machine did beside is printed as its load.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_s2s.run import Run
from tests.benchmarks import peers, phonetisaurus

ROOT = Path(__file__).resolve().parents[2]
TESTED = "import train, sys; sys.exit(train.main())"
USED = "import sys; from keras_s2s.cli import main; sys.exit(main())"
LEARNT = "import train; from keras_s2s import cli; train.learn(cli.training_arguments())"
SPLITS = {  # of a train.tsv: what of a row (source, target) must not be on two sides, and how many such are held out
    "cmudict": (lambda row: row[0], {"dev": 2670, "test": 2670}),
    "dakshina": (lambda row: row[1][:6], {"dev": 560}),
}


class Task(NamedTuple):
    """A set with its preset and its measure."""

    preset: str
    score: str  # of metrics.json
    error: bool  # 100 minus the score is what papers give
    measure: str
    published: str


TASKS = {
    "hvg": Task("attention", "bleu", False, "BLEU 13a", "34.2 BiLSTM + attention; 40.6 WAT 2019, with pictures; 42.5 WAT 2021, "
                "pre-trained, with further data"),
    "dakshina": Task("transliteration", "exact_match", False, "top-1 %", "42.1 LSTM + attention (test part); 60.6 IndicXlit, "
                     "26 M pairs"),
    "cmudict": Task("g2p", "exact_match", True, "WER %", "22.2 LSTM; 20.6 Transformer; 20.2 ensemble (test part)"),
}
CHANGES = {  # of a preset, one at a time
    "as the preset": "", "GRU": "model.cell=gru", "no attention": "model.attention=none",
    "Luong's attention, unscaled": "model.attention=luong", "Bahdanau's attention": "model.attention=bahdanau",
    "one way": "model.bidirectional=false",
    "one way, source reversed": "model.bidirectional=false model.reverse_source=true",
    "no subword sampling": "data.subword_sampling=0", "vocabularies of 1,000": "data.source_vocabulary_size=1000 "
    "data.target_vocabulary_size=1000", "vocabularies of 4,000": "data.source_vocabulary_size=4000 data.target_vocabulary_size=4000",
    "dropout 0.2": "model.dropout=0.2", "dropout 0.4": "model.dropout=0.4", "input dropout 0.1": "model.input_dropout=0.1",
    "word dropout 0.1": "model.word_dropout=0.1", "recurrent dropout 0.2": "model.recurrent_dropout=0.2",
    "no label smoothing": "train.label_smoothing=0", "tied embeddings": "model.tied_embeddings=true",
    "128 units": "model.units=128", "512 units": "model.units=512", "2 layers": "model.num_layers=2",
    "2 layers, attention between": "model.num_layers=2 model.attention_layer=1",
    "2 layers, residual": "model.num_layers=2 model.residual_from=2",
    "2 layers, residual, attention between": "model.num_layers=2 model.residual_from=2 model.attention_layer=1",
    "scheduled sampling 0.9": "train.teacher_forcing=0.9", "inverse square root": "train.schedule=inverse_sqrt",
    "batches of 2,048": "train.batch_tokens=2048", "weights averaged": "train.ema=0.99", "weights averaged longer": "train.ema=0.999",
    "R-Drop": "train.r_drop=1",
}
SEARCHES = {  # beam size and length penalty
    "greedy": (1, 0.6), "beam 2": (2, 0.6), "beam 5": (5, 0.6), "beam 10": (10, 0.6), "beam 5, length penalty 0": (5, 0.0),
    "beam 5, length penalty 0.3": (5, 0.3), "beam 5, length penalty 1": (5, 1.0), "beam 5, length penalty 1.5": (5, 1.5),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/quality"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--ablate", nargs="*", metavar="CHANGE", help=f"all, or some of: {'; '.join(CHANGES)}")
    parser.add_argument("--search", action="store_true", help="ways to search with the runs of --seeds, which are there, on dev")
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--text", type=Path, nargs="+", default=[], metavar="FILE", help="words of these texts that training lacks are "
                        "learnt too: dakshina's, put into Latin letters by a model of the other direction; cmudict's, as its runs without "
                        "them pronounce them together")
    parser.add_argument("--teachers", type=int, nargs="+", metavar="SEED", help="of those runs of cmudict; --seeds if not given")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="for Phonetisaurus' own environment: cmudict on the same split")
    arguments = parser.parse_args()
    if arguments.text and arguments.task not in WORDS:
        parser.error(f"--text is of {' and '.join(WORDS)}, whose pairs are words; got {arguments.task}.")
    if not (arguments.folder / "train.tsv").is_file():
        print(f"there is no {arguments.folder / 'train.tsv'}; the first lines of this file say which data it is")
        return 1
    arguments.runs = arguments.runs.resolve()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    settings = [*arguments.set, *([f"train.epochs={arguments.epochs}"] if arguments.epochs else [])]
    what = searched if arguments.search else ablate if arguments.ablate is not None else headline
    what(arguments, TASKS[arguments.task], settings)
    return 0


def headline(arguments: argparse.Namespace, task: Task, settings: Sequence[str]) -> None:
    """The preset, seed after seed, on the test set."""
    print(f"{arguments.task}, preset {task.preset}, {task.measure}; published: {task.published}")
    if arguments.peers and arguments.task == "cmudict":
        beside(arguments)
    found, rows = [], dict[str, dict]()
    for seed in arguments.seeds:
        run = arguments.runs / f"{arguments.task}{text_label(arguments)}-{seed}"
        metrics = trained(run, arguments, task, [*settings, f"train.seed={seed}"], True)
        rows = {"greedy": evaluated(run, "test", 1), "beam 5": evaluated(run, "test", 5)}
        if Run.open(run).config.search.analogy:
            rows["beam 5, the model alone"] = evaluated(run, "test", 5, alone=True)
        found.append([shown(task, part[task.score]) for row in rows.values() for part in (row, row.get("unseen", row))])
        training = metrics["training"]
        print(f"seed {seed}: " + "; ".join(f"{name} {value:.2f}, sources not in training {unseen:.2f}" for name, value, unseen in
                                           zip(rows, found[-1][::2], found[-1][1::2]))
              + f"; {training['weights']:,} weights, {training['seconds'] / 60:.1f} min, load {os.getloadavg()[0]:.1f}", flush=True)
    if len(found) > 1:
        names = (name + part for name in rows for part in ("", ", not in training"))
        for name, values in zip(names, np.array(found).T):
            print(f"{name}: {values.mean():.2f} +- {values.std(ddof=1):.2f} over {len(values)} seeds")


def beside(arguments: argparse.Namespace) -> None:
    """The peer on the same split; said and left out where it cannot be had."""
    parts = split("cmudict", arguments.folder / "train.tsv", arguments.runs)
    wrong = peers.had("Phonetisaurus", lambda: phonetisaurus.word_errors(
        arguments.peers, parts["train"], [parts["dev"], parts["test"]]))
    if wrong:
        print("Phonetisaurus: {1:.2f}, on dev {0:.2f}".format(*wrong), flush=True)


def ablate(arguments: argparse.Namespace, task: Task, settings: Sequence[str]) -> None:
    """One change at a time, on the dev set.

    Speeds, of target tokens, are those of each run's quickest epoch, which other work disturbed least.
    """
    print(f"{'change of ' + task.preset:<28}{'dev ' + task.measure:>14}{'difference':>12}{'dev loss':>10}{'weights':>12}{'tokens/s':>10}"
          f"{'MiB':>7}   settings")
    base = None
    for name in dict.fromkeys(["as the preset", *(arguments.ablate or CHANGES)]):
        folder = arguments.runs / f"{arguments.task}-{name.replace(' ', '-').replace(',', '')}"
        metrics = trained(folder, arguments, task, [*settings, *CHANGES[name].split()], False)
        value, training = shown(task, metrics["dev"][task.score]), metrics["training"]
        base = value if base is None else base
        loss = min(epoch["dev_loss"] for epoch in training["history"])
        speed = max(epoch["tokens_per_second"] for epoch in training["history"])
        print(f"{name:<28}{value:>14.2f}{value - base:>+12.2f}{loss:>10.3f}{training['weights']:>12,}{speed:>10,.0f}"
              f"{metrics['MiB']:>7,.0f}   {CHANGES[name]}", flush=True)


def searched(arguments: argparse.Namespace, task: Task, _: Sequence[str]) -> None:
    """Ways to search, on the dev set: the mean over the runs, and all runs together as an ensemble."""
    from keras_s2s.terminal import load_tensorflow

    load_tensorflow()
    from keras_s2s.ensemble import load_together

    paths = [arguments.runs / f"{arguments.task}-{seed}" for seed in arguments.seeds]
    run, alone, together = Run.open(paths[0]), [load_together([path]) for path in paths], load_together(paths)
    print(f"{'':<28}{'dev ' + task.measure + ', mean of ' + str(len(paths)):>24}{'together':>10}")
    for name, (beam, penalty) in SEARCHES.items():
        values = []
        for predictor in (*alone, together):
            predictor = predictor.with_search(beam_size=beam, length_penalty=penalty)
            found, _ = predictor.model.target.scoring.evaluate(predictor, run.rows("dev"), run.rows("train"), "dev")
            values.append(shown(task, found[task.score]))
        print(f"{name:<28}{np.mean(values[:-1]):>24.2f}{values[-1]:>10.2f}", flush=True)


def shown(task: Task, score: float) -> float:
    return 100 - score if task.error else score


def trained(run: Path, arguments: argparse.Namespace, task: Task, settings: Sequence[str], tested: bool) -> dict:
    """What metrics.json says of a run, which is made, or gone on with where it was begun; and the most memory it held, in MiB.

    A run that is tested is one of train.py, exports and all; the others are trained and scored alone.
    """
    data = files(arguments, settings, tested)
    command = [sys.executable, "-c", TESTED if tested else LEARNT, "--run", str(run)]
    command += (["--resume"] if (run / "config.json").exists() else
                ["--preset", task.preset, *data, *(["--set", *settings] if settings else [])])
    kept = run / "memory.json"
    with open(run.with_name(run.name + ".log"), "a") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"the training of {run} failed; see {log.name}")
    before = json.loads(kept.read_text()) if kept.exists() else 0
    kept.write_text(json.dumps(max(before, usage.ru_maxrss / 1024)))
    return json.loads((run / "metrics.json").read_text()) | {"MiB": json.loads(kept.read_text())}


def evaluated(run: Path, name: str, beam: int, alone: bool = False) -> dict:
    """The scores of one of the run's sets with another beam, and without looking pairs up; kept beside the run's."""
    kept = run / f"{name}-beam-{beam}{'-alone' * alone}.json"
    if not kept.exists():
        command = [sys.executable, "-c", USED, "evaluate", str(run), "--beam-size", str(beam), "--json"]
        command += ["--set", "analogy=0"] if alone else []
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        kept.write_text(json.dumps(json.loads(done.stdout)[name]))
    return json.loads(kept.read_text())


def files(arguments: argparse.Namespace, settings: Sequence[str], tested: bool) -> list[str]:
    """train.py's options for the data of a task."""
    task = arguments.task
    parts = {name: (arguments.folder / f"{name}.tsv").resolve() for name in ("train", "dev", "test")}
    if task in SPLITS:  # its own dev part, if it has one, is what it is tested on
        parts |= {"test": parts["dev"]} | split(task, parts["train"], arguments.runs)
    extra = ["--extra", str(made_up(arguments, parts, settings))] if arguments.text else []
    return ["--data", str(parts["train"]), "--dev", str(parts["dev"]), *extra, *(["--test", str(parts["test"])] if tested else [])]


def text_label(arguments: argparse.Namespace) -> str:
    """What tells runs with these texts from others: nothing without texts."""
    contents = b"".join(path.read_bytes() for path in arguments.text)
    return f"-text-{hashlib.sha256(contents).hexdigest()[:6]}" if arguments.text else ""


def made_up(arguments: argparse.Namespace, parts: dict[str, Path], settings: Sequence[str]) -> Path:
    """A TSV of the texts' words that training lacks, each with what models say: see --text."""
    task, label, words = arguments.task, text_label(arguments), WORDS[arguments.task]
    made, listed = (arguments.runs / f"{task}{label}-{name}" for name in ("extra.tsv", "words.txt"))
    if made.exists():
        return made
    lines = (line for part in words.left_out for line in parts[part].read_text(encoding="utf-8").splitlines())
    known = {line.split("\t")[words.column] for line in lines}
    texts = "\n".join(path.read_text(encoding="utf-8") for path in arguments.text)
    found = set(words.pattern.findall(unicodedata.normalize("NFC", texts.upper())))
    listed.write_text("".join(f"{word}\n" for word in sorted(found - known)), encoding="utf-8")
    said = words.paired(arguments, parts, settings, listed)
    made.write_text(said, encoding="utf-8")
    print(f"{len(found - known):,} words of the texts, {said.count(chr(10)):,} pairs more", flush=True)
    return made


def back_translated(arguments: argparse.Namespace, parts: dict[str, Path], settings: Sequence[str], words: Path) -> str:
    """Pairs of each word and its 3 likeliest spellings, of a model of the other direction."""
    run = arguments.runs / f"{arguments.task}-reverse"
    learn = ["--resume"] if (run / "config.json").exists() else [
        "--preset", TASKS[arguments.task].preset, "--data", str(parts["train"]), "--dev", str(parts["dev"]), "--columns", "2,1",
        "--set", "train.epochs=8", *(item for item in settings if not item.startswith("train.epochs"))]
    with open(run.with_name("reverse.log"), "a") as log:
        subprocess.run([sys.executable, "-c", LEARNT, "--run", str(run), *learn], cwd=ROOT, check=True, stdout=log, stderr=log)
    return translated([run], words, "--n-best", "3")


def pronounced(arguments: argparse.Namespace, parts: dict[str, Path], settings: Sequence[str], words: Path) -> str:
    """Pairs of each word and what the runs without them say together, with beam 5."""
    plain = argparse.Namespace(**vars(arguments) | {"text": []})
    runs = [arguments.runs / f"{arguments.task}-{seed}" for seed in arguments.teachers or arguments.seeds]
    for run, seed in zip(runs, arguments.teachers or arguments.seeds):
        trained(run, plain, TASKS[arguments.task], [*(item for item in settings if not item.startswith("train.seed")),
                                                    f"train.seed={seed}"], True)
    lines = translated(runs, words, "--beam-size", "5").splitlines()
    return "".join("\t".join(reversed(line.split("\t"))) + "\n" for line in lines)


def translated(runs: Sequence[Path], file: Path, *options: str) -> str:
    """Lines of the runs' answer, TAB, line of the file."""
    command = [sys.executable, "-c", USED, "translate", str(runs[0]), str(file), "--pairs", *options]
    together = ["--ensemble", *map(str, runs[1:])] if len(runs) > 1 else []
    return subprocess.run([*command, *together], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8").stdout


class Words(NamedTuple):
    """How the words of texts are learnt too."""

    column: int  # of a row of the set, which holds such words
    pattern: re.Pattern
    left_out: tuple[str, ...]  # sets whose words are
    paired: Callable[[argparse.Namespace, dict[str, Path], Sequence[str], Path], str]


WORDS = {
    # Words of the held-out sets that stand in a text stay: it tells that there are such.
    "dakshina": Words(1, re.compile("[\u0900-\u0963\u0970-\u097f]{2,}"), ("train",), back_translated),  # in Devanagari
    # What the runs say of a word is all that would be learnt of it.
    "cmudict": Words(0, re.compile("[A-Z]{2,}(?:'[A-Z]+)?"), ("train", "dev", "test"), pronounced),
}


def split(task: str, file: Path, folder: Path) -> dict[str, Path]:
    """The rows in a file for each side, all of a group in one; which are held out follows from a hash."""
    group, wanted = SPLITS[task]
    rows = [line.split("\t")[:2] for line in file.read_text(encoding="utf-8").split("\n") if line]
    groups = sorted({group(row) for row in rows}, key=lambda name: hashlib.sha256(name.encode()).digest())
    side, start = dict.fromkeys(groups, "train"), 0
    for name, count in wanted.items():
        side |= dict.fromkeys(groups[start:start + count], name)
        start += count
    parts = {name: folder / f"{task}-{name}.tsv" for name in ("train", *wanted)}
    for name, path in parts.items():
        path.write_text("".join("\t".join(row) + "\n" for row in rows if side[group(row)] == name), encoding="utf-8")
    return parts


if __name__ == "__main__":
    sys.exit(main())
