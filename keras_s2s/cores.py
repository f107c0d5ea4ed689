"""How a CPU's cores are shared out: each of the things that are worked on at once has some of its own."""

from __future__ import annotations

import os

SIDE_BY_SIDE = 2  # batches answered at once: where one goes step by step on a single core, the other has what is left


def share(parts: int) -> None:
    """Lets an operation of TensorFlow use one in so many cores, unless the environment says how many; before its import.

    Threads of one part that wait for cores another works on cost more than they bring: on two cores a seventh to a
    quarter of the time.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // parts)))
