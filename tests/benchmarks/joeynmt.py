"""JoeyNMT, the peer: the same tokens and the same sizes, in an environment of its own.

    peer = joeynmt.Peer(folder)          # a virtual environment in folder/joeynmt, made on first use; some 6 GB
    peer.prepare(sets, vocabulary)       # pairs of texts whose tokens stand between spaces
    peer.train(updates)                  # target tokens a second
    peer.translate("test", beam_size)    # sentences a second, and seconds of the whole command
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from tests.benchmarks.peers import PeerError, environment, run

VERSION = "2.3.0"
CONFIG = """
name: peer
joeynmt_version: {version}
model_dir: {folder}/model
use_cuda: false
random_seed: 1
data:
  train: {folder}/train
  dev: {folder}/dev
  dataset_type: plain
  src: {{lang: source, max_length: 200, level: word, voc_limit: {vocabulary}, voc_min_freq: 1}}
  trg: {{lang: target, max_length: 200, level: word, voc_limit: {vocabulary}, voc_min_freq: 1}}
testing: {{beam_size: {beam}, beam_alpha: {alpha}, batch_size: 64, batch_type: sentence, max_output_length: {longest}}}
training:
  batch_size: {batch}
  batch_type: sentence
  optimizer: adam
  learning_rate: 0.001
  scheduling: exponential
  decrease_factor: 0.99
  clip_grad_norm: 1.0
  normalization: tokens
  epochs: 1000
  updates: {updates}
  validation_freq: {updates}
  logging_freq: {every}
  overwrite: true
model:
  initializer: xavier_uniform
  encoder: {{type: recurrent, rnn_type: lstm, embeddings: {{embedding_dim: {units}}}, hidden_size: {half}, bidirectional: true,
             num_layers: 1, dropout: 0.3}}
  decoder: {{type: recurrent, rnn_type: lstm, embeddings: {{embedding_dim: {units}}}, hidden_size: {units}, num_layers: 1,
             dropout: 0.3, hidden_dropout: 0.3, attention: luong, init_hidden: last, input_feeding: false}}
"""


class Peer:
    """JoeyNMT in a folder.

    Args:
        folder: of its environment and its model; kept between calls.
        units: of each layer and of the embeddings.
        batch: sentences of a training batch.
    """

    def __init__(self, folder: Path, units: int = 256, batch: int = 128):
        self.folder, self.units, self.batch = folder.resolve(), units, batch
        self.vocabulary = self.longest = 0
        self.python = environment(folder, "joeynmt", f"joeynmt=={VERSION}", "importlib_metadata")

    def prepare(self, sets: dict[str, list[tuple[str, str]]], vocabulary: int) -> None:
        """Writes its corpus: sets of pairs by name, train and dev among them, each a text of tokens between spaces."""
        self.vocabulary = vocabulary
        self.longest = 2 + max(len(target.split()) for pairs in sets.values() for _, target in pairs)
        for name, pairs in sets.items():
            for side, suffix in enumerate(("source", "target")):
                text = "".join(pair[side] + "\n" for pair in pairs)
                (self.folder / f"{name}.{suffix}").write_text(text, encoding="utf-8")

    def train(self, updates: int) -> float:
        """Target tokens a second over the last third of the updates, by its own log."""
        said = self._run("-m", "joeynmt", "train", str(self._config(updates, 1)), "--skip-test")
        found = re.findall(r"Tokens per Sec: +(\d+)", said)
        if not found:
            raise PeerError(f"JoeyNMT said no speed: {said[-400:]}")
        return float(found[-1])

    def translate(self, name: str, beam_size: int) -> tuple[float, float]:
        """Sentences a second of the generation by its own log, and seconds of the whole command."""
        sources = (self.folder / f"{name}.source").read_text(encoding="utf-8")
        begun = time.perf_counter()
        said = self._run("-m", "joeynmt", "translate", str(self._config(1, beam_size)), given=sources)
        whole = time.perf_counter() - begun
        found = re.findall(r"Generation took ([\d.]+)", said)
        return sources.count("\n") / (sum(map(float, found)) or whole), whole

    def _config(self, updates: int, beam: int) -> Path:
        path, every = self.folder / "config.yaml", max(1, updates // 3)
        path.write_text(CONFIG.format(
            version=VERSION, folder=self.folder, vocabulary=self.vocabulary, beam=beam, alpha=1.0 if beam > 1 else -1,
            longest=self.longest, batch=self.batch, updates=3 * every, every=every, units=self.units,
            half=self.units // 2))
        return path

    def _run(self, *arguments: str, given: str = "") -> str:
        done = run(self.python, *arguments, given=given, folder=self.folder)
        return done.stdout + done.stderr


if __name__ == "__main__":
    print(Peer(Path(sys.argv[1])).python)
