"""How fast a run answers from the command line, beside JoeyNMT: python -m tests.benchmarks.answering RUN [--peers FOLDER]

The run's test set, greedy and with beam 5: sentences a second of the search alone, of five more with the graph that the first
one traced (their median), and of the whole command, start-up included, with its CPU seconds (which a busy machine disturbs
least); the SavedModel as often, in batches by two threads, as a server would ask it. JoeyNMT has a model of the same sizes over the same tokens,
trained for some minutes, so that its answers are of a sensible length.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_s2s import cores
from tests.benchmarks import joeynmt, peers

ROOT = Path(__file__).resolve().parents[2]
BEAMS = (1, 5)
UPDATES = 400  # of JoeyNMT before it answers
TRANSLATE = "import sys; from keras_s2s.cli import main; sys.exit(main())"
SEARCHES = 6
SEARCH = """
import sys, time
from keras_s2s.terminal import load_tensorflow
load_tensorflow()
from keras_s2s.run import load
predictor = load(sys.argv[1]).with_search(beam_size=int(sys.argv[2]))
sources = sys.stdin.read().split(chr(10))
for _ in range(int(sys.argv[3])):
    begun = time.perf_counter()
    predictor.predict(sources)
    print(time.perf_counter() - begun)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="for JoeyNMT's own environment")
    arguments = parser.parse_args()
    cores.share(cores.SIDE_BY_SIDE)  # as each command does
    sets = {name: pairs_of(arguments.run / "data" / f"{name}.tsv") for name in ("train", "dev", "test")}
    sources = [source for source, _ in sets["test"]]
    print(f"{len(sources):,} sentences; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    exported = arguments.run / "export" / "saved_model"
    if not exported.exists():
        print(f"SavedModel is left out: there is none; make it with python -m export {arguments.run}")
    peer = peers.had("JoeyNMT", lambda: prepared_peer(arguments.run, sets, arguments.peers)) if arguments.peers else None
    for beam in BEAMS:
        contenders = {"keras_s2s": lambda: ours(arguments.run, sources, beam)}
        if beam == 1 and exported.exists():
            contenders["SavedModel"] = lambda: served(exported, sources)
        if peer:
            contenders["joeynmt"] = lambda: (*peer.translate("test", beam), None)
        for name, contend in contenders.items():
            before = cpu()
            search, whole, again = contend()
            print(f"beam {beam}  {name:<11}{search:>7,.0f} sentences/s" + (f", {again:,.0f} again" if again else "")
                  + f"; whole command {whole:.1f} s, {cpu() - before:.1f} s of CPU in all", flush=True)


def cpu() -> float:
    """Seconds of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def pairs_of(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [tuple(line.split("\t")[:2]) for line in lines if line]  # type: ignore[misc]


def ours(run: Path, sources: list[str], beam: int) -> tuple[float, float, float]:
    """Sentences a second of the search, seconds of `keras-s2s translate`, sentences a second of further searches."""
    def say(code: str, *arguments: str) -> str:
        return subprocess.run([sys.executable, "-c", code, *arguments], input="\n".join(sources), text=True, cwd=ROOT,
                              capture_output=True, check=True).stdout

    begun = time.perf_counter()
    say(TRANSLATE, "translate", str(run), "--beam-size", str(beam))
    whole = time.perf_counter() - begun
    first, *again = map(float, say(SEARCH, str(run), str(beam), str(SEARCHES)).split())
    return len(sources) / first, whole, len(sources) / statistics.median(again)


def served(path: Path, sources: list[str], rows: int = 256) -> tuple[float, float, float]:
    """The same of the SavedModel's `translate` in this process, asked by two threads in batches of like length, the longest first."""
    from keras_s2s.terminal import load_tensorflow, quiet

    begun = time.perf_counter()
    load_tensorflow()
    import tensorflow as tf

    with quiet():
        translate = tf.saved_model.load(str(path)).signatures["translate"]
    order = sorted(sources, key=len, reverse=True)
    times = [time.perf_counter()]
    for _ in range(SEARCHES):
        with ThreadPoolExecutor(cores.SIDE_BY_SIDE) as callers:
            list(callers.map(lambda start: translate(text=tf.constant(order[start:start + rows]))["text"].numpy(),
                             range(0, len(order), rows)))
        times.append(time.perf_counter())
    first, *again = np.diff(times)
    return len(sources) / first, times[1] - begun, len(sources) / statistics.median(again)


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
