"""A coverage-guided fuzzer: python tests/fuzz.py corpus|config [libFuzzer's options]; needs the extra `fuzz` (atheris).

Anything but our own errors is a crash, and so is a line of a corpus that is neither read nor rejected.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["keras_s2s", "json"]):
    from keras_s2s.config import FORMAT, Config, settings
    from keras_s2s.corpus import CorpusError, Log, read_pairs

FOLDER = tempfile.mkdtemp()


def corpus(content: bytes) -> None:
    """Reads the bytes as a TSV; plain, so that lines can be counted."""
    path = os.path.join(FOLDER, "c.tsv")
    with open(path, "wb") as file:
        file.write(content)
    log = Log()
    try:
        kept = sum(1 for _ in read_pairs(path, max_characters=20, log=log))
    except CorpusError:
        return
    if content[:2] != b"\x1f\x8b":
        lines = content.count(b"\n") + (not content.endswith(b"\n"))
        assert kept + log.rejects.total() == lines, (kept, log.rejects, lines)


def configuration(content: bytes) -> str:
    """The bytes as they are, or as choices of settings and values."""
    given = atheris.FuzzedDataProvider(content)
    if given.ConsumeBool():
        return content.decode("utf-8", "replace")
    tree: dict = {"format": FORMAT}
    values = [lambda: given.ConsumeInt(8), given.ConsumeFloat, given.ConsumeBool, lambda: given.ConsumeUnicode(9), lambda: None,
              lambda: [given.ConsumeUnicode(5)], lambda: [given.ConsumeInt(1), given.ConsumeInt(1)], dict]
    while given.remaining_bytes():
        section, _, name = given.PickValueInList(list(settings())).partition(".")
        tree.setdefault(section, {})[name] = given.PickValueInList(values)()
    return json.dumps(tree)


def config(content: bytes) -> None:
    """Reads the bytes as config.json."""
    try:
        found = Config.from_json(configuration(content))
    except ValueError:
        return
    assert Config.from_json(found.to_json()) == found


def main() -> None:
    what = {"corpus": corpus, "config": config}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, what)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
