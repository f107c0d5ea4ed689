"""sentences.py: plain text becomes beginnings and what follows; no sentence is on two sides of a split."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_s2s import corpus
from keras_s2s.config import Config, Data
from keras_s2s.corpora import corpus_of
from keras_s2s.normalize import comparable
from keras_s2s.reading import Log
from keras_s2s.rows import CorpusError, Rows
from keras_s2s.run import Run
from keras_s2s.sentences import cuts, read_sentences, sentences
from small import SOURCES_OF

WORDS = st.lists(st.text("ab.कé", min_size=1, max_size=4), min_size=1, max_size=30).map(" ".join)


@given(sentence=WORDS, count=st.integers(1, 20))
def test_a_sentence_is_cut_at_different_spaces_and_always_at_the_same(sentence, count):
    places = cuts(sentence, count)
    assert places == cuts(sentence, count) == sorted(set(places))
    assert all(sentence[place] == " " for place in places) and len(places) == min(count, sentence.count(" "))


def test_cuts_lie_everywhere_in_a_sentence():
    said = {cuts(f"one two three four five six {number}", 1)[0] for number in range(200)}
    assert len(said) == 6


def test_a_text_is_parted_where_sentences_end():
    assert sentences('He said: "Go!" She went. क्या? हाँ। It is 3.5 m') == ['He said: "Go!"', "She went.", "क्या?", "हाँ।", "It is 3.5 m"]


def read(path, log=None, **settings):
    return list(read_sentences(str(path), Data(corpus="sentences", **settings), log or Log()))


def test_beginning_and_rest_are_the_sentence(tmp_path):
    (tmp_path / "a.txt").write_text("  A cat\u00a0sat on a mat. A dog ran.\n\nNo.\n", encoding="utf-8")
    log = Log()
    rows = read(tmp_path / "a.txt", log, cuts=3)
    assert {row.whole for row in rows} == {"A cat sat on a mat.", "A dog ran."} and len(rows) == 5
    assert all(f"{row.source} {row.target}" == row.whole and row.source and row.target for row in rows)
    assert dict(log.rejects) == {"a sentence of one word, which has nothing to follow from": 1}


def test_gzip_and_patterns_are_read_and_long_or_broken_lines_are_named(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"One two three.\n\xff\xfe four\n" + b"so long " * 200))
    log = Log()
    assert {row.whole for row in read(tmp_path / "*.gz", log)} == {"One two three."}
    assert dict(log.rejects) == {"invalid UTF-8": 1, "longer than 1,000 characters": 1}


@pytest.mark.parametrize("content, item, said", [
    ("word\nword\n", "a.txt", "must hold sentences of at least two words"),
    ("a b\n", "a.txt,a.txt", "sentences are read from one file each"), ("a b\n", "b.txt", "there is no file 'b.txt'")])
def test_what_gives_no_pairs_is_told(content, item, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(CorpusError, match=said):
        read(item)


def test_no_sentence_is_on_two_sides_though_all_begin_alike(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join([*SOURCES_OF, SOURCES_OF[0].upper(), SOURCES_OF[1]]), encoding="utf-8")
    data = Data(train=(str(tmp_path / "a.txt"),), corpus="sentences", cuts=3, held_out=9)
    corpus.prepare(data, tmp_path / "run")
    sides = [{comparable(b" ".join(pair).decode()) for pair in Rows(tmp_path / "run" / "data" / f"{name}.tsv")}
             for name in ("train", "dev", "test")]
    assert all(sides) and not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert set.union(*sides) == {comparable(sentence) for sentence in SOURCES_OF}


def test_without_text_there_is_nothing_to_learn(tmp_path):
    made = Config().set(["data.corpus=sentences"])
    with pytest.raises(CorpusError, match="next words are learnt from plain text; none is named. Give text files with --data"):
        corpus_of(made).prepare(Run(tmp_path, made))
