"""How cost grows with the corpus: python -m tests.benchmarks.scaling PAIRS.tsv [--pairs 30000 300000 3000000]

Corpora of each size are made of the pairs given, over and over, each copy with its number at the end of both sides, so that no pair
stands twice. Reading them (with a split into train, dev and test) and training some steps are processes of their own: seconds a
pair, seconds a token, and the most memory that each held (ru_maxrss). All sizes use the vocabularies of the smallest.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WARM, STEPS = 10, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="PAIRS.tsv")
    parser.add_argument("--pairs", nargs="+", type=int, default=[30_000, 300_000, 3_000_000], metavar="N")
    parser.add_argument("--part", choices=("read", "train"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        found = {"read": read, "train": train}[arguments.part](arguments.data)
        print(json.dumps({**found, "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; CPU seconds")
    print(f"{'pairs':>10}{'reading us/pair':>17}{'MiB':>7}{'measuring us/pair':>19}{'training us/token':>19}{'MiB':>7}{'batches MiB':>13}")
    with tempfile.TemporaryDirectory() as name:
        folder, rows = Path(name), []
        for pairs in sorted(arguments.pairs):
            write(arguments.data, pairs, folder / "pairs.tsv")
            reading = part("read", folder)
            if rows:
                shutil.copytree(folder / "assets", folder / "run" / "assets", dirs_exist_ok=True)
            training = part("train", folder)
            if not rows:
                shutil.copytree(folder / "run" / "assets", folder / "assets")
            shutil.rmtree(folder / "run")
            rows.append((pairs, reading, training))
            print(f"{pairs:>10,}{1e6 * reading['seconds'] / pairs:>17.1f}{reading['MiB']:>7.0f}"
                  f"{1e6 * training['measuring'] / pairs:>19.1f}{1e6 * training['token']:>19.1f}{training['MiB']:>7.0f}"
                  f"{training['index'] / 2**20:>13.1f}", flush=True)
    (few, *first), (many, *last) = rows[0], rows[-1]
    if many > few:
        grown = [2**20 * (b["MiB"] - a["MiB"]) / (many - few) for a, b in zip(first, last)]
        print(f"bytes of memory that each further pair takes: reading {grown[0]:.0f}, training {grown[1]:.0f}")


def write(data: Path, pairs: int, path: Path) -> None:
    """A TSV of so many pairs."""
    lines = data.read_text(encoding="utf-8").splitlines()
    with open(path, "w", encoding="utf-8") as file:
        for number, line in enumerate(itertools.islice(itertools.cycle(lines), pairs)):
            source, target = line.split("\t")[:2]
            copy = number // len(lines)
            file.write(f"{source} {copy}\t{target} {copy}\n")


def part(name: str, folder: Path) -> dict[str, Any]:
    """What a process of its own finds."""
    command = [sys.executable, "-m", "tests.benchmarks.scaling", str(folder), "--part", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def read(folder: Path) -> dict[str, float]:
    """Reads, checks and splits the corpus."""
    from keras_s2s import workflow
    from keras_s2s.presets import PRESETS

    config = PRESETS["attention"][1].set([f"data.train={folder / 'pairs.tsv'}"])
    run = workflow.open_run(folder / "run", config, False)
    begun = time.process_time()
    workflow.prepare_corpus(run)
    return {"seconds": time.process_time() - begun}


def train(folder: Path) -> dict[str, float]:
    """Trains some steps of the preset `attention`."""
    from keras_s2s import workflow
    from keras_s2s.run import Run, build
    from keras_s2s.terminal import load_tensorflow

    load_tensorflow()
    import tensorflow as tf

    from keras_s2s.pipeline import POOL, Batches, measure, training_batches
    from keras_s2s.training import TeacherForced

    run = Run.open(folder / "run")
    workflow.prepare_assets(run)
    core, rows, settings = build(run, run.config.train.precision), run.rows("train"), run.config.train
    begun = time.process_time()
    lengths = measure(rows, core.source, core.target)
    measuring = time.process_time() - begun
    batches = Batches(lengths, settings.batch_tokens, settings.seed, POOL)
    step = tf.function(TeacherForced(core, 1000).train_step, reduce_retracing=True, autograph=False)
    tokens = 0.0
    for number, batch in enumerate(training_batches(rows, batches, core.source, core.target, 0, WARM + STEPS)):
        if number == WARM:
            begun, tokens = time.process_time(), 0.0
        tokens += float(step(batch)["tokens"])
    index = sum(of_bucket.nbytes for of_bucket, _ in batches.buckets) + lengths.nbytes + 8 * len(rows)
    return {"measuring": measuring, "token": (time.process_time() - begun) / tokens, "index": index}


if __name__ == "__main__":
    main()
