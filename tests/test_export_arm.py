"""The same texts on ARM, greedy and the best of the beam: an aarch64 LiteRT under qemu-user, every quantization."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import arm
import pytest
from small import NAMED

from export import parity
from export.runtime import PhoneFile
from export.tflite import FILES
from keras_s2s.run import Run

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [source for source, _ in NAMED[::4]] + ["Quetzalcoatl sees a red tree.", "नमस्ते", "😀", ""]
RUNNER = """import json, sys
sys.path.append(sys.argv[1])
from export.runtime import PhoneFile
phone = PhoneFile(sys.argv[2])
print(json.dumps([[phone.translate(text, beam).texts[0] for beam in (False, True)] for text in json.load(sys.stdin)]))"""


@pytest.fixture(scope="module")
def aarch64():
    folder = Path(os.environ.get("AARCH64", Path(tempfile.gettempdir()) / "keras_s2s-aarch64"))
    try:
        arm.make(folder)
    except arm.ArmError as error:
        pytest.skip(f"no aarch64 here: {error}")
    return folder


@pytest.mark.slow
def test_arm_says_what_x86_says(trained, aarch64, tmp_path):
    run = Run.open(shutil.copytree(trained, tmp_path / "run"))
    parity.export(run, list(FILES))
    assert len(TEXTS) >= 30
    for name in FILES.values():
        phone = PhoneFile(run.export / name)
        done = arm.python(aarch64, "-c", RUNNER, str(ROOT), str(run.export / name), input=json.dumps(TEXTS), timeout=300)
        assert not done.returncode, done.stderr
        wanted = [[phone.translate(text, beam).texts[0] for beam in (False, True)] for text in TEXTS]
        assert json.loads(done.stdout) == wanted, name
