"""TensorBoard's pages as they are read back from the event files, and what the callbacks must never do."""

import dataclasses
import errno
import json
import os
import struct
from collections import defaultdict

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from small import begin, config, finish, write_tsv
from tensorboard.backend.event_processing import event_accumulator, event_file_loader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.projector import projector_plugin
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.util import tensor_util

from keras_s2s import eventlog, plots, workflow
from keras_s2s.eventlog import EventLog, tags_at
from keras_s2s.run import Run, build
from keras_s2s.watch import gradients, plain

SCALARS = {
    "train/loss", "train/perplexity", "train/accuracy", "train/gradient_norm", "train/learning_rate", "speed/tokens_per_second",
    "speed/memory_mib", "dev/loss", "dev/perplexity", "dev/accuracy", "dev/bleu", "dev/chrf", "dev/exact_match",
    "dev/length_ratio", "dev/repetition_rate", "final/dev_bleu", "final/dev_chrf", "final/test_bleu", "final/test_chrf"}


def events(logs):
    """Every event of a folder, as it was written."""
    return [Event.FromString(record) for path in sorted(logs.glob("events*"))
            for record in event_file_loader.RawEventFileLoader(str(path)).Load()]


def values(logs):
    """tag -> [(step, plugin, tensor, description)], as it was written."""
    found = defaultdict(list)
    for event in events(logs):
        for value in event.summary.value:
            found[value.tag].append((event.step, value.metadata.plugin_data.plugin_name,
                                     tensor_util.make_ndarray(value.tensor), value.metadata.summary_description))
    return dict(found)


def shown(logs, tag):
    """The steps of a curve as TensorBoard shows it."""
    read = event_accumulator.EventAccumulator(str(logs), size_guidance={"tensors": 0})
    read.Reload()
    return [event.step for event in read.Tensors(tag)] if tag in read.Tags()["tensors"] else []


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run without attention that shows everything, twice evaluated."""
    folder = tmp_path_factory.mktemp("watched")
    return Run.open(finish(folder / "run", config(
        f"data.train={write_tsv(folder / 'pairs.tsv')}", "train.epochs=2", "watch.every=1", "watch.histograms=true",
        "watch.profile=2,3", "watch.sentences=3", "watch.images=true", "watch.graph=true")))


def test_every_scalar_has_its_tag_and_plugin_and_scores_carry_their_signature(trained):
    found = {tag: rows for tag, rows in values(trained / "logs").items() if rows[0][1] == "scalars"}
    assert set(found) == SCALARS
    assert all(tensor.shape == () and tensor.dtype == np.float32 for rows in found.values() for _, _, tensor, _ in rows)
    signatures = json.loads((trained / "metrics.json").read_text())["dev"]["signatures"]
    for tag in ("dev/bleu", "dev/chrf", "final/test_bleu", "final/test_chrf"):
        assert found[tag][0][3] == f"`{signatures[tag.rpartition('_')[2].rpartition('/')[2]]}`"


def test_points_say_what_the_history_says(watched):
    found, history = values(watched.logs), watched.metrics()["training"]["history"]
    for name in ("loss", "bleu", "chrf", "length_ratio"):
        assert [(step, pytest.approx(float(tensor))) for step, _, tensor, _ in found[f"dev/{name}"]] \
            == [(entry["step"], entry[f"dev_{name}"]) for entry in history]


def test_the_table_of_translations_holds_the_same_sentences_each_time(watched):
    rows = values(watched.logs)["dev/translations"]
    assert [(plugin, tensor.shape) for _, plugin, tensor, _ in rows] == [("text", (4, 4))] * 2
    assert (rows[0][2][:, :2] == rows[1][2][:, :2]).all()
    sources = {plain(line.split("\t")[0]) for line in (watched.data / "dev.tsv").read_text().splitlines()}
    assert {cell.decode() for cell in rows[0][2][1:, 0]} <= sources


def test_attention_maps_are_pictures_of_the_size_they_say(trained):
    (step, plugin, tensor, _), = values(trained / "logs")["dev/attention"]
    assert plugin == "images" and tensor.shape == (2 + 4,)
    width, height = int(tensor[0]), int(tensor[1])
    for png in tensor[2:]:
        assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (width, height)
        assert len(np.unique(tf.io.decode_png(png).numpy().reshape(-1, 3), axis=0)) > 20  # not empty


def test_without_attention_the_map_of_context_vectors_takes_its_place(watched):
    rows = values(watched.logs)["dev/context"]
    assert [(plugin, tensor.shape) for _, plugin, tensor, _ in rows] == [("images", (3,))] * 2  # evaluations 1 and 2
    assert "dev/attention" not in values(watched.logs)


def test_histograms_count_every_weight_and_every_gradient(watched):
    found, variables = values(watched.logs), build(watched).training_model.trainable_variables
    tags = {tag for tag, rows in found.items() if rows[0][1] == "histograms"}
    assert len(tags) == 2 * len(variables)
    for kind in ("weights", "gradients"):
        sizes = sorted(found[tag][0][2][:, 2].sum() for tag in tags if tag.startswith(f"{kind}/"))
        assert sizes == sorted(float(tf.size(v)) for v in variables)
    assert all(tensor.shape == (30, 3) for tag in tags for _, _, tensor, _ in found[tag])


def test_gradients_are_those_of_the_mean_over_real_tokens():
    from small import build as small_build
    from small import example

    from keras_s2s.training import TeacherForced

    model = TeacherForced(small_build("model.dropout=0", "train.optimizer=sgd", "train.learning_rate=1", "train.clip_norm=0",
                                      "train.schedule=constant", "train.warmup_steps=0"), 1)
    batch = tf.data.Dataset.from_tensors(example(model.core))
    before = [v.numpy() for v in model.trainable_variables]
    found = gradients(model, batch)
    model.fit(batch, verbose=0)
    for old, gradient, variable in zip(before, found, model.trainable_variables):
        np.testing.assert_allclose(old - variable.numpy(), gradient, atol=1e-5)


def test_the_graph_is_that_of_the_training_model(trained):
    drawn = [tf.compat.v1.GraphDef.FromString(event.graph_def) for event in events(trained / "logs") if event.graph_def]
    assert len(drawn) == 1
    names = {node.name for node in drawn[0].node}
    tops = {name.split("/")[0] for name in names}
    assert {"source", "target_in"} <= tops
    assert all(any(top.startswith(layer) for top in tops) for layer in (
        "source_embedding", "target_embedding", "encoder", "decoder", "luong_attention", "projection"))
    assert all(given.lstrip("^").split(":")[0] in names for node in drawn[0].node for given in node.input)


def test_the_profiler_ran_over_the_steps_asked_for(watched, trained):
    assert list(watched.logs.glob("plugins/profile/*/*.xplane.pb"))
    assert not (trained / "logs" / "plugins").exists()


def test_hparams_hold_the_run_with_its_settings(watched):
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

    data = [value.metadata.plugin_data for event in events(watched.logs) for value in event.summary.value
            if value.tag == SESSION_START_INFO_TAG]
    assert [part.plugin_name for part in data] == ["hparams"]
    told = parse_session_start_info_plugin_data(data[0].content)
    assert told.group_name == "run"
    assert told.hparams["model.units"].number_value == 8 and told.hparams["model.cell"].string_value == "lstm"
    assert told.hparams["model.bidirectional"].bool_value == watched.config.model.bidirectional
    assert "watch.every" not in told.hparams


def test_the_projector_reads_both_vocabularies_with_their_pieces(trained):
    text = (trained / "logs" / "projector_config.pbtxt").read_text()
    parts = text_format.Parse(text, ProjectorConfig()).embeddings
    assert [part.tensor_name for part in parts] == ["source", "target"]
    core = build(Run.open(trained))
    for part, kind in zip(parts, (core.source, core.target)):
        table = projector_plugin._read_tensor_tsv_file(str(trained / "logs" / part.tensor_path))
        labels = (trained / "logs" / part.metadata_path).read_text().splitlines()
        assert table.shape == (len(kind.tokenizer.pieces), 32) and labels == kind.tokenizer.pieces


def test_watching_changes_nothing_in_what_is_learnt(tmp_path, watched):
    made = dataclasses.replace(watched.config, watch=config(
        "watch.embeddings=false", "watch.sentences=0", "watch.every=1000").watch)
    other = begin(tmp_path / "run", made)
    workflow.train(other, False)
    weights = []
    for run in (watched, other):
        core = build(run)
        run.checkpoints.restore_best(core.training_model.weights)
        weights.append([v.numpy() for v in core.training_model.weights])
    for one, two in zip(*weights):
        np.testing.assert_array_equal(one, two)


def test_a_resumed_run_shows_no_gap_and_no_doubled_point(tmp_path):
    made = config(f"data.train={write_tsv(tmp_path / 'pairs.tsv')}", "train.epochs=3", "watch.every=1",
                  "train.schedule=constant")
    run = begin(tmp_path / "run", made)
    workflow.train(run, False)
    steps = run.metrics()["training"]["steps"]
    length = steps // 3
    (run.path / "checkpoints" / f"step-{steps:08d}.json").unlink()  # killed before its last save: an epoch is made again
    workflow.train(Run.open(run.path), True)
    assert len(list(run.logs.glob("events*"))) == 2
    assert [step for step, *_ in values(run.logs)["train/loss"]] == list(range(1, steps + 1))
    assert shown(run.logs, "train/loss") == list(range(1, steps + 1))
    assert shown(run.logs, "dev/loss") == [length, 2 * length, steps]
    assert len(shown(run.logs, "_hparams_/session_start_info")) == 1


def test_points_after_the_resumed_step_are_taken_back_and_those_at_it_are_not_doubled(tmp_path):
    first = EventLog(tmp_path)
    for step in (10, 20, 30):
        first.scalars(step, {"loss": step})
    first.scalars(20, {"dev": 1.0})
    second = EventLog(tmp_path, after=20)
    second.scalars(20, {"dev": 2.0, "more": 2.0})  # an epoch's end that is scored again
    second.scalars(25, {"loss": 5.0})
    assert not second.fresh
    assert [shown(tmp_path, tag) for tag in ("loss", "dev", "more")] == [[10, 20, 25], [20], [20]]
    assert tags_at(tmp_path, 20) == {"loss", "dev", "more"} and tags_at(tmp_path, 30) == set()


def test_a_log_that_nothing_is_resumed_by_leaves_all_that_is_there(tmp_path):
    EventLog(tmp_path).scalars(30, {"loss": 1.0})
    EventLog(tmp_path).scalars(20, {"best": 1.0})
    assert shown(tmp_path, "loss") == [30] and shown(tmp_path, "best") == [20]


def test_the_mark_alone_takes_points_back_where_old_files_cannot_be_written(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    def fails(*given):
        raise OSError(errno.EROFS, "read-only")

    EventLog(tmp_path, after=0).scalars(30, {"loss": 1.0})
    monkeypatch.setattr(eventlog, "write_whole", fails)
    EventLog(tmp_path, after=20).scalars(25, {"loss": 1.0})
    read = EventAccumulator(str(tmp_path))
    read.Reload()
    assert [event.step for event in read.Tensors("loss")] == [25]


def test_a_file_that_was_cut_off_by_a_kill_is_no_obstacle(tmp_path):
    first = EventLog(tmp_path)
    first.scalars(1, {"loss": 1.0})
    first.scalars(2, {"loss": 2.0})
    path, = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    second = EventLog(tmp_path, after=1)
    second.scalars(2, {"loss": 2.5})
    assert shown(tmp_path, "loss") == [1, 2]


def test_a_disk_that_is_full_for_a_while_costs_only_the_points_of_that_while(tmp_path, monkeypatch, capsys):
    log, room, write = EventLog(tmp_path), [10**6], os.write

    def limited(file, content):
        """A disk that takes the part of a record for which there is room, and then nothing."""
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = content[:room[0]]
        room[0] -= len(part)
        return write(file, part)

    monkeypatch.setattr(eventlog.os, "write", limited)
    monkeypatch.setattr(EventLog, "RETRY", 0)
    log.scalars(1, {"loss": 1.0})
    room[0] = 20
    log.scalars(2, {"loss": 1.0})
    log.scalars(3, {"loss": 1.0})
    room[0] = 10**6
    log.scalars(4, {"loss": 1.0})
    assert shown(tmp_path, "loss") == [1, 4]
    said = capsys.readouterr().err
    assert said.count("cannot be written (No space left on device); training goes on without it.") == 1


def test_where_not_even_the_half_record_can_be_taken_back_a_new_file_begins(tmp_path, monkeypatch):
    log, write = EventLog(tmp_path), os.write
    log.scalars(1, {"loss": 1.0})

    def fails(*given):
        raise OSError(errno.EIO, "gone")

    monkeypatch.setattr(EventLog, "RETRY", 0)
    monkeypatch.setattr(eventlog.os, "write", fails)
    monkeypatch.setattr(eventlog.os, "ftruncate", fails)
    log.scalars(2, {"loss": 1.0})
    monkeypatch.setattr(eventlog.os, "write", write)
    log.scalars(3, {"loss": 1.0})
    assert len(list(tmp_path.iterdir())) == 2 and shown(tmp_path, "loss") == [1, 3]


def test_training_goes_on_where_logs_cannot_be_written(tmp_path, capsys):
    run = begin(tmp_path / "run", config(f"data.train={write_tsv(tmp_path / 'pairs.tsv')}", "train.epochs=1",
                                         "watch.histograms=true", "watch.profile=1,2"))
    run.logs.write_text("in the way")
    workflow.train(run, False)
    assert run.metrics()["training"]["steps"] > 0 and run.logs.read_text() == "in the way"
    assert "training goes on without it" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["*all* of_it <b>&amp;</b> [x](y) # 1. `c` | $", "क्या *हाल* है?", "- a\n"])
def test_text_reaches_the_page_as_it_is(text):
    from html import unescape

    from tensorboard.plugin_util import markdown_to_safe_html

    page = markdown_to_safe_html(plain(text))
    assert unescape(page.replace("<p>", "").replace("</p>", "")).strip() == text.strip()
    assert "<b>" not in page and "<em>" not in page


def test_lines_tell_scores_their_change_and_an_example_that_changes(tmp_path, capsys):
    run = begin(tmp_path / "run", config(f"data.train={write_tsv(tmp_path / 'pairs.tsv')}", "train.epochs=3",
                                         "train.monitor=exact_match"))
    capsys.readouterr()
    workflow.train(run, False)
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    told = [line for line in lines if line.startswith("epoch")]
    assert len(told) == 3 and "\r" not in "".join(lines)
    assert all(word in told[2] for word in ("dev loss", "exact %", "CER", "tokens/s")) and "(+" in told[2] + told[1]
    shown_examples = [line for line in lines if "->" in line and "(reference: " in line]
    assert len(set(shown_examples)) == len(shown_examples) == 3


def test_conjuncts_are_shaped_in_pictures():
    import matplotlib

    if tuple(map(int, matplotlib.__version__.split(".")[:2])) < (3, 11):
        pytest.skip("matplotlib shapes text from 3.11 on")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def width(text):
        figure, axes = plots.canvas(3, 3, [text])
        label = axes.text(0, 0, text, fontfamily=axes.families, fontsize=40)
        return label.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width

    assert "Noto Sans Devanagari" in plots.registered()
    assert width("क्ष") < 0.8 * (width("क") + width("ष"))


def test_a_missing_font_leaves_boxes_not_errors(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "FONTS", tmp_path)
    monkeypatch.setattr(plots, "_system_fonts", lambda script: ())
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    plots.registered.cache_clear()
    try:
        assert plots.families(["नमस्ते"]) == ["DejaVu Sans"]
        with pytest.warns(UserWarning, match="missing from font"):
            image, size = plots.png(plots.alignment(["नमस्ते"], ["a", "$b$"], [[0.5], [0.5]]))
    finally:
        plots.registered.cache_clear()
    assert tf.io.decode_png(image).shape[:2] == size[::-1]


def test_an_svg_is_xml_with_text_and_words_for_those_who_cannot_see_it():
    from xml.etree import ElementTree

    figure = plots.alignment(["▁a", "b"], ["क्या", "<eos>"], np.eye(2))
    text = plots.svg(figure, "one", "A <title>", "Said & done")
    root = ElementTree.fromstring(text)
    spell = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img" and root.find(f"{spell}title").text == "A <title>"
    assert root.find(f"{spell}desc").text == "Said & done"
    assert "क्या" in {node.text for node in root.iter(f"{spell}text")}
    names = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(set(names)) == len(names) and all(name.startswith("one-") for name in names)
    assert "var(--ink)" in text and plots.INK not in text and "font-family" not in text


def test_pictures_leave_pyplot_and_the_settings_alone():
    import matplotlib

    before = dict(dict.items(matplotlib.rcParams))  # reading `backend` by its name would choose one
    plots.svg(plots.curves({"a": ([1, 2], [3, 4]), "b": ([1], [2])}, "epoch"), "x", "t", "d")
    plots.png(plots.intervals(["1", "2"], {"BLEU": [(1, 0, 2), (2, 2, 2)]}, "x", "y"))
    plots.png(plots.histogram([0.1, 5.0], [0, 1, 2], "x", "y", 1.0))
    plots.png(plots.bars({"training": 3.0}, "seconds"))
    assert before == dict(dict.items(matplotlib.rcParams))


def test_an_event_file_that_cannot_be_read_back_is_no_obstacle_either(tmp_path):
    (tmp_path / "events.out.tfevents.1.v2").write_bytes(os.urandom(200))
    log = EventLog(tmp_path, after=3)
    log.scalars(4, {"loss": 1.0})
    assert len(list(tmp_path.iterdir())) == 2
