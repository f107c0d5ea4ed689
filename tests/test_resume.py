"""A training that is stopped and resumed ends in the bits of one that was not; all with real processes and real signals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import faults
import pytest
from faults import LONGER, SETTINGS, Training, outcome, stopped
from small import write_tsv

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a run that nothing befell, and the arguments it was made with."""
    folder = tmp_path_factory.mktemp("resume")
    arguments = ["--data", str(write_tsv(folder / "pairs.tsv")), "--set", *SETTINGS]
    assert Training(folder / "whole", *arguments).end() == 0, (folder / "whole.log").read_text()
    return folder, arguments


def test_killed_terminated_and_interrupted_it_ends_in_the_same_bits(whole):
    folder, arguments = whole
    run = folder / "stopped"
    codes = stopped(run, [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], *arguments)
    told = run.with_suffix(".log").read_text()
    assert codes == [-signal.SIGKILL, 128 + signal.SIGTERM, 128 + signal.SIGINT, 0], told
    assert outcome(run) == outcome(folder / "whole")
    assert f"all is saved. Go on with: python train.py --run {run} --resume" in told
    assert "stopped by SIGTERM after step" in told and "stopped by Ctrl-C after step" in told and "Traceback" not in told
    assert "left" in told and "it is gone, and its lock with it" in told  # what was killed could not tidy up


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_twenty_kills_in_a_row_end_in_the_same_bits(tmp_path, cell):
    arguments = ["--data", str(write_tsv(tmp_path / "pairs.tsv")), "--set", *SETTINGS, *LONGER, f"model.cell={cell}"]
    assert Training(tmp_path / "whole", *arguments).end() == 0
    codes = stopped(tmp_path / "run", [signal.SIGKILL] * 20, *arguments)
    assert codes[-1] == 0 and codes.count(-signal.SIGKILL) >= 15
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_a_damaged_save_is_made_up_for_to_the_bit(whole):
    folder, _ = whole
    run = folder / "damaged"
    shutil.copytree(folder / "whole", run)
    newest = max((run / "checkpoints").glob("step-*.json"))
    faults.cut(newest, faults.random.Random(1))
    assert Training(run).end() == 0
    assert outcome(run) == outcome(folder / "whole")
    assert newest.with_name(newest.name + ".damaged").exists()


def test_resuming_a_finished_run_says_so_and_changes_nothing(whole):
    folder, _ = whole
    run = folder / "finished"
    shutil.copytree(folder / "whole", run)
    before = {path: path.read_bytes() for path in (run / "checkpoints").iterdir()}
    assert Training(run).end() == 0
    assert f"the training of {run} is finished: all 3 epochs are done; for more: --set train.epochs=6" in (
        run.with_suffix(".log").read_text())
    assert before == {path: path.read_bytes() for path in (run / "checkpoints").iterdir()}


def train_py(*arguments, **kwargs):
    return subprocess.Popen([sys.executable, str(ROOT / "train.py"), *map(str, arguments)], stderr=subprocess.PIPE, text=True,
                            cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, **kwargs)


@pytest.mark.parametrize("phase, sign", [("reading", "config.json"), ("vocabularies", "data/test.tsv")])
def test_ctrl_c_before_training_ends_with_a_message_and_can_be_gone_on_from(tmp_path, whole, phase, sign):
    run = tmp_path / "a run"
    process = train_py("--run", run, *whole[1])
    while process.poll() is None and not (run / sign).exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130, told
    assert f"stopped by Ctrl-C. Go on with: python train.py --run '{run}' --resume" in told and "Traceback" not in told
    assert Training(run).end() == 0, run.with_suffix(".log").read_text()
    assert outcome(run)["files"] == outcome(whole[0] / "whole")["files"]


def test_a_second_training_on_a_run_is_refused_with_the_first_ones_process_id(tmp_path, whole):
    run = tmp_path / "run"
    first = Training(run, *whole[1])
    while not (run / "config.json").exists():
        time.sleep(0.01)
    second = train_py("--run", run, "--resume")
    told = second.communicate()[1]
    first.process.kill()
    first.end()
    assert second.returncode == 1
    assert f"{run} is in use: process {first.process.pid} on " in told and "at work since 20" in told
    assert json.loads((run / "config.json").read_text())["train"]["epochs"] == 3
