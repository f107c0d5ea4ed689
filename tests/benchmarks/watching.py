"""What watching costs: the share of a training's time that the callback for TensorBoard takes.

    python tests/benchmarks/watching.py [--epochs 20] [--preset context] [--data FILE] [--set NAME=VALUE ...]

Prints seconds of each of the callback's methods, of the training as a whole, and their ratio; exits with 1 above 2 %.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.training import trained  # noqa: E402

LIMIT = 2.0  # percent
METHODS = ("__init__", "on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end",
           "on_train_end")


def watched(spent: Counter) -> None:
    """Makes TensorBoard's methods add their seconds to `spent`."""
    from keras_s2s.watch import TensorBoard

    for name in METHODS:
        method = getattr(TensorBoard, name)

        def timed(self, *args, name=name, method=method, **kwargs):
            begun = time.perf_counter()
            try:
                return method(self, *args, **kwargs)
            finally:
                spent[name] += time.perf_counter() - begun

        setattr(TensorBoard, name, timed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--preset", default="context")
    parser.add_argument("--data", default="")
    parser.add_argument("--set", nargs="+", default=[])
    arguments = parser.parse_args()

    spent: Counter = Counter()
    watched(spent)
    data = [f"data.train={arguments.data}"] if arguments.data else []
    with tempfile.TemporaryDirectory() as folder:
        settings = [f"train.epochs={arguments.epochs}", *data, *arguments.set]
        _, whole = trained(Path(folder) / "run", arguments.preset, settings)
    watching = sum(spent.values())
    for name in METHODS:
        print(f"{name:<22}{spent[name]:>8.2f} s")
    share = 100 * watching / (whole - watching)
    for name, seconds in (("watching", watching), ("training without it", whole - watching)):
        print(f"{name:<22}{seconds:>8.2f} s")
    print(f"{'ratio':<22}{share:>8.2f} %")
    return int(share > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
