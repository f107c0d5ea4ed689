"""How long a command takes to begin: python -m tests.benchmarks.startup [--run RUN] [--rounds 3]

The first training step of the embedded phrasebook (corpus, vocabularies, model and its tracing included), and one sentence by
`keras-s2s translate`, each in a process of its own: seconds from the command on, of which imports; medians of the rounds.
CPU seconds stand beside, for on a busy machine only they tell much.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SENTENCE = "A man sits on a bench.\n"
IMPORTS = "from keras_s2s.terminal import load_tensorflow; load_tensorflow(); import keras_s2s.{}"
TRANSLATE = "import sys; from keras_s2s.cli import main; sys.exit(main())"
FIRST_STEP = """
import os, sys
import train
from keras_s2s import callbacks, terminal
terminal.load_tensorflow()
guard = callbacks.Guard.on_train_batch_end
def stop(self, batch, logs=None):
    guard(self, batch, logs)
    os._exit(0)
callbacks.Guard.on_train_batch_end = stop
sys.exit(train.main())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, metavar="RUN", help="a trained run, for `translate`; default: a tiny one is trained")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.run or trained(Path(folder) / "tiny")
        for name, limit, module, command in (
                ("first training step", 15, "workflow", lambda number: [FIRST_STEP, "--run", f"{folder}/{number}"]),
                ("translate, one sentence", 6, "translating", lambda number: [TRANSLATE, "translate", str(run)])):
            rounds = [measured(*command(number)) for number in range(arguments.rounds)]
            imports = [measured(IMPORTS.format(module)) for _ in range(arguments.rounds)]
            (wall, cpu), (wall_of_imports, cpu_of_imports) = (map(statistics.median, zip(*times)) for times in (rounds, imports))
            print(f"{name:<25}{wall:>6.1f} s, wanted within {limit}   {cpu:>6.1f} s of CPU   imports {wall_of_imports:.1f} s, "
                  f"{cpu_of_imports:.1f} s of CPU ({100 * cpu_of_imports / cpu:.0f} %)", flush=True)


def measured(code: str, *arguments: str) -> tuple[float, float]:
    """Seconds and CPU seconds of a Python process."""
    begun, before = time.perf_counter(), spent()
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, input=SENTENCE, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{arguments} failed: {done.stderr[-2000:]}")
    return time.perf_counter() - begun, spent() - before


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def trained(path: Path) -> Path:
    """A run of the preset `tiny`."""
    subprocess.run([sys.executable, "train.py", "--preset", "tiny", "--run", str(path)], cwd=ROOT, check=True,
                   capture_output=True)
    return path


if __name__ == "__main__":
    main()
