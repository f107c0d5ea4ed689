"""Whatever bytes come as a corpus or as a configuration: an answer or one of our errors, never anything else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_s2s.config import FORMAT, Config
from keras_s2s.corpus import CorpusError, Log, read_pairs

ROOT = Path(__file__).resolve().parents[1]

# A corpus and what becomes of it: pairs kept, lines rejected; or the words of the refusal.
CORPORA = {
    "two columns": (b"a\tb\nc\td\n", (2, 0)), "no LF at the end": (b"a\tb", (1, 0)),
    "Windows lines": (b"a\tb\r\n", (1, 0)), "further columns": (b"a\tb\tc\td\n", (1, 0)),
    "an empty line": (b"a\tb\n\nc\td\n", (2, 1)), "one column": (b"a\tb\nc\n", (1, 1)),
    "an empty side": (b"a\tb\n\tb\na\t\n", (1, 2)), "broken UTF-8": (b"a\tb\na\tb\n\xff\tb\n", (2, 1)),
    "a control character": (b"a\x07\tb\n", (1, 0)), "a long line": (b"a\tb\n" + b"x" * 5000 + b"\tb\n", (1, 1)),
    "nothing": (b"", "must hold pairs; it is empty"), "no columns": (b"a\nb\n", "must have at least 2 columns"),
    "UTF-16": ("a\tb\n".encode("utf-16"), "it is UTF-16. Convert it"), "an archive": (b"PK\3\4.", "a ZIP archive. Unpack it"),
    "a gzip file cut off": (b"\x1f\x8b\x08\0\0", "cut off or damaged"), "bytes": (b"\0\xff\xfe\xfd\n" * 9, "not a text file"),
    "empty lines alone": (b"\n\n\n", "at least one line of .* must be usable")}


@pytest.mark.parametrize("content, fate", CORPORA.values(), ids=CORPORA)
def test_each_kind_of_corpus_is_read_or_refused(tmp_path, content, fate):
    (tmp_path / "c.tsv").write_bytes(content)
    log = Log()
    if isinstance(fate, str):
        with pytest.raises(CorpusError, match=fate):
            list(read_pairs(str(tmp_path / "c.tsv"), max_characters=1000, log=log))
    else:
        kept = len(list(read_pairs(str(tmp_path / "c.tsv"), max_characters=1000, log=log)))
        assert (kept, log.rejects.total()) == fate


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
                    max_leaves=6)
FIELDS = [(section, name) for section, fields in json.loads(Config().to_json()).items() if isinstance(fields, dict)
          for name in fields]


@given(text=st.text(max_size=60) | JSON.map(json.dumps))
def test_any_text_is_a_configuration_or_a_valueerror(text):
    try:
        assert isinstance(Config.from_json(text), Config)
    except ValueError as error:
        assert str(error)


@given(field=st.sampled_from(FIELDS), value=JSON)
def test_any_value_of_a_setting_is_taken_as_it_is_or_refused_in_words(field, value):
    section, name = field
    try:
        config = Config.from_json(json.dumps({"format": FORMAT, section: {name: value}}))
    except ValueError as error:
        assert name in str(error) or section in str(error)
    else:
        assert Config.from_json(config.to_json()) == config


@pytest.mark.slow
@pytest.mark.parametrize("what", ["corpus", "config"])
def test_a_fuzzer_that_follows_coverage_finds_no_crash(tmp_path, what):
    pytest.importorskip("atheris", reason="pip install 'keras_s2s[fuzz]'")
    seconds = int(os.environ.get("FUZZ_SECONDS", "300"))
    done = subprocess.run([sys.executable, str(ROOT / "tests" / "fuzz.py"), what, f"-max_total_time={seconds}",
                           "-max_len=2000", f"-artifact_prefix={tmp_path}/"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
