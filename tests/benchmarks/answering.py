"""How fast a run answers from the command line, beside JoeyNMT: python -m tests.benchmarks.answering RUN [--peers FOLDER]

The run's test set, greedy and with beam 5: sentences a second of the search alone and of the whole command, start-up included;
the SavedModel in batches, as a server would ask it. JoeyNMT has a model of the same sizes over the same tokens, trained for
some minutes, so that its answers are of a sensible length; that length is printed beside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks import joeynmt

ROOT = Path(__file__).resolve().parents[2]
BEAMS = (1, 5)
UPDATES = 400  # of JoeyNMT before it answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="for JoeyNMT's own environment")
    parser.add_argument("--saved-model", type=int, metavar="K", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sets = {name: pairs_of(arguments.run / "data" / f"{name}.tsv") for name in ("train", "dev", "test")}
    sources = [source for source, _ in sets["test"]]
    print(f"{len(sources):,} sentences; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    peer = prepared_peer(arguments.run, sets, arguments.peers) if arguments.peers else None
    for beam in BEAMS:
        rows = {"keras_s2s": ours(arguments.run, sources, beam)}
        if beam == 1:
            rows["SavedModel"] = served(arguments.run / "export" / "saved_model", sources)
        if peer:
            rows["joeynmt"] = peer.translate("test", beam)
        for name, (search, whole) in rows.items():
            ratio = f"   {rows['keras_s2s'][0] / search:.2f} x slower than keras_s2s" if name != "keras_s2s" else ""
            print(f"beam {beam}  {name:<11}{search:>9,.0f} sentences/s{len(sources) / whole:>9,.0f} with start-up{ratio}", flush=True)


def pairs_of(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [tuple(line.split("\t")[:2]) for line in lines if line]  # type: ignore[misc]


def ours(run: Path, sources: list[str], beam: int) -> tuple[float, float]:
    """Of the search, as `evaluate` times it, and of `keras-s2s translate` as a whole."""
    command = [sys.executable, "-c", "import sys; from keras_s2s.cli import main; sys.exit(main())"]
    begun = time.perf_counter()
    subprocess.run([*command, "translate", str(run), "--beam-size", str(beam)], input="\n".join(sources) + "\n", text=True,
                   cwd=ROOT, capture_output=True, check=True)
    whole = time.perf_counter() - begun
    said = subprocess.run([*command, "evaluate", str(run), "--beam-size", str(beam), "--json", "--data",
                           str(run / "data" / "test.tsv")], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return len(sources) / next(iter(json.loads(said).values()))["seconds"], whole


def served(path: Path, sources: list[str], rows: int = 128) -> tuple[float, float]:
    """The SavedModel's `translate` in this process, by length, after a first call."""
    from keras_s2s.terminal import load_tensorflow, quiet

    begun = time.perf_counter()
    load_tensorflow()
    import tensorflow as tf

    with quiet():
        translate = tf.saved_model.load(str(path)).signatures["translate"]
    order = sorted(sources, key=len)
    translate(text=tf.constant(order[:1]))
    ready = time.perf_counter()
    for start in range(0, len(order), rows):
        translate(text=tf.constant(order[start:start + rows]))["text"].numpy()
    end = time.perf_counter()
    return len(sources) / (end - ready), end - begun


def prepared_peer(run: Path, sets: dict[str, list[tuple[str, str]]], folder: Path) -> joeynmt.Peer:
    """JoeyNMT, trained for some minutes on the run's corpus in the run's tokens."""
    import sentencepiece

    cutters = [sentencepiece.SentencePieceProcessor(model_file=str(run / "assets" / f"{side}.model"))
               for side in ("source", "target")]
    cut = {name: list(zip(*([" ".join(pieces) for pieces in cutter.encode([pair[side] for pair in pairs], out_type=str)]
                            for side, cutter in enumerate(cutters)))) for name, pairs in sets.items()}
    peer = joeynmt.Peer(folder)
    peer.prepare(cut | {"dev": cut["dev"][:20]}, max(cutter.get_piece_size() for cutter in cutters))
    peer.train(UPDATES)
    return peer


if __name__ == "__main__":
    main()
