"""Phonetisaurus, the peer for spelling to phonemes: a joint n-gram model in an environment of its own; some 15 MB.

    wrong = phonetisaurus.word_errors(folder, Path("train.tsv"), [Path("dev.tsv"), Path("test.tsv")])
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.peers import environment, run

VERSION = "0.3.0"


def word_errors(folder: Path, train: Path, sets: Sequence[Path]) -> list[float]:
    """Percent of each set's words that it gets wrong; a word is right if it equals any of its references.

    Args:
        folder: of its environment and its model, which is made anew.
        train, sets: TSV files of a word and its phonemes between spaces.

    Raises:
        PeerError: it cannot be had or does not run here.
    """
    folder = folder.resolve()
    python = environment(folder, "phonetisaurus", f"phonetisaurus=={VERSION}")
    lexicon, model = folder / "train.lexicon", folder / "g2p.fst"
    lexicon.write_text("".join(f"{word} {phonemes}\n" for word, phonemes in _pairs(train)), encoding="utf-8")
    run(python, "-m", "phonetisaurus", "train", "--model", str(model), str(lexicon), folder=folder)
    return [_wrong(python, model, path) for path in sets]


def _wrong(python: Path, model: Path, path: Path) -> float:
    references = defaultdict(set)
    for word, phonemes in _pairs(path):
        references[word].add(phonemes)
    done = run(python, "-m", "phonetisaurus", "predict", "--model", str(model), given="".join(f"{word}\n" for word in references))
    right = sum(phonemes in references[word] for word, _, phonemes in (line.partition(" ") for line in done.stdout.splitlines()))
    return 100 - 100 * right / len(references)


def _pairs(path: Path) -> list[tuple[str, str]]:
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [(row[0], " ".join(row[1].split())) for row in rows]
