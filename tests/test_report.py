"""The report and the comparison of runs: all is there, nothing is fetched, and figures agree with metrics.json."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from keras_s2s import breakdown, comparison, maps, report, timing
from keras_s2s.cli import main
from keras_s2s.evaluation import keep, recall
from keras_s2s.page import Html, html, marked, table
from keras_s2s.run import Run, RunError
from keras_s2s.scoring.text import Translated

SECTIONS = ["Scores", "How it learnt", "Where it is good, and where not", "Translations", "Inside the model",
            "Where the time went", "Data", "Configuration", "Versions and sizes"]


class Balanced(HTMLParser):
    """Notes where tags do not close as they opened, the headings, and what is fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.fetched, self.ids = [], [], [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        self.fetched += [values[name] for name in ("src", "href", "xlink:href") if values.get(name)]
        if tag not in ("meta", "br", "use", "path", "image", "rect"):
            self.open.append(tag)
        if tag in ("script", "link", "iframe"):
            self.wrong.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in ("path", "image", "use", "rect"):
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the finished run."""
    return Path(shutil.copytree(trained, tmp_path / "one"))


def parsed(text):
    found = Balanced()
    found.feed(text)
    return found


def test_a_report_is_one_file_that_fetches_nothing(run):
    text = report.write(run).read_text()
    found = parsed(text)
    assert not found.wrong and not found.open
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in found.fetched)
    assert len(set(found.ids)) == len(found.ids)
    assert "url(http" not in text and "@import" not in text


def test_scores_have_a_picture_each_and_what_the_best_go_by_is_among_them(run):
    text = report.write(run).read_text()
    assert all(f"{label} of the dev set</figcaption>" in text for label in ("BLEU", "chrF")) and "exact % of the dev set" not in text
    settings = json.loads((run / "config.json").read_text())
    settings["train"]["monitor"] = "exact_match"
    (run / "config.json").write_text(json.dumps(settings))
    text = report.write(run).read_text()
    assert "exact % of the dev set</figcaption>" in text and "BLEU of the dev set" not in text


def test_a_report_has_every_section_and_leads_to_each(run):
    text = report.write(run).read_text()
    assert re.findall("<h2>(.*?)</h2>", text) == SECTIONS
    assert set(re.findall('<a href="#(.*?)">', text)) <= set(parsed(text).ids)
    told = json.loads((run / "metrics.json").read_text())
    for figure in (f"{told['test']['bleu']:.1f}", told["test"]["signatures"]["chrf"], "model.attention", "tensorflow",
                   f"{told['training']['weights']:,}", "No line was left out.", "The worst"):
        assert figure in text


def test_every_plot_has_a_title_and_a_description_with_figures(run):
    text = report.write(run).read_text()
    plots = re.findall(r'<svg[^>]*role="img"[^>]*><title[^>]*>(.*?)</title><desc[^>]*>(.*?)</desc>', text)
    assert len(plots) == text.count("<svg ") >= 8
    assert all(title and description for title, description in plots)
    history = json.loads((run / "metrics.json").read_text())["training"]["history"]
    assert any(f"{history[-1]['dev_loss']:.4g} in epoch {len(history)}" in description for _, description in plots)


def test_sentences_are_shown_as_they_are(run):
    done = recall(Run.open(run), "test")
    strange = "<script>alert('x')</script> & \"so\" on"
    keep(Run.open(run), "test", done._replace(hypotheses=[strange] * len(done.sources)))
    text = report.write(run).read_text()
    assert "<script>" not in text and "&lt;script&gt;" in text


def test_a_report_is_made_without_the_model(run):
    shutil.rmtree(run / "checkpoints")
    code = ("import sys; from pathlib import Path; from keras_s2s import report; report.write(Path(sys.argv[1])); "
            "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code, str(run)], cwd=Path(__file__).parents[1]).returncode == 0


def test_rejected_lines_are_counted_by_reason(run):
    (run / "rejects.tsv").write_text("file\tline\treason\ttext\n/there/a.tsv\t3\tempty target\tx\\ty\n"
                                     "/there/a.tsv\t9\tempty target\tz\nb.tsv\t1\tduplicate pair\tq\n")
    text = report.write(run).read_text()
    assert re.search(r'empty target</th><td class="number">2</td><td[^>]*>a\.tsv, line 3: x', text)
    assert "/there/" not in text


def test_exports_are_shown_with_their_parity(run):
    (run / "export").mkdir(exist_ok=True)
    (run / "export" / "report.json").write_text(json.dumps({
        "fitting": 997, "keras": {"bleu": 30.1, "chrf": 50.2},
        "saved_model": {"identical": 997, "bleu": 30.1, "bleu_difference": 0.0},
        "files": {"model-int8.tflite": {"passed": True, "identical": 950, "bleu": 30.05, "bleu_difference": -0.05, "chrf": 50.0,
                                        "chrf_difference": 0.1, "bytes": 2922600, "latency_ms": {"median": 1.23, "p95": 2}},
                  "bad.tflite": {"passed": False, "problem": "<wrong>"}}}))
    text = report.write(run).read_text()
    row = re.search("model-int8.tflite</th>(.*?)</tr>", text).group(1)
    assert re.findall("<td[^>]*>(.*?)</td>", row) == ["yes", "950", "30.1", "-0.05", "50.0", "+0.10", "2.92", "1.2", ""]
    assert "no: &lt;wrong&gt;" in text and "Of 997 answers of the dev set" in text


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"files": 3}'])
def test_a_report_of_exports_that_cannot_be_read_is_left_out(run, content):
    (run / "export").mkdir(exist_ok=True)
    (run / "export" / "report.json").write_text(content)
    assert "<h2>Exports</h2>" not in report.write(run).read_text()


def test_the_command_translates_what_is_missing_and_writes_where_it_is_told(run, tmp_path, capsys):
    shutil.rmtree(run / "evaluation")
    with pytest.raises(RunError, match=r"has no translations to report on yet. Finish it with: python train.py --run .* --res"):
        report.write(run)
    assert main(["report", str(run), "--output", str(tmp_path / "there.html")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "there.html")
    assert (tmp_path / "there.html").read_text().startswith("<!doctype html>")


def test_a_comparison_tells_differences_and_whether_they_are_chance(run, tmp_path, capsys):
    other = Path(shutil.copytree(run, tmp_path / "two"))
    done = recall(Run.open(run), "test")
    worse = [text.rpartition(" ")[0] for text in done.hypotheses]
    keep(Run.open(other), "test", done._replace(hypotheses=worse))
    told = json.loads((other / "metrics.json").read_text())
    told["test"]["bleu"] = 1.5
    (other / "metrics.json").write_text(json.dumps(told))
    assert main(["report", str(run), str(other)]) == 0
    file = Path(capsys.readouterr().out.strip())
    text = file.read_text()
    assert file == tmp_path / "comparison.html" and not parsed(text).wrong
    assert re.search(r"two</th><td class=\"number\">1\.5</td>.*?<td>-\d+\.\d \(p 0\.003\)</td>", text)
    assert "dev, " in text and "+0.0 (p 1.000)" in text  # the dev set is the same in both


def test_runs_that_share_no_set_are_not_compared(run, tmp_path):
    other = Path(shutil.copytree(run, tmp_path / "two"))
    for name in ("dev", "test"):
        done = recall(Run.open(other), name)
        keep(Run.open(other), name, done._replace(references=["x"] * len(done.sources)))
    with pytest.raises(ValueError, match="runs must share a set to be compared; .*keras-s2s compare"):
        comparison.write([run, other], tmp_path / "c.html")
    with pytest.raises(ValueError, match="a run is compared with itself"):
        comparison.write([run, run], tmp_path / "c.html")


def test_translations_are_kept_line_for_line(run):
    opened = Run.open(run)
    done = Translated(["a", "b"], ["c", "d"], ["tab\there\u2028and", ""], 1.0)
    keep(opened, "odd", done)
    assert recall(opened, "odd") == Translated(["a", "b"], ["c", "d"], ["tab here and", ""], 0.0)
    (run / "evaluation" / "odd.tsv").write_text("a\tb\n")
    assert recall(opened, "odd") is None and recall(opened, "none") is None


def test_parts_are_scored_as_the_sentences_in_them_alone():
    sources = ["one two"] * 12 + ["one two three four five six"] * 12 + ["x"] * 3
    references = ["the cat sat on the mat"] * 24 + ["y"] * 3
    hypotheses = ["the cat sat on the mat"] * 12 + ["the cat sat on a mat"] * 12 + ["y"] * 3
    sizes = [len(source.split()) for source in sources]
    rows = breakdown.by_length(sizes, (5, 10), references, hypotheses)
    assert [(row.name, row.sentences) for row in rows] == [("1-5", 15), ("6-10", 12)]
    assert rows[0].scores["chrf"] == (100, 100, 100) and rows[1].scores["chrf"][0] < 90
    (row,) = breakdown.by_length([4] * 12, (3, 5), ["y"] * 12, ["y"] * 3 + ["z"] * 9, ["exact_match"])
    assert row.scores["exact_match"][0] == 25 and 0 <= row.scores["exact_match"][1] < 25 < row.scores["exact_match"][2] < 60
    rows = breakdown.by_unseen(sources, references, hypotheses, {"one", "two", "x"})
    assert [(row.name, row.sentences) for row in rows] == [("none", 15), ("3 or more", 12)]


@pytest.mark.parametrize("text, expected", [("Hello, WORLD!", ["hello", "world"]), ("क्या, है?", ["क्या", "है"]),
                                            ("don't \u2014 stop", ["don't", "stop"]), ("", [])])
def test_words_are_bare_and_case_does_not_matter(text, expected):
    assert breakdown.words(text) == expected


def test_differing_words_are_marked_on_either_side():
    assert marked("a b c", "a x c", "wrong") == 'a <mark class="wrong">b</mark> c'
    assert marked("<a> b", "<a> b", "wrong") == "&lt;a&gt; b"
    assert "(nothing)" in marked("", "a", "wrong")


def test_html_is_escaped_once():
    assert html("<") == "&lt;" and html(Html("<b>")) == "<b>" and Html("<b>") + "<" == "<b>&lt;"
    assert table(("a",), []) == "" and '<td class="number">1,234</td>' in table(("a", "b"), [("x", 1234)])


def test_neighbours_in_the_map_are_those_of_the_vectors():
    random = np.random.default_rng(0)
    centres = random.normal(size=(5, 30)) * 10
    vectors = np.repeat(centres, 2, axis=0) + random.normal(size=(10, 30)) * 0.01
    points, explained = maps.project(vectors)
    assert {tuple(sorted(pair)) for pair in maps.neighbours(vectors, points)} <= {(i, i + 1) for i in range(0, 10, 2)}
    assert 0 < explained <= 1 and np.linalg.norm(points[0] - points[1]) < 0.1 * np.linalg.norm(points[0] - points[2])


def test_the_map_is_the_plane_of_most_variance():
    random = np.random.default_rng(1)
    vectors = random.normal(size=(40, 6)) * [9, 5, 1, 0.1, 0.1, 0.1]
    points, explained = maps.project(vectors)
    lengths = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(points, axis=0), lengths[:2])
    assert explained == pytest.approx((lengths[:2]**2).sum() / (lengths**2).sum())
    assert maps.project(np.ones((1, 4)))[0].shape == (1, 2) and maps.neighbours(np.ones((1, 4)), np.zeros((1, 2))) == []


def test_time_is_added_up_however_a_step_ends(tmp_path):
    class Fake:
        path = tmp_path

    @timing.timed("work")
    def work(run, fails):
        if fails:
            raise ValueError("no")
        return 5

    assert work(Fake, False) == 5
    with pytest.raises(ValueError, match="no"):
        work(Fake, True)
    timing.add(tmp_path, "work", 2.0)
    assert 2.0 <= timing.read(tmp_path)["work"] < 2.5
    (tmp_path / timing.FILE).write_text("[]broken")
    assert timing.read(tmp_path) == {}


@pytest.mark.parametrize("seconds, said", [(0.42, "0.4 s"), (45, "45 s"), (150, "2 min"), (7800, "2 h 10 min")])
def test_durations_are_said_in_fit_units(seconds, said):
    from keras_s2s.ledger import duration

    assert duration(seconds) == said
