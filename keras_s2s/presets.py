"""Named configurations, as values in a table: `python train.py --preset attention`."""

from __future__ import annotations

from keras_s2s.config import Audio, Config, Data, Model, Search, Series, Train

CONTEXT = Config(model=Model(bidirectional=True))

ATTENTION = Config(
    data=Data(subword_sampling=0.2),
    model=Model(attention="scaled_luong", bidirectional=True, dropout=0.3),
    train=Train(epochs=20, label_smoothing=0.1, monitor="bleu"))

TRANSLITERATION = Config(
    data=Data(source_tokenizer="characters", target_tokenizer="characters"),
    model=Model(units=512, attention="scaled_luong", bidirectional=True, input_dropout=0.15, dropout=0.5,
                recurrent_dropout=0.25),
    train=Train(epochs=12, label_smoothing=0.1, monitor="exact_match"), search=Search(beam_size=5, analogy=0.4))

G2P = TRANSLITERATION.set([
    "data.target_tokenizer=words", "model.units=384", "model.num_layers=2", "model.embedding_dim=128", "model.input_dropout=0",
    "model.dropout=0.3", "model.recurrent_dropout=0", "train.epochs=15", "train.label_smoothing=0"])

NEXT_WORD = Config(
    data=Data(corpus="sentences", source_tokenizer="words", target_tokenizer="words"),
    model=Model(attention="luong", tied_embeddings=True, input_dropout=0.3, dropout=0.5),
    train=Train(epochs=8))

FORECAST = Config(
    data=Data(source="series", target="series"),
    series=Series(window=96, horizon=24, relative="difference", feedback=False),
    model=Model(units=64, embedding_dim=32, attention="luong", dropout=0.3),
    train=Train(epochs=10, batch_tokens=96 * 64, learning_rate=0.004, monitor="mse", patience=3))

CAPTION = Config(
    data=Data(source="image"),
    model=Model(attention="luong", bidirectional=True, dropout=0.3),
    train=Train(epochs=20, batch_tokens=64 * 64, learning_rate=0.002, monitor="cider"))

SPEECH = Config(
    data=Data(source="audio", target_tokenizer="characters"),
    audio=Audio(),
    model=Model(units=128, embedding_dim=128, attention="luong", bidirectional=True, dropout=0.3),
    train=Train(epochs=30, batch_tokens=2048, learning_rate=0.003, monitor="wer", evaluate_every=3))

PRESETS: dict[str, tuple[str, Config]] = {
    "context": ("the classic: the context vector alone carries the source, read both ways, to the decoder", CONTEXT),
    "attention": ("bidirectional encoder, scaled Luong attention, subword sampling: the translator to use", ATTENTION),
    "gru": ("the classic with GRU cells", CONTEXT.set(["model.cell=gru"])),
    "deep": ("four layers with residual connections, bidirectional encoder, attention after the decoder's first",
             ATTENTION.set(["model.num_layers=4", "model.residual_from=2", "model.attention_layer=1",
                            "train.warmup_steps=400"])),
    "transliteration": ("letters to letters, such as romanised Hindi to Devanagari", TRANSLITERATION),
    "g2p": ("spelling to phonemes: letters to space-separated words", G2P),
    "next-word": ("plain text to what follows: the next words, with probabilities, and how a sentence goes on", NEXT_WORD),
    "forecast": ("series to series: a CSV with a column of times; window, horizon and the like are --set series...", FORECAST),
    "caption": ("pictures to text: a CSV of image,caption, or lines of path TAB caption", CAPTION),
    "speech": ("recordings (WAV) to text: a TSV of path TAB text; sample rate, bands and the like are --set audio...", SPEECH),
    "tiny": ("seconds, not minutes: for tests and a first look", CONTEXT.set([
        "model.units=32", "model.embedding_dim=32", "train.epochs=2"])),
}
