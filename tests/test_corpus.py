"""corpus.py, reading.py, split.py, rows.py: every line is read or rejected with its reason, and no sentence leaks."""

import gzip
import io
import itertools
import random
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_s2s import windows
from keras_s2s.config import Config, Data
from keras_s2s.corpus import CorpusError, Log, Rows, overlaps, prepare, read_pairs, split_names
from keras_s2s.normalize import comparable
from keras_s2s.split import components, repeated

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PAIRS = b"".join(b"source %d\ttarget %d\n" % (i, i) for i in range(40))
LONG = b"x" * 10_000_000


def written(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def read(item, **options):
    log = Log()
    return list(read_pairs(item, log=log, **options)), log


def lines_of(path):
    return path.read_bytes().decode().splitlines()


# Each row: what the file holds, pairs read, rejects, notices. "a\tb" stands first where the file needs a usable line.
LINES = {
    "LF": (b"a\tb\nc\td\n", [("a", "b"), ("c", "d")], {}, {}),
    "no LF at the end": (b"a\tb\nc\td", [("a", "b"), ("c", "d")], {}, {}),
    "CRLF": (b"a\tb\r\nc\td\r\n", [("a", "b"), ("c", "d")], {}, {}),
    "a lone CR does not end a line": (b"a\rb\tc\n", [("a b", "c")], {}, {}),
    "nor does U+2028, U+0085, VT": ("a\u2028b\x85c\vd\te\n".encode(), [("a b c d", "e")], {}, {}),
    "BOM": (b"\xef\xbb\xbfa\tb\n", [("a", "b")], {}, {}),
    "NFD": ("cafe\u0301\tb\n".encode(), [("café", "b")], {}, {}),
    "NUL and bell": (b"a\tb\nc\td\ne\0f\tg\x07h\n", [("a", "b"), ("c", "d"), ("ef", "gh")], {},
                     {"control characters removed": 1}),
    "more columns": (b"a\tb\tc\td\n", [("a", "b")], {}, {}),
    "damage in a column not asked for": (b"a\tb\nc\td\t\xff\n", [("a", "b"), ("c", "d")], {}, {}),
    "source equals target": (b"a\ta\n", [("a", "a")], {}, {"source equals target": 1}),
    "duplicates are for prepare": (b"a\tb\na\tb\n", [("a", "b")] * 2, {}, {}),
    "invalid UTF-8": (b"a\tb\nc\td\n\xff\te\n", [("a", "b"), ("c", "d")], {"invalid UTF-8": 1}, {}),
    "a surrogate": (b"a\tb\nc\td\n\xed\xa0\x80\te\n", [("a", "b"), ("c", "d")], {"invalid UTF-8": 1}, {}),
    "too few columns": (b"a\tb\nc\n", [("a", "b")], {"too few columns": 1}, {}),
    "empty line": (b"a\tb\n\n \r\n \t \n", [("a", "b")], {"empty line": 3}, {}),
    "empty source": ("a\tb\n \u200b\xa0\tc\n".encode(), [("a", "b")], {"empty source": 1}, {}),
    "empty target": (b"a\tb\nc\t\n", [("a", "b")], {"empty target": 1}, {}),
    "at the limit": ("नी\tb\n".encode() + "न".encode() * 30 + b"\tb\n", [("नी", "b"), ("न" * 30, "b")], {}, {}),
    "above the limit": ("a\tb\nc\t".encode() + "न".encode() * 31, [("a", "b")], {"longer than 30 characters": 1}, {}),
    "spaces do not count": (b"a" + b" " * 100 + b"b\tc\n", [("a b", "c")], {}, {}),
    "an endless line": (b"a\tb\n" + LONG + b"\t" + LONG + b"\nc\td\n", [("a", "b"), ("c", "d")],
                        {"line longer than 65,776 bytes": 1}, {}),
    "an endless last line": (b"a\tb\nc\t" + LONG, [("a", "b")], {"line longer than 65,776 bytes": 1}, {}),
}


@pytest.mark.parametrize("kind", ["plain", "gzip", "gzip without .gz"])
@pytest.mark.parametrize("content, pairs, rejects, notices", LINES.values(), ids=LINES)
def test_each_kind_of_line_is_read_or_rejected_with_its_reason(tmp_path, content, pairs, rejects, notices, kind):
    packed = content if kind == "plain" else gzip.compress(content, 1)
    item = written(tmp_path, "pairs.tsv.gz" if kind == "gzip" else "pairs.tsv", packed)
    found, log = read(item, max_characters=30)
    assert (found, dict(log.rejects), dict(log.notices)) == (pairs, rejects, notices)
    assert log.bytes == len(packed)


BROKEN = {  # a file's name and content, what is asked for, and words of the message
    "empty": ("a.tsv", b"", "a.tsv", "a.tsv' must hold pairs; it is empty"),
    "an empty gzip": ("a.tsv.gz", gzip.compress(b""), "a.tsv.gz", "it is empty"),
    "missing": ("pairs.tsv", PAIRS, "piars.tsv", "there is no file .*Did you mean '.*pairs.tsv'"),
    "nothing like it": ("pairs.tsv", PAIRS, "x", "there is no file .*Check the name"),
    "no such folder": ("a.tsv", PAIRS, "no/a.tsv", "its folder '.*no' does not exist"),
    "no match": ("a.tsv", PAIRS, "*.txt", r"no file matches the pattern '.*\*.txt'"),
    "a folder": ("in/a.tsv", PAIRS, "in", r"is a folder. Name a file in it, or a pattern such as '.*in/\*.tsv'"),
    "a ZIP": ("a.tsv", b"PK\x03\x04rest", "a.tsv", "not a text file but a ZIP archive. Unpack it"),
    "UTF-16": ("a.tsv", "a\tb\n".encode("utf-16"), "a.tsv", "must be UTF-8 text; it is UTF-16"),
    "UTF-16 without BOM": ("a.tsv", "a\tb\n".encode("utf-16-le") * 9, "a.tsv", "not a text file in UTF-8: 9 of"),
    "Latin-1": ("a.tsv", "é\tà\n".encode("latin-1"), "a.tsv", "1 of its first 1 lines are not.*iconv"),
    "noise": ("a.tsv", random.Random(1).randbytes(100_000), "a.tsv", "is not a text file"),
    "not gzip": ("a.tsv.gz", PAIRS, "a.tsv.gz", "ends in .gz and must be a gzip file; it is not"),
    "gzip cut off": ("a.tsv.gz", gzip.compress(PAIRS)[:-30], "a.tsv.gz", "is cut off or damaged after line"),
    "one column": ("a.tsv", b"hello world\nbye\n", "a.tsv",
                   "at least 2 columns.*from columns 1 and 2; the first has 1: 'hello world'.*--columns"),
    "all rejected": ("a.tsv", b"a\t\n\tb\n\tc\n", "a.tsv", "all 3 are rejected: 2 empty source, 1 empty target"),
    "a NUL in the name": ("a.tsv", PAIRS, "a\0.tsv", "there is no file"),
    "a name too long": ("a.tsv", PAIRS, "a" * 5000, "there is no file"),
}


@pytest.mark.parametrize("name, content, asked, words", BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_used_is_refused_in_words(tmp_path, name, content, asked, words):
    written(tmp_path, name, content)
    with pytest.raises(CorpusError, match=f"(?s){words}"):
        read(str(tmp_path / asked))
    with pytest.raises(CorpusError, match=f"(?s){words}"):
        prepare(Data(train=(str(tmp_path / asked),)), tmp_path / "run")
    assert not [path for path in tmp_path.glob("run/**/*") if path.is_file()]


def test_columns_are_chosen_and_counted_from_1(tmp_path):
    item = written(tmp_path, "a.tsv", b"a\tb\tc\n")
    assert read(item, columns=(3, 1))[0] == [("c", "a")]
    with pytest.raises(CorpusError, match="at least 4 columns.*the first has 3"):
        read(item, columns=(1, 4))


def test_parallel_files_are_read_side_by_side(tmp_path):
    source = written(tmp_path, "a.en", b"one\n\ntwo\tparts\n")
    target = written(tmp_path, "a.hi.gz", gzip.compress("एक\nx\nदो".encode()))
    pairs, log = read(f"{source},{target}")
    assert pairs == [("one", "एक"), ("two parts", "दो")] and log.rejects == {"empty source": 1}


@pytest.mark.parametrize("one, other, counts", [(5, 3, "5.*3"), (3, 5, "3.*5"), (1, 9000, "1.*9,000")])
def test_parallel_files_of_different_lengths_are_refused_with_both_counts(tmp_path, one, other, counts):
    item = ",".join(written(tmp_path, name, b"x\n" * count) for name, count in (("a", one), ("b", other)))
    with pytest.raises(CorpusError, match=f"equally many lines; '.*a' has {counts}"):
        read(item)


def test_a_pattern_reads_all_its_files_in_order_of_name(tmp_path):
    for name in "cab":
        written(tmp_path, f"{name}.tsv", name.encode() + b"\tx\n")
    assert read(str(tmp_path / "*.tsv"))[0] == [("a", "x"), ("b", "x"), ("c", "x")]


def test_a_comma_or_a_bracket_in_the_name_of_a_file_that_exists_is_part_of_the_name(tmp_path):
    assert read(written(tmp_path, "a,b[1].tsv", b"a\tb\n"))[0] == [("a", "b")]


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=200),
                 st.lists(st.sampled_from([b"a", b"\t", b"\n", b"\r", b"\0", b"\xff", b"\xe0\xa4\x95", b" ", b"x" * 9,
                                           b"\xef\xbb\xbf", b"\xe2\x80\x8b"]), max_size=40).map(b"".join)),
       st.booleans(), st.binary(max_size=3))
def test_any_bytes_are_read_and_rejected_line_for_line_or_refused(content, pack, garbage):
    with tempfile.TemporaryDirectory() as folder:
        item = written(Path(folder), "a.tsv", gzip.compress(content) + garbage if pack else content)
        log = Log()
        try:
            pairs = list(read_pairs(item, max_characters=8, log=log))
        except CorpusError:
            return
    assert len(pairs) + log.rejects.total() == content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
    for text in itertools.chain(*pairs):
        assert 0 < len(text) <= 8 and not set(text) & set("\t\r\n\0")


def corpus_of(words, rows, seed):
    """Rows of sentences that share sources and targets often, some but for case and punctuation."""
    chance = random.Random(seed)
    spell = [str.upper, str.title, lambda text: f"«{text}»!", lambda text: text]
    return [tuple(chance.choice(spell)(f"{side} {chance.randrange(words)}") for side in "st") for _ in range(rows)]


def prepared(folder, pairs, **settings_of_data):
    item = written(folder, "in.tsv", "".join(f"{source}\t{target}\n" for source, target in pairs).encode())
    return prepare(Data(train=(item,), **settings_of_data), folder / "run")


def sides_of(folder):
    splits = {path.stem: [line.split("\t") for line in lines_of(path)] for path in folder.glob("run/data/*.tsv")}
    return {name: [{comparable(row[side]) for row in rows} for side in (0, 1)] for name, rows in splits.items()}


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(5, 3000), st.integers(1, 400), st.integers(0, 9), st.integers(1, 50))
def test_no_source_and_no_target_is_on_two_sides_and_no_row_is_lost(words, rows, seed, held_out):
    pairs = corpus_of(words, rows, seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            summary = prepared(folder, pairs, held_out=held_out)
        except CorpusError as error:
            assert "at least 20" in str(error) or "connected" in str(error)
            return
        sides = sides_of(folder)
    for one, other in itertools.combinations(sides, 2):
        assert not sides[one][0] & sides[other][0] and not sides[one][1] & sides[other][1]
    lost = summary.rejects.get("duplicate pair", 0)  # of held-out pairs, which are there once; those of train stay
    assert sum(summary.pairs.values()) == len(pairs) - lost and min(summary.pairs.values()) > 0
    assert lost + summary.notices.get("duplicate pair", 0) == len(pairs) - len(set(pairs))
    assert max(summary.pairs["dev"], summary.pairs["test"]) <= 2 * max(1, min(held_out, len(set(pairs)) // 20))


def test_the_automatic_split_has_the_size_asked_for_at_most_5_percent(tmp_path):
    pairs = [(f"s {i}", f"t {i}") for i in range(1000)]
    assert prepared(tmp_path, pairs, held_out=30).pairs == {"train": 940, "dev": 30, "test": 30}
    assert prepared(tmp_path, pairs, held_out=300).pairs == {"train": 900, "dev": 50, "test": 50}


def test_the_automatic_split_does_not_depend_on_the_order_of_rows(tmp_path):
    pairs = sorted(set(corpus_of(500, 600, 3)))
    prepared(tmp_path, pairs)
    first = {path.name: sorted(lines_of(path)) for path in tmp_path.glob("run/data/*.tsv")}
    prepared(tmp_path, random.Random(5).sample(pairs, len(pairs)))
    assert {path.name: sorted(lines_of(path)) for path in tmp_path.glob("run/data/*.tsv")} == first


def test_a_component_larger_than_the_held_out_set_stays_in_train(tmp_path):
    prepared(tmp_path, [("the same", f"t {i}") for i in range(50)] + [(f"s {i}", f"u {i}") for i in range(50)])
    assert "the same" in sides_of(tmp_path)["train"][0]


@pytest.mark.parametrize("pairs, words", [
    ([(f"s {i}", f"t {i}") for i in range(19)] * 2, "at least 20 different pairs.*got 19. Give a dev set"),
    ([("the same", f"t {i}") for i in range(100)], "nearly all of the 100 pairs are connected"),
])
def test_a_corpus_that_cannot_be_split_asks_for_a_dev_set(tmp_path, pairs, words):
    with pytest.raises(CorpusError, match=words):
        prepared(tmp_path, pairs)
    assert prepared(tmp_path, pairs, dev=(written(tmp_path, "dev.tsv", PAIRS),)).pairs["dev"] == 40


def test_given_sets_stay_whole_and_what_they_share_with_train_is_counted(tmp_path):
    dev = written(tmp_path, "dev.tsv", b"S 1!\tx\nS 1!\tx\nnew\ty\n")
    summary = prepared(tmp_path, [(f"s {i}", f"t {i}") for i in range(30)], dev=(dev,))
    assert summary.pairs == {"train": 30, "dev": 3}
    assert summary.notices == {"sources of dev in train as well": 2} and summary.rejects == {}
    folder = tmp_path / "run" / "data"
    assert overlaps(Rows(folder / "dev.tsv"), Rows(folder / "train.tsv")).tolist() == [True, True, False]


def test_extra_pairs_are_trained_on_alone_and_never_those_with_a_held_out_sentence(tmp_path):
    pairs, folder = [(f"s {i}", f"t {i}") for i in range(100)], tmp_path / "run" / "data"
    prepared(tmp_path, pairs)
    before = {path.stem: lines_of(path) for path in folder.glob("*.tsv")}
    (_, target), (source, _) = (before[name][0].split("\t") for name in ("dev", "test"))
    again = before["train"][0]
    extra = written(tmp_path, "extra.tsv", f"made up\t{target.upper()}!\nnew\tneu\n{source}\tmade up\n{again}\n".encode())
    summary = prepared(tmp_path, pairs, extra=(extra,))
    assert {path.stem: lines_of(path) for path in folder.glob("*.tsv")} == before | {"train": [*before["train"], "new\tneu", again]}
    assert [line.split("\t")[:3] for line in lines_of(tmp_path / "run" / "rejects.tsv")[1:]] == [
        [extra, line, "extra pair with a held-out sentence"] for line in ("1", "3")]
    assert summary.notices == {"extra pair": 2, "duplicate pair": 1}


def test_extra_pairs_that_share_a_source_with_a_given_set_are_counted(tmp_path):
    dev, extra = written(tmp_path, "dev.tsv", b"x\ty\n"), written(tmp_path, "extra.tsv", b"X!\tz\n")
    summary = prepared(tmp_path, [(f"s {i}", f"t {i}") for i in range(30)], dev=(dev,), extra=(extra,))
    assert summary.pairs == {"train": 31, "dev": 1} and summary.notices == {"extra pair": 1, "sources of dev in train as well": 1}


def test_extra_series_are_refused(tmp_path):
    made = Config().set(["data.source=series", "data.target=series", "train.monitor=mse", "data.train=a.csv", "data.extra=b.csv"])
    with pytest.raises(CorpusError, match="series take no extra files"):
        windows.prepare(made, tmp_path)


def test_with_test_sets_given_only_dev_is_split_off(tmp_path):
    tests = tuple(written(tmp_path, name, b"x\ty\n") for name in ("one/news.tsv", "two/news.tsv"))
    summary = prepared(tmp_path, [(f"s {i}", f"t {i}") for i in range(40)], test=tests)
    assert summary.pairs == {"train": 38, "dev": 2, "news": 1, "news-2": 1}


@pytest.mark.parametrize("settings_of_data, names", [
    ({}, ["train", "dev", "test"]),
    ({"dev": ("d",)}, ["train", "dev"]),
    ({"test": ("any.tsv",)}, ["train", "dev", "test"]),
    ({"dev": ("d", "e"), "test": ("x/News.en.gz,News.hi", "y/news*.tsv", "dev.tsv")},
     ["train", "dev", "news", "news-2", "dev-2"]),
])
def test_splits_are_named(settings_of_data, names):
    assert split_names(Data(**settings_of_data)) == names


def test_every_reject_stands_in_rejects_tsv_with_file_line_reason_and_text(tmp_path):
    item = written(tmp_path, "a.tsv", PAIRS + b"source 3\ttarget  3\n\xff\\\tx\nlonely \xe2\x80\xa8\n"
                   + b"y" * 999 + b"\tz\n")
    summary = prepare(Data(train=(item,), max_characters=500), tmp_path / "run")
    header, *rows = [line.split("\t") for line in lines_of(tmp_path / "run" / "rejects.tsv")]
    assert header == ["file", "line", "reason", "text"]
    assert rows == [[item, "42", "invalid UTF-8", "\\xff\\\\\\tx"], [item, "43", "too few columns", "lonely \\u2028"],
                    [item, "44", "longer than 500 characters", "y" * 200],
                    [item, "41", "duplicate pair", "source 3\\ttarget 3"]]
    assert Counter(row[2] for row in rows) == summary.rejects


def test_what_is_written_is_source_tab_target_normalized_with_lf(tmp_path):
    item = written(tmp_path, "a.tsv", "cafe\u0301 \ttarget\u00a0 x\r\n".encode() + PAIRS)
    prepare(Data(train=(item,), dev=(item,)), tmp_path / "run")
    assert (tmp_path / "run/data/dev.tsv").read_bytes() == "café\ttarget x\n".encode() + PAIRS


def test_input_that_would_be_overwritten_is_refused(tmp_path):
    item = written(tmp_path, "run/data/train.tsv", PAIRS)
    with pytest.raises(CorpusError, match="lies where the run writes its own splits"):
        prepare(Data(train=(item,)), tmp_path / "run")
    assert Path(item).read_bytes() == PAIRS


def test_a_training_corpus_is_required(tmp_path):
    with pytest.raises(CorpusError, match="a training corpus is required; none is named"):
        prepare(Data(), tmp_path)


def test_a_failure_leaves_the_files_of_an_earlier_run_as_they_were(tmp_path):
    prepare(Data(train=(written(tmp_path, "a.tsv", PAIRS),)), tmp_path / "run")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    bad = written(tmp_path, "bad.tsv.gz", gzip.compress(PAIRS)[:-9])
    with pytest.raises(CorpusError):
        prepare(Data(train=(str(tmp_path / "a.tsv"), bad)), tmp_path / "run")
    assert before.items() <= {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}.items()


def test_the_summary_prints_counts_lengths_and_samples(tmp_path):
    item = written(tmp_path, "a.tsv", PAIRS + b"same\tsame\nx\t\n")
    text = str(prepare(Data(train=(item,)), tmp_path / "run"))
    assert "train 37   dev 2   test 2" in text and "1 empty target (see rejects.tsv)" in text
    assert "1 source equals target" in text and "  source        8.6       9       9       9" in text
    assert "sample      source" in text


def test_progress_grows_to_the_size_of_all_files(tmp_path):
    content = b"".join(b"s %d\tt %d\n" % (i, i) for i in range(20_000))
    items = written(tmp_path, "a.tsv", content), written(tmp_path, "b.tsv.gz", gzip.compress(PAIRS))
    heard = []
    prepare(Data(train=items), tmp_path / "run", lambda done, total: heard.append((done, total)))
    total = sum(Path(item).stat().st_size for item in items)
    assert len(heard) > 4 and heard == sorted(heard) and heard[-1] == (total, total)


def test_components_are_those_of_a_plain_search():
    for seed in range(30):
        chance = random.Random(seed)
        sources, targets = ([chance.randrange(chance.choice((9, 60))) for _ in range(60)] for _ in range(2))
        label = list(range(60))
        for _ in range(60):
            for a, b in itertools.combinations(range(60), 2):
                if sources[a] == sources[b] or targets[a] == targets[b]:
                    label[a] = label[b] = min(label[a], label[b])
        found = components(np.array(sources, np.uint64), np.array(targets, np.uint64)).tolist()
        assert len(set(zip(found, label))) == len(set(found)) == len(set(label))


def test_a_chain_of_a_hundred_thousand_rows_is_one_component_soon():
    links = np.arange(100_000, dtype=np.uint64)
    shuffled = np.random.default_rng(1).permutation(links)
    assert len(set(components(shuffled // 2, (shuffled + 1) // 2).tolist())) == 1


def test_repeated_marks_all_but_the_first():
    assert repeated(np.array([3, 1, 3, 2, 1, 3])).tolist() == [False, False, True, False, True, True]
    assert repeated(np.array([])).tolist() == []


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\n", b"")), max_size=30), st.booleans())
def test_rows_by_number_are_the_lines_of_the_file(texts, ended):
    lines = [text + b"\t" + text[::-1] for text in texts]
    content = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.tsv"
        path.write_bytes(content)
        for rows in (Rows(path), Rows(path)):  # the second takes the index that the first has saved
            expected = [tuple(line.split(b"\t", 1)) for line in lines]
            assert list(rows) == expected and len(rows) == len(lines)
            order = random.Random(1).sample(range(-len(lines), len(lines)), len(lines))
            assert list(zip(*rows.read(order), strict=True)) == [expected[i] for i in order]
            with pytest.raises(IndexError):
                rows[len(lines)]


def test_the_index_is_made_anew_when_missing_damaged_or_of_another_file(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_s2s.rows.CHUNK", 7)
    path = Path(written(tmp_path, "rows.tsv", PAIRS))
    index = tmp_path / "rows.index.npy"
    assert len(Rows(path)) == 40
    good = index.read_bytes()
    stale = io.BytesIO()
    np.save(stale, np.array([1, 2, 3]))
    for damaged in (b"", b"noise", good[:-8], good[:60], stale.getvalue(), None):
        index.unlink() if damaged is None else index.write_bytes(damaged)
        assert Rows(path)[39] == (b"source 39", b"target 39") and index.read_bytes() == good
    path.write_bytes(b"a\tb\n")
    assert list(Rows(path)) == [(b"a", b"b")]


def test_rows_of_a_folder_that_cannot_be_written_to_are_read_all_the_same(tmp_path):
    path = Path(written(tmp_path, "rows.tsv", PAIRS))
    (tmp_path / "rows.index.npy").mkdir()  # in the way of the index
    assert len(Rows(path)) == 40


def test_rows_that_are_missing_or_were_changed_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="cannot be read: No such file.*Prepare the corpus again"):
        Rows(tmp_path / "no.tsv")
    rows = Rows(written(tmp_path, "rows.tsv", b"a\tb\nlonely\n"))
    with pytest.raises(CorpusError, match="line 2 of .* must hold a source, a TAB and a target; got b'lonely"):
        rows[1]


def test_rows_that_were_cut_off_meanwhile_are_refused_and_nothing_crashes(tmp_path):
    path = Path(written(tmp_path, "rows.tsv", PAIRS))
    rows = Rows(path)
    with open(path, "r+b") as file:
        file.truncate(len(PAIRS) - 5)  # within the last target
    assert rows[38] == (b"source 38", b"target 38")
    with pytest.raises(CorpusError, match="line 40 of .* got b'source 39.ttarge'.*The file was changed"):
        rows[39]
    path.write_bytes(b"")
    with pytest.raises(CorpusError, match="line 1 of .* got b''"):
        rows[0]


def test_threads_share_rows(tmp_path):
    rows = Rows(written(tmp_path, "rows.tsv", PAIRS))
    order = random.Random(1).choices(range(40), k=4000)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(rows.__getitem__, order)) == [(b"source %d" % i, b"target %d" % i) for i in order]


def test_reading_needs_no_tensorflow():
    code = "import sys, keras_s2s.corpus; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False).returncode == 0


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason="the real corpora are not beside the checkout")
@pytest.mark.parametrize("name, rows", [("hvg-en-hi", 28_930), ("tatoeba-en-hi", 1_786), ("dakshina-hi", 44_204)])
def test_real_corpora_are_read_whole_and_split_without_a_leak(tmp_path, name, rows):
    item = DATA / name / ("pairs.tsv" if name == "tatoeba-en-hi" else "train.tsv")
    summary = prepare(Data(train=(str(item),)), tmp_path / "run")
    assert sum(summary.pairs.values()) + sum(summary.rejects.values()) == rows
    assert set(summary.rejects) <= {"duplicate pair"}
    sides = sides_of(tmp_path)
    for one, other in itertools.combinations(sides, 2):
        assert not sides[one][0] & sides[other][0] and not sides[one][1] & sides[other][1]
