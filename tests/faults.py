"""What training and its files survive: python tests/faults.py prints a table - fault, times tried, runs lost, bits different.

    python tests/faults.py                          some 300 faults in small runs
    python tests/faults.py --real [ARGUMENT ...]    one run of `train.py ARGUMENT ...` as it is, and one killed again and again

A run is lost when it cannot be gone on with; bits are different when what comes out is not, to the last bit, what comes out
of a run that nothing befell: weights, optimizer slots, seeds, averages, best weights, patience, history. Times are not
compared. Processes are real and are killed from outside.
"""

import contextlib
import io
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from keras_s2s.checkpoints import CheckpointError, Checkpoints, State  # noqa: E402

SETTINGS = ["model.units=8", "model.embedding_dim=8", "model.attention=luong", "model.bidirectional=true", "model.dropout=0.2",
            "model.recurrent_dropout=0.2", "model.input_dropout=0.1", "data.subword_sampling=0.3", "train.teacher_forcing=0.7",
            "train.ema=0.9", "train.label_smoothing=0.1", "train.batch_tokens=150", "train.warmup_steps=3", "train.epochs=3",
            "train.patience=2", "train.learning_rate=0.01", "train.save_every_steps=2", "search.max_length=20"]
LONGER = ["train.epochs=10", "train.patience=4"]  # enough steps for twenty kills
TIMES = ("seconds", "dev_seconds", "tokens_per_second")
_server = multiprocessing.get_context("forkserver")  # imports TensorFlow once; each process is a fork of it
_server.set_forkserver_preload(["keras_s2s.callbacks", "keras_s2s.workflow", "sentencepiece", "tensorflow_text"])


def train(arguments: list[str], output: str) -> None:
    """The part of train.py up to the end of training, in a process of its own."""
    from keras_s2s import cli, workflow
    from keras_s2s.run import resume_command

    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    asked = cli.training_arguments(arguments)

    def story():
        run = workflow.open_run(asked.run, asked.config, asked.resume)
        workflow.prepare_corpus(run)
        workflow.prepare_assets(run)
        workflow.train(run, asked.resume)

    sys.exit(cli.guarded(story, resume_command(asked.run)))


class Training:
    """A training process.

    Args:
        run: the run directory; it is resumed when it is there.
        arguments: of train.py, for a new run.
    """

    def __init__(self, run: Path, *arguments: str):
        self.run, self.output = run, run.with_suffix(".log")
        resumed = ["--resume"] if (run / "config.json").exists() else [*arguments]
        self.process = _server.Process(target=train, args=(["--run", str(run), *resumed], str(self.output)))
        self.process.start()

    def saved(self) -> str:
        """The name of the newest state, empty where there is none."""
        return max((file.name for file in (self.run / "checkpoints").glob("step-*.json")), default="")

    def stop(self, number: int, seconds: float) -> int | None:
        """Sends a signal that long after the next save; returns the exit status."""
        before = self.saved()
        while self.process.is_alive() and self.saved() == before:
            time.sleep(0.005)
        self.process.join(seconds)
        if self.process.is_alive():
            os.kill(self.process.pid, number)
        return self.end()

    def end(self) -> int | None:
        """Waits for the end; returns the exit status, negative for a signal."""
        self.process.join()
        return self.process.exitcode


def outcome(run: Path) -> dict:
    """All that two runs must have in common to the last bit; arrays stand for themselves by their digests."""
    newest = max((run / "checkpoints").glob("step-*.json"))
    state = json.loads(newest.read_text(encoding="utf-8"))["state"]
    history = [{name: value for name, value in entry.items() if name not in TIMES} for entry in state["history"]]
    return {name: state[name] for name in ("step", "best", "best_epoch", "waited", "files", "made_of")} | {"history": history}


def stopped(run: Path, numbers: list[int], *arguments: str, within: float = 0.3) -> list[int | None]:
    """Stops a training by each of the signals at a random moment, resumes it each time, at last to its end.

    Args:
        run: the run directory.
        numbers: of the signals.
        arguments: of train.py.
        within: seconds after a save.

    Returns:
        exit statuses.
    """
    drawn = random.Random(1)
    return [*(Training(run, *arguments).stop(number, drawn.random() * within) for number in numbers),
            Training(run, *arguments).end()]


# --- saving and loading alone, without TensorFlow ------------------------------------------------------------------------


class Variable:
    """As much of a Keras variable as a checkpoint needs."""

    def __init__(self, name: str, value: np.ndarray):
        self.path, self.value, self.shape, self.dtype = name, value, value.shape, str(value.dtype)

    def assign(self, value: np.ndarray) -> None:
        self.value = value


def variables(step: int, size: int = 40_000) -> list[Variable]:
    """What a model is after that many steps: a pure function of the step."""
    drawn = np.random.Generator(np.random.Philox(key=step))
    return [Variable("kernel", drawn.random((size // 10, 10), np.float32)), Variable("seed", np.array([step, 1]))]


def save(checkpoints: Checkpoints, state: State, step: int, best: bool) -> None:
    """Saves step after step as a training does."""
    state.step, state.waited = step, state.waited + 1
    if best:
        state.best, state.waited = float(step), 0
        checkpoints.save_best(state, variables(step)[:1])
    checkpoints.save(state, variables(step))


def true(state: State, found: list[Variable]) -> bool:
    """Whether arrays and state are those of one and the same step."""
    return all(np.array_equal(a.value, b.value) for a, b in zip(found, variables(state.step), strict=True))


def save_for_ever(folder: str) -> None:
    """Saves on and on from the last good state, until it is killed."""
    checkpoints, found = Checkpoints(Path(folder)), variables(0)
    state = checkpoints.restore(found) or State()
    while True:
        save(checkpoints, state, state.step + 1, state.step % 3 == 0)


def restored(folder: Path) -> tuple[State | None, bool]:
    """The state that loads, None where none does, and whether it is what was saved at its step."""
    found = variables(0)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # it names each damaged file
            state = Checkpoints(folder).restore(found)
    except CheckpointError:
        return None, False
    return (None, False) if state is None else (state, true(state, found))


def kills_while_saving(times: int) -> tuple[int, int]:
    """SIGKILL at random moments of saving; returns runs lost and runs with other bits."""
    lost = different = newest = 0
    drawn, context = random.Random(2), multiprocessing.get_context("fork" if "tensorflow" not in sys.modules else "spawn")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(times):
            process = context.Process(target=save_for_ever, args=(folder,))
            before = max(Path(folder).glob("step-*.json"), default=None)
            process.start()
            while max(Path(folder).glob("step-*.json"), default=None) == before:
                time.sleep(0.001)
            time.sleep(drawn.random() * 0.03)
            process.kill()
            process.join()
            state, same = restored(Path(folder))
            lost += state is None or state.step < newest
            different += not same
            newest = state.step if state else newest
    return lost, different


@contextlib.contextmanager
def small_disk(size: int):
    """Within, no file can grow beyond so many bytes: what a full disk does, for whoever runs the tests."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def full_disks(times: int) -> tuple[int, int]:
    """The disk fills up within a save, at a random byte of it."""
    lost = different = 0
    drawn = random.Random(3)
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            checkpoints, state = Checkpoints(Path(folder)), State()
            save(checkpoints, state, 1, True)
            with contextlib.suppress(CheckpointError), small_disk(drawn.randrange(150_000)):
                save(checkpoints, state, 2, drawn.random() < 0.5)
            found, same = restored(Path(folder))
            lost, different = lost + (found is None), different + (not same)
    return lost, different


def flip(path: Path, drawn: random.Random) -> None:
    """Turns one bit over."""
    content = bytearray(path.read_bytes())
    content[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
    path.write_bytes(content)


def cut(path: Path, drawn: random.Random) -> None:
    """Leaves a random part from the beginning."""
    path.write_bytes(path.read_bytes()[:drawn.randrange(path.stat().st_size)])


def remove(path: Path, drawn: random.Random) -> None:
    path.unlink()


DAMAGES = {"a bit turned over": flip, "a file cut off": cut, "a file missing": remove}


def damaged(times: int, damage) -> tuple[int, int]:
    """Any one of the files is damaged."""
    lost = different = 0
    drawn = random.Random(4)
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            checkpoints, state = Checkpoints(Path(folder)), State()
            for step in range(1, 5):
                save(checkpoints, state, step, drawn.random() < 0.5)
            damage(drawn.choice(sorted(Path(folder).iterdir())), drawn)
            found, same = restored(Path(folder))
            lost, different = lost + (found is None or found.step < 3), different + (not same)
    return lost, different


def rows(quick: bool):
    """Yields the rows of the table: fault, times tried, runs lost, bits different."""
    from small import write_tsv

    yield "SIGKILL while saving", 100, *kills_while_saving(100)
    yield "disk full while saving", 40, *full_disks(40)
    for name, damage in DAMAGES.items():
        yield name, 40, *damaged(40, damage)
    for cell in ("lstm", "gru"):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            arguments = ["--data", str(write_tsv(folder / "pairs.tsv")), "--set", *SETTINGS, *LONGER, f"model.cell={cell}"]
            Training(folder / "whole", *arguments).end()
            for number, times in ((signal.SIGKILL, 3 if quick else 20), (signal.SIGTERM, 3), (signal.SIGINT, 3)):
                run = folder / f"stopped-{number}"
                *codes, last = stopped(run, [number] * times, *arguments)
                differs = last != 0 or outcome(run) != outcome(folder / "whole")
                tried = sum(code in (-number, 128 + number) for code in codes)  # the last ones may come too late
                yield f"{signal.Signals(number).name} while training ({cell.upper()})", tried, int(last != 0), int(differs)


def real_rows(arguments: list[str], kills: int = 6):
    """The row of one real run, killed at random moments of its epochs."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        Training(folder / "whole", *arguments).end()
        *codes, last = stopped(folder / "killed", [signal.SIGKILL] * kills, *arguments, within=12)
        wanted = outcome(folder / "whole")
        differs = last != 0 or outcome(folder / "killed") != wanted
        yield (f"SIGKILL, a run of {wanted['step']:,} steps", sum(code == -signal.SIGKILL for code in codes), int(last != 0),
               int(differs))


def main() -> int:
    lines = []
    real = sys.argv[sys.argv.index("--real") + 1:] if "--real" in sys.argv else None
    for name, times, lost, different in rows("--quick" in sys.argv) if real is None else real_rows(real):
        lines.append((times, lost, different))
        print(f"{name:<40}{times:>6}{lost:>6}{different:>6}", flush=True)
    total = [sum(column) for column in zip(*lines)]
    print(f"{'all':<40}{total[0]:>6}{total[1]:>6}{total[2]:>6}")
    return int(total[1] or total[2])


if __name__ == "__main__":
    print(f"{'fault':<40}{'tried':>6}{'lost':>6}{'bits':>6}")
    sys.exit(main())
