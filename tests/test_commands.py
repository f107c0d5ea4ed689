"""translate, evaluate, compare and inspect on a trained run, as a person types them."""

import io
import json
import shutil
import sys

import pytest

from keras_s2s import cli
from small import NAMED, write_tsv

LINES = ["Asha sees a red tree.", "", "Ravi sees a big house.", "  ", "🙂", "Zaphod sees a new bird.", "\u0001x\x00y", "a" * 2000]


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs keras-s2s in this process: words, standard input -> exit status, output, messages."""
    def run(*words, stdin=b""):
        stream = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", stream)
        status = cli.main([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def predictor(trained):
    import keras_s2s

    return keras_s2s.load(trained)


def given(lines):
    return "".join(line + "\n" for line in lines).encode()


def test_translate_gives_a_line_for_each_line(command, trained, predictor):
    status, out, said = command("translate", trained, stdin=given(LINES))
    assert status == 0 and out.count("\n") == len(LINES)
    answers = out.split("\n")[:-1]
    assert answers[1] == answers[3] == ""
    assert [answers[0], answers[2]] == predictor.translate([LINES[0], LINES[2]])
    assert "line 8" in said and "longer than 1,000 characters" in said


def test_translate_takes_files_and_a_last_line_without_its_end(command, trained, predictor, tmp_path):
    (tmp_path / "one.txt").write_bytes(b"Asha sees a red tree.\nRavi sees a big house.")
    (tmp_path / "two.txt").write_bytes(b"Tara sees a new bird.\r\n\xff\xfe\n")
    status, out, _ = command("translate", trained, tmp_path / "one.txt", tmp_path / "two.txt")
    assert status == 0
    assert out.split("\n")[:3] == predictor.translate(["Asha sees a red tree.", "Ravi sees a big house.", "Tara sees a new bird."])
    assert out.count("\n") == 4


def test_translate_n_best_gives_n_lines_with_scores(command, trained, predictor):
    status, out, _ = command("translate", trained, "--n-best", 3, stdin=given(LINES[:1]))
    rows = [line.split("\t") for line in out.splitlines()]
    [answer] = predictor.with_search(beam_size=3, n_best=3).predict(LINES[:1])
    assert [text for _, text in rows] == answer.texts
    assert [float(score) for score, _ in rows] == pytest.approx(answer.scores, abs=1e-4)


def test_translate_json_holds_scores_and_the_alignment(command, trained, predictor):
    status, out, _ = command("translate", trained, "--json", "--beam-size", 2, "--n-best", 2, stdin=given(LINES[:3]))
    first, empty, third = map(json.loads, out.splitlines())
    assert first["source"] == LINES[0] and len(first["translations"]) == 2
    scores = [row["score"] for row in first["translations"]]
    assert scores == sorted(scores, reverse=True)
    alignment = first["alignment"]
    assert alignment["source"] == ["▁Asha", "▁sees", "▁a", "▁red", "▁tree", "."]
    assert alignment == predictor.alignment(LINES[0], first["translations"][0]["text"])
    assert len(alignment["weights"]) == len(alignment["target"]) and len(alignment["weights"][0]) == 6
    assert empty["translations"][0]["text"] == "" and empty.get("alignment") is None
    assert third["source"] == LINES[2]


def test_sampling_from_the_command_line_follows_its_seed(command, trained):
    sampled = [command("translate", trained, "--set", "temperature=2", "--seed", seed, stdin=given(LINES[:1] * 8))[1]
               for seed in (1, 1, 2)]
    assert sampled[0] == sampled[1] != sampled[2]


def test_evaluate_prints_a_table_or_json(command, trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    status, out, _ = command("evaluate", trained)
    assert status == 0 and {line.split()[0] for line in out.splitlines()[1:3]} == {"dev", "test"}
    status, out, _ = command("evaluate", trained, "--json")
    found = json.loads(out)
    for name in ("dev", "test"):
        assert found[name]["bleu"] == pytest.approx(metrics[name]["bleu"])
        assert found[name]["chrf"] == pytest.approx(metrics[name]["chrf"])
        assert found[name]["signatures"] == metrics[name]["signatures"]


def test_evaluate_on_other_data_tells_of_every_line_it_leaves_out(command, trained, tmp_path):
    data = tmp_path / "more.tsv"
    write_tsv(data, NAMED[:5])
    with open(data, "ab") as file:
        file.write(b"no columns\n\tempty source\n\xff\tbad bytes\n" + b"x" * 5000 + b"\tlong\n")
    (tmp_path / "other").mkdir()
    again = write_tsv(tmp_path / "other" / "more.tsv", NAMED[:3])
    status, out, said = command("evaluate", trained, "--data", data, again, "--json")
    found = json.loads(out)
    assert [row["sentences"] for row in found.values()] == [5, 3]
    assert "warning: 4 lines are not scored: " in said
    for reason in ("1 too few columns", "1 empty source", "1 invalid UTF-8", "1 longer than 1,000 characters",
                   f"{data}, line 6: too few columns"):
        assert reason in said, reason


def test_evaluate_reads_the_columns_that_it_is_told(command, trained, tmp_path):
    data = tmp_path / "numbered.tsv"
    data.write_text("".join(f"{i}\t{target}\t{source}\n" for i, (source, target) in enumerate(NAMED[:4])), encoding="utf-8")
    status, out, _ = command("evaluate", trained, "--data", data, "--columns", "3,2", "--json")
    assert json.loads(out)["numbered.tsv"]["exact_match"] == json.loads(
        command("evaluate", trained, "--data", write_tsv(tmp_path / "plain.tsv", NAMED[:4]), "--json")[1])["plain.tsv"]["exact_match"]


def test_compare_says_that_a_run_does_not_differ_from_itself(command, trained):
    status, out, _ = command("compare", trained, trained, "--json")
    found = json.loads(out)
    assert found["data"] == "test"
    for metric in ("bleu", "chrf"):
        assert found[metric]["difference"] == 0 and found[metric]["p_value"] == 1
    status, out, _ = command("compare", trained, trained)
    assert "p 1.000" in out


def test_compare_tells_a_worse_run(command, trained, tmp_path):
    """The same run, held to one token an answer by its own configuration: each run is searched as it says itself."""
    worse = shutil.copytree(trained, tmp_path / "worse")
    config = json.loads((worse / "config.json").read_text())
    config["search"]["max_length"] = 1
    (worse / "config.json").write_text(json.dumps(config))
    found = json.loads(command("compare", trained, worse, "--json")[1])
    assert found["chrf"]["difference"] < -10 and found["chrf"]["p_value"] < 0.05


def test_inspect_shows_settings_data_and_scores(command, trained):
    status, out, _ = command("inspect", trained)
    assert status == 0
    for words in ("model.attention", "luong", "120 pairs", "BLEU", "source.vocabulary.txt", "best_epoch"):
        assert words in out, words
    found = json.loads(command("inspect", trained, "--json")[1])
    assert found["settings (where not the default)"]["model.units"] == 32
