"""analogy.py: of a beam's hypotheses the one is liked that goes along with training pairs whose sources look alike."""

import random
import shutil

import pytest
import tensorflow as tf
from small import NAMED, finish, write_tsv

import keras_s2s
from export import parity, saved_model
from export.tflite import Phone, Sizes
from keras_s2s import analogy, cli, workflow
from keras_s2s.analogy import Analogies
from keras_s2s.presets import PRESETS
from keras_s2s.rows import CorpusError
from keras_s2s.run import Run
from keras_s2s.targets.text import Answer

SPOKEN = [("NORMAL", "N AO R M AH L"), ("ABNORMAL", "AE B N AO R M AH L"), ("ABNORMALITY", "AE B N AO R M AE L AH T IY"),
          ("ABSENT", "AE B S AH N T"), ("ABSENT", "AH B S EH N T"), ("BADLY", "B AE D L IY"), ("MADLY", "M AE D L IY")]


def test_points_are_those_of_the_definition_counted_by_hand():
    known = Analogies(SPOKEN, words=True)
    right, other = "AE B N AO R M AH L IY", "AH B N AO R M AH L IY"
    # ABNORMALLY begins like ABNORMAL (8 of 8 letters, 8 of 8 phonemes) and ABNORMALITY (8 of 11, so 8 of 10 phonemes, of which
    # 6 agree); it ends like no other in three letters.
    assert known.points("ABNORMALLY", [right, other]) == [(8 + 6) / 2, 0]
    # SADLY ends like BADLY and MADLY, both of 4 letters in 5, so in 4 of 5 phonemes; nothing begins like it.
    assert known.points("SADLY", ["S AE D L IY", "S EY D L IY", "S AE D L AY", ""]) == [4, 3, 0, 0]
    # ABSENTLY begins like ABSENT, of which that way of saying it counts that goes furthest along.
    assert known.points("ABSENTLY", ["AE B S AH N T L IY", "AH B S EH N T L IY", "AE B S EH N T L IY"]) == [6, 6, 3]
    # What was learnt from is left to the model.
    assert known.points("ABSENT", ["AE B S AH N T"]) == known.points("BADLY", ["B AE D L IY"]) == [0]
    assert known.points("XY", ["AE B"]) == known.points("", [""]) == [0]


def plainly(pairs, source, text, words):
    """The points as the definition reads: every source looked at."""
    total = 0.0
    for turn in (1, -1):
        sides = {}
        for known, target in pairs:
            tokens = target.split() if words else list(target)
            sides.setdefault(known[::turn], []).append(tokens[::turn])
        own, said = source[::turn], (text.split() if words else list(text))[::turn]

        def common(one, other):
            length = 0
            while length < min(len(one), len(other)) and one[length] == other[length]:
                length += 1
            return length

        most = max(common(own, known) for known in sides)
        near = [known for known in sides if common(own, known) == most >= analogy.LEAST and own not in sides]
        for known in near:
            total += max(min(common(said, tokens), -(-len(tokens) * common(own, known) // len(known)))
                         for tokens in sides[known]) / len(near)
    return total


@pytest.mark.parametrize("words", [True, False])
def test_points_are_those_of_a_search_of_all_pairs(words):
    drawn = random.Random(5)

    def text(letters, most):
        return (" " if words else "").join(drawn.choices(letters, k=drawn.randint(1, most)))

    pairs = [("".join(drawn.choices("abc", k=drawn.randint(2, 9))), text("xyz", 8)) for _ in range(60)]
    known = Analogies(pairs, words)
    sources = ["".join(drawn.choices("abc", k=drawn.randint(1, 9))) for _ in range(150)] + [source for source, _ in pairs[:20]]
    found = 0
    for source in sources:
        texts = [text("xyz", 8) for _ in range(3)]
        points = known.points(source, texts)
        assert points == pytest.approx([plainly(pairs, source, said, words) for said in texts])
        found += sum(points) > 0
    assert found > 50


def test_of_many_neighbours_the_nearest_are_asked(monkeypatch):
    monkeypatch.setattr(analogy, "MOST", 4)
    known = Analogies([(f"same{letter}", "x" if letter < "m" else "y") for letter in "abcdefnopqrs"], words=False)
    assert known.points("sameaa", ["x", "y"]) == [1, 0] and known.points("samerr", ["x", "y"]) == [0, 1]


def test_answers_are_ranked_by_scores_and_points():
    known = Analogies(SPOKEN, words=True)
    answer = Answer(["AH B N AO R M AH L IY", "AE B N AO R M AH L IY", "L"], [-0.5, -1.0, -9.0])
    assert known.ranked("ABNORMALLY", answer, 0.05, 2) == Answer(answer.texts[:2], [-0.5, -1 + 0.05 * 7])
    assert known.ranked("ABNORMALLY", answer, 0.1, 1) == Answer(answer.texts[1:2], [pytest.approx(-1 + 0.1 * 7)])


SOURCES = [source for source, _ in NAMED[:12]]


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """A run that answers as if what it learnt from began like its sources and said its own second best; and its two best."""
    path = tmp_path_factory.mktemp("analogy") / "run"
    shutil.copytree(trained, path)
    beams = keras_s2s.load(path).with_search(beam_size=4, n_best=4).predict(SOURCES)
    with open(path / "data" / "train.tsv", "w") as file:
        file.writelines(f"{source}!\t{answer.texts[1]}\n" for source, answer in zip(SOURCES, beams))
    Run(path, Run.open(path).config.set(["search.analogy=2", "search.beam_size=4"])).save_config()
    return path, [answer.texts[:2] for answer in beams]


def test_a_run_says_what_looks_alike_as_it_was_learnt(run):
    path, beams = run
    predictor, best, second = keras_s2s.load(path), *map(list, zip(*beams))
    assert predictor.translate(SOURCES) == second
    assert predictor.translate(SOURCES, analogy=0.0) == predictor.translate(SOURCES, beam_size=1) == best
    found = predictor.with_search(n_best=2).predict(["", *SOURCES])
    assert found[0].texts == ["", ""] and [answer.texts[0] for answer in found[1:]] == second
    assert all(answer.scores == sorted(answer.scores, reverse=True) and len(answer.texts) == 2 for answer in found)


def test_an_ensemble_looks_up_as_well_from_the_command_line(run, capsys, tmp_path):
    path, beams = run
    (tmp_path / "in.txt").write_text("\n".join(SOURCES[:9]))
    assert cli.main(["translate", str(path), str(tmp_path / "in.txt"), "--ensemble", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [second for _, second in beams[:9]]


def test_exports_answer_by_the_model_alone_and_say_so(run, tmp_path, capsys):
    path, beams = shutil.copytree(run[0], tmp_path / "run"), run[1]
    (path / "data" / "dev.tsv").write_text("".join(f"{source}\t{best}\n" for source, (best, _) in zip(SOURCES, beams)))
    served = tf.saved_model.load(str(saved_model.export(Run.open(path)))).signatures["translate"]
    assert [text.decode() for text in served(text=tf.constant(SOURCES))["text"].numpy()] == [best for best, _ in beams]
    predictor = keras_s2s.load(path)
    proof = parity.TextProof(Run.open(path), Phone(predictor, Sizes()), predictor)
    proof.saved_model(predictor)
    assert proof.tree["saved_model"]["identical"] == proof.tree["sentences"] == len(SOURCES)
    assert proof.pairs.keras == predictor.translate(SOURCES, beam_size=1)
    assert "note: a file answers by the model alone" in capsys.readouterr().err


def test_training_and_its_scores_ask_what_was_learnt_from(tmp_path, monkeypatch):
    def looked_up(self, source, answer, weight, n_best):
        assert self.words and weight == 5 and n_best == 1 and len(answer.texts) == 5
        return answer._replace(texts=[" ".join(self.beginning.targets[self.beginning.sources.index(source)][0])], scores=[0.0])

    monkeypatch.setattr(Analogies, "ranked", looked_up)
    data = str(write_tsv(tmp_path / "pairs.tsv", SPOKEN * 3))
    path = finish(tmp_path / "run", PRESETS["g2p"][1].set([
        f"data.train={data}", f"data.dev={data}", f"data.test={data}", "model.units=8", "model.embedding_dim=8", "train.epochs=1",
        "train.parts=1", "search.analogy=5", "watch.graph=false", "watch.images=false", "watch.embeddings=false"]))
    found = Run.open(path).metrics()
    assert found["training"]["history"][-1]["dev_exact_match"] == found["test"]["exact_match"] == 100


def test_what_analogies_need_is_said(run, forecaster, tmp_path):
    path = shutil.copytree(run[0], tmp_path / "run")
    (path / "data" / "train.tsv").unlink()
    with pytest.raises(CorpusError, match="analogies .`search.analogy`. are learned from the run's training set: the pairs in .*train.tsv' cannot be read"):
        keras_s2s.load(path).translate(["Asha sees a big tree."])
    for without in ({"analogy": 0.0}, {"beam_size": 1}):  # neither asks for them
        assert keras_s2s.load(path).translate(["Asha sees a big tree."], **without)
    with pytest.raises(ValueError, match="`search.analogy` must be between 0 and 100; got -1"):
        keras_s2s.load(path).with_search(analogy=-1.0)
    with pytest.raises(ValueError, match="`search.analogy` needs text on both sides; this run reads series and says series"):
        workflow.open_run(tmp_path / "other", Run.open(forecaster[0]).config.set(["search.analogy=1"]), False)
