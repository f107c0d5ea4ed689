"""presets.py: every named configuration can be built and keeps what its words promise."""

import pytest

from keras_s2s.config import Config
from keras_s2s.model import EncoderDecoder
from keras_s2s.presets import PRESETS
from keras_s2s.sources import SOURCES
from keras_s2s.targets import TARGETS
from small import PAIRS

NAMED = ["context", "attention", "gru", "deep", "transliteration", "g2p", "tiny"]


def test_the_presets_that_the_documentation_names_are_there():
    assert set(NAMED) <= set(PRESETS)


def test_the_first_preset_is_the_classic_model():
    assert next(iter(PRESETS)) == "context"
    assert PRESETS["context"][1].model.attention == "none"
    assert PRESETS["context"][1].data == Config().data


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_builds_a_model_and_comes_back_from_json(name):
    words, made = PRESETS[name]
    assert words and Config.from_json(made.to_json()) == made
    small = made.set(["model.units=8", "model.embedding_dim=8"])
    if (small.data.source, small.data.target) == ("text", "text"):
        EncoderDecoder(small, SOURCES[small.data.source].fit(small, [pair[0] for pair in PAIRS]),
                       TARGETS[small.data.target].fit(small, [pair[1] for pair in PAIRS]))


def test_presets_are_what_they_say():
    made = {name: config for name, (_, config) in PRESETS.items()}
    assert made["gru"].model.cell == "gru"
    assert made["attention"].model.attention != "none" and made["attention"].model.bidirectional
    assert made["deep"].model.num_layers >= 4
    assert made["transliteration"].data.source_tokenizer == made["transliteration"].data.target_tokenizer == "characters"
    assert (made["g2p"].data.source_tokenizer, made["g2p"].data.target_tokenizer) == ("characters", "words")
