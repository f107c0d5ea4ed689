"""config.py: settings are checked where they are made, and every message says what to do."""

import dataclasses
import json

import pytest

from keras_s2s.config import Config, Data, Model, Search, Train, parse_value, settings

WRONG = {
    "data.source=video": "`data.source` must be one of ",
    "data.source_tokenizer=sentencepeice": "must be one of sentencepiece, characters, words, bytes; got 'sentencepeice'. "
                                           "Did you mean 'sentencepiece'?",
    "data.corpus=sentence": "`data.corpus` must be one of pairs, sentences; got 'sentence'. Did you mean 'sentences'?",
    "data.cuts=0": "`data.cuts` must be between 1 and 20; got 0.",
    "data.columns=1": "`data.columns` must name two different columns counted from 1, such as 1,2; got 1.",
    "data.columns=2,2": "two different columns",
    "data.columns=0,1": "two different columns",
    "data.columns=a,b": "`data.columns` must be of type",
    "data.max_characters=0": "`data.max_characters` must be at least 1; got 0.",
    "data.held_out=0": "`data.held_out` must be at least 1; got 0.",
    "data.source_vocabulary_size=5": "must be 0 (chosen from the corpus) or at least 8; got 5.",
    "data.subword_sampling=-1": "`data.subword_sampling` must be between 0 and 10; got -1.0.",
    "model.cell=lstn": "`model.cell` must be one of lstm, gru; got 'lstn'. Did you mean 'lstm'?",
    "model.attention=loung": "Did you mean 'luong'?",
    "model.units=0": "`model.units` must be at least 1; got 0.",
    "model.units=many": "`model.units` must be of type int; got 'many'.",
    "model.num_layers=9": "`model.num_layers` must be between 1 and 8; got 9.",
    "model.residual_from=1": "`model.residual_from` must be at least 2; got 1.",
    "model.attention=luong model.attention_layer=2": "`model.attention_layer` must be between 0 and 1; got 2.",
    "model.attention_layer=1": "`model.attention_layer` 1 says where attention sits, and `model.attention` is none. Choose a kind",
    "model.embedding_dim=-3": "`model.embedding_dim` must be at least 1",
    "model.dropout=1": "`model.dropout` must be between 0 and 0.95; got 1.0.",
    "model.dropout=nan": "`model.dropout` must be between 0 and 0.95; got nan.",
    "model.bidirectional=perhaps": "`model.bidirectional` must be of type true or false; got 'perhaps'.",
    "model.bidirectional=true model.units=255": "`model.units` must be even when `model.bidirectional` is set; got 255. "
                                                "Use 254 or 256.",
    "model.tied_embeddings=true model.units=128": "`model.tied_embeddings` needs `model.embedding_dim` equal to `model.units`; "
                                                  "got 256 and 128.",
    "series.window=1": "`series.window` must be at least 2; got 1.",
    "series.horizon=0": "`series.horizon` must be at least 1; got 0.",
    "series.relative=differences": "`series.relative` must be one of none, difference, log; got 'differences'. Did you mean 'difference'?",
    "series.calendar=hour,month": "`series.calendar` must be one of hour, weekday, year; got 'month'.",
    "series.calendar=hour series.regular=false": "`series.calendar` needs `series.regular`",
    "series.loss=mae": "`series.loss` must be one of mse, huber, quantiles; got 'mae'.",
    "series.quantiles=0.1,0.9": "`series.quantiles` must rise between 0 and 1 and hold 0.5, such as 0.1,0.5,0.9; got 0.1,0.9.",
    "series.quantiles=0.9,0.5": "`series.quantiles` must rise",
    "series.split=0.8,0.2": "`series.split` must be three shares of the steps that are together at most 1, such as 0.7,0.1,0.2",
    "series.split=0.8,0.2,0.2": "`series.split` must be three shares",
    "series.season=200": "`series.season` must be at most `series.window` 96, so that a window holds one; got 200.",
    "train.optimizer=adamm": "`train.optimizer` must be one of sgd, momentum, adam, adamw; got 'adamm'",
    "train.schedule=cos": "`train.schedule` must be one of constant, linear, cosine, inverse_sqrt; got 'cos'.",
    "train.monitor=bleus": "`train.monitor` must be one of loss, bleu, chrf",
    "train.precision=float16": "`train.precision` must be one of float32, mixed_float16, mixed_bfloat16",
    "train.epochs=0": "`train.epochs` must be at least 1; got 0.",
    "train.learning_rate=0": "`train.learning_rate` must be above 0; got 0.0.",
    "train.learning_rate=inf": "`train.learning_rate` must be above 0; got inf.",
    "train.clip_norm=inf": "`train.clip_norm` must be at least 0; got inf.",
    "train.label_smoothing=1": "`train.label_smoothing` must be between 0 and 0.9; got 1.0.",
    "train.teacher_forcing=1.5": "`train.teacher_forcing` must be between 0 and 1; got 1.5.",
    "train.ema=1": "`train.ema` must be between 0 and 0.99999; got 1.0.",
    "train.seed=-1": "`train.seed` must be between 0 and",
    "search.beam_size=0": "`search.beam_size` must be between 1 and 100; got 0.",
    "search.n_best=0": "`search.n_best` must be at least 1; got 0.",
    "search.n_best=3 search.beam_size=2": "`search.n_best` must be at most `search.beam_size` 2; got 3. Ask for fewer answers",
    "search.top_p=0": "`search.top_p` must be above 0 and at most 1; got 0.0.",
    "search.temperature=1 search.beam_size=4": "sampling (`search.temperature` 1) and beam search (`search.beam_size` 4) "
                                               "exclude each other. Set one of them: temperature 0, or beam_size 1.",
    "model.unit=3": "there is no setting 'model.unit'. Did you mean model.units? `python train.py --settings` lists them all.",
    "epoch=3": "there is no setting 'epoch'. Did you mean train.epochs?",
    "dropuot=0.1": "Did you mean model.dropout?",
    "zzzz=1": "there is no setting 'zzzz'. `python train.py --settings` lists them all.",
    "model.units": "a setting is written section.field=value, such as model.units=512; got 'model.units'.",
}


@pytest.mark.parametrize("assignments", list(WRONG))
def test_a_wrong_setting_is_refused_with_what_to_do(assignments):
    with pytest.raises(ValueError) as caught:
        Config().set(assignments.split())
    assert WRONG[assignments] in str(caught.value)


def test_settings_are_set_by_full_name_or_by_field_where_one_section_has_it():
    made = Config().set(["model.units=512", "embedding_dim=64", "bidirectional=Yes", "data.columns=3,1", " dropout = 0.5 "])
    assert (made.model.units, made.model.embedding_dim, made.model.bidirectional) == (512, 64, True)
    assert (made.data.columns, made.model.dropout) == ((3, 1), 0.5)
    assert Config().model.units == 256


def test_settings_that_depend_on_each_other_are_checked_together():
    made = Config().set(["model.bidirectional=true", "model.units=6", "model.embedding_dim=6", "model.tied_embeddings=1"])
    assert made.model.units == 6


def test_a_tuple_is_parted_at_commas():
    """So a pair of parallel files cannot be given by --set: --data takes them."""
    assert Config().set(["data.train=a.en,a.hi"]).data.train == ("a.en", "a.hi")
    assert parse_value("data.columns", tuple[int, ...], "2,5") == (2, 5)


def test_a_configuration_comes_back_from_its_json():
    made = Config(Data(train=("a,b", "c"), columns=(3, 1)), Model(cell="gru", dropout=0), Train(ema=0.5), Search(beam_size=5))
    assert Config.from_json(made.to_json()) == made
    assert Config.from_json(json.dumps({**json.loads(made.to_json()), "versions": {"keras": "3"}})) == made


@pytest.mark.parametrize("change, message", [
    (lambda tree: tree.update(format=99), "the configuration must be of format 1; got 99. It was written by another version of "
                                          "keras_s2s: train again, or install that version."),
    (lambda tree: tree["model"].update(heads=8), "there is no setting 'model.heads' in this version of keras_s2s."),
    (lambda tree: tree["model"].update(units="many"), "`model.units` must be of type int; got 'many'."),
    (lambda tree: tree["model"].update(units=True), "`model.units` must be of type int; got True."),
    (lambda tree: tree["data"].update(train="a.tsv"), "`data.train` must be of type"),
    (lambda tree: tree["model"].update(units=-1), "`model.units` must be at least 1; got -1."),
    (lambda tree: tree.update(model=3), "section 'model' of the configuration must be an object; got int."),
])
def test_json_of_something_else_is_refused(change, message):
    tree = json.loads(Config().to_json())
    change(tree)
    with pytest.raises(ValueError) as caught:
        Config.from_json(json.dumps(tree))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "[]", '"text"'], ids=range(6))
def test_what_is_no_configuration_is_refused(text):
    with pytest.raises(ValueError, match="the configuration (is not JSON|must be of format 1)"):
        Config.from_json(text)


def test_every_setting_has_one_place_and_a_checked_type():
    names = [f"{section.name}.{field.name}" for section in dataclasses.fields(Config)
             for field in dataclasses.fields(getattr(Config(), section.name))]
    assert list(settings()) == names
    for name, kind in settings().items():
        section, _, field = name.partition(".")
        value = getattr(getattr(Config(), section), field)
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        assert parse_value(name, kind, shown) == value, name


def test_the_kinds_that_may_be_named_are_those_there_are():
    from keras_s2s import config, registry, tokenizers
    from keras_s2s.attention import ATTENTIONS
    from keras_s2s.recurrent import LAYERS

    for table in (registry.SOURCES, registry.TARGETS, registry.CORPORA):
        for name, entry in table.items():
            places = [place for place in (entry.kind, entry.corpus, entry.scoring) if place]
            assert all(registry.load(place).__doc__ for place in places), name
    assert set(config.TOKENIZERS) == set(tokenizers.TOKENIZERS)
    assert set(config.ATTENTIONS) == {"none", *ATTENTIONS}
    assert set(config.CELLS) == set(LAYERS)
