"""Captions of scenes that are composed of scikit-learn's handwritten digits: real scans, no download. Some minutes.

    python tests/benchmarks/captions.py FOLDER [--scenes 12000] [--set NAME=VALUE ...]

Writes FOLDER/train, dev and test in Flickr8k's layout (Images/ and captions.txt, two captions a scene: "a three left of a seven",
"a seven right of a three"), trains `--preset caption` on them, and prints exact match, BLEU and CIDEr beside what the most frequent
caption and the caption of the nearest training scene (by pixels) would get. No scan of the test set was seen in training, and no
test scene's combination of digits, numbers and place either.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLURALS = ("zeros", "ones", "twos", "threes", "fours", "fives", "sixes", "sevens", "eights", "nines")
PLACES = {"left of": ("right of", 0), "above": ("below", 1)}  # said from the other side, the axis that it is along
SETTINGS = ["image.filters=32,64,128,192", "train.batch_tokens=1024", "train.epochs=26"]  # besides the preset's
SIZE = 64  # pixels of a scene's side
HELD_OUT = 5  # one combination of so many is in dev and test alone
PARTS = {"train": (0, 1437), "dev": (1437, 1617), "test": (1617, 1797)}  # which scans, once they are shuffled


class Scene(NamedTuple):
    """What stands where."""

    first: int
    many: int  # of the first: 1 or 2
    place: str
    second: int
    others: int

    @property
    def captions(self) -> tuple[str, str]:
        one, other = phrase(self.first, self.many), phrase(self.second, self.others)
        return f"{one} {self.place} {other}", f"{other} {PLACES[self.place][0]} {one}"

    @property
    def held_out(self) -> bool:
        return hashlib.sha256(self.captions[0].encode()).digest()[0] % HELD_OUT == 0


def phrase(digit: int, many: int) -> str:
    return f"two {PLURALS[digit]}" if many == 2 else f"{'an' if digit == 8 else 'a'} {WORDS[digit]}"


def scenes(random: np.random.Generator, held_out: bool) -> Iterator[Scene]:
    while True:
        scene = Scene(int(random.integers(10)), int(random.integers(1, 3)), str(random.choice(list(PLACES))),
                      int(random.integers(10)), int(random.integers(1, 3)))
        undecided = scene.first == scene.second and scene.many == scene.others == 2  # four in a square: left of, or above?
        if scene.held_out == held_out and not undecided:
            yield scene


def drawn(scene: Scene, scans: dict[int, list[np.ndarray]], random: np.random.Generator) -> np.ndarray:
    """The scene as ink on paper, uint8 [SIZE, SIZE]: each group in its half, no two digits one over the other."""
    from PIL import Image

    paper, axis = np.zeros((SIZE, SIZE)), PLACES[scene.place][1]
    half = SIZE // 2
    for number, (digit, many) in enumerate(((scene.first, scene.many), (scene.second, scene.others))):
        for place in range(many):
            side = int(random.integers(18, 23))
            across = number * half + int(random.integers(1, half - side))
            # One alone stands near the middle, so that what is left of another is not above it as well.
            along = place * half + int(random.integers(1, half - side)) if many == 2 else (
                (SIZE - side) // 2 + int(random.integers(-8, 9)))
            x, y = (across, along) if axis == 0 else (along, across)
            scan = scans[digit][random.integers(len(scans[digit]))]
            written = Image.fromarray((scan * 15.9).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
            ink = np.asarray(written.rotate(random.uniform(-12, 12), Image.Resampling.BICUBIC))
            paper[y:y + side, x:x + side] = np.maximum(paper[y:y + side, x:x + side], ink)
    light = random.uniform(0.7, 1.0)
    return np.clip(235 - light * paper * 0.85 + random.normal(0, 4, paper.shape), 0, 255).astype(np.uint8)


def write(folder: Path, name: str, count: int) -> None:
    """A set in Flickr8k's layout, unless it is there."""
    from PIL import Image
    from sklearn.datasets import load_digits

    if (folder / name / "captions.txt").exists():
        return
    digits, (low, high) = load_digits(), PARTS[name]
    chosen = np.random.default_rng(0).permutation(len(digits.images))[low:high]
    scans = {digit: [digits.images[i] for i in chosen if digits.target[i] == digit] for digit in range(10)}
    random = np.random.default_rng(list(PARTS).index(name))
    (folder / name / "Images").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, scene in zip(range(count), scenes(random, name != "train")):
        Image.fromarray(drawn(scene, scans, random)).save(folder / name / "Images" / f"{number:05}.png")
        rows += [(f"{number:05}.png", caption) for caption in scene.captions]
    with open(folder / name / "captions.txt", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])


def naive(run: Path) -> dict[str, dict[str, float]]:
    """Scores of captions that no model made."""
    from keras_s2s import metrics
    from keras_s2s.media import FileRows
    from keras_s2s.references import score

    train, test = FileRows(run / "data" / "train.tsv"), FileRows(run / "data" / "test.tsv")
    captions: dict[int, list[str]] = {}
    for row, item in enumerate(test.items.tolist()):
        captions.setdefault(item, []).append(test.texts[row][1].decode())
    first = {item: train.texts[row][1].decode() for row, item in reversed(list(enumerate(train.items.tolist())))}
    usual = Counter(text.decode() for _, text in train.texts).most_common(1)[0][0]
    seen = np.stack([train.array(item).mean(-1).reshape(-1) for item in first]).astype(np.float32)
    norms, names = (seen ** 2).sum(1), list(first)
    nearest = [first[names[int(np.argmin(norms - 2 * seen @ test.array(item).mean(-1).reshape(-1).astype(np.float32)))]]
               for item in captions]
    found = {}
    for who, said in (("the most frequent caption", [usual] * len(captions)), ("that of the nearest scene", nearest)):
        scores, _ = score(said, list(captions.values()))
        flat = [(text, reference, str(i)) for i, (text, right) in enumerate(zip(said, captions.values())) for reference in right]
        found[who] = scores | {"exact_match": metrics.score(*map(list, zip(*flat))).exact_match}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=12_000)
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    for name, count in (("train", arguments.scenes), ("dev", 500), ("test", 1000)):
        write(arguments.folder, name, count)
    run = arguments.folder / "run"
    data = [f"--{option}={arguments.folder / name / 'captions.txt'}" for option, name in (
        ("data", "train"), ("dev", "dev"), ("test", "test"))]
    extra = ["--set", *SETTINGS, *arguments.set]
    how = ["--resume"] if (run / "config.json").exists() else ["--preset", "caption", *data, *extra]
    subprocess.run([sys.executable, "train.py", "--run", str(run.resolve()), *how], cwd=ROOT, check=True)
    metrics = json.loads((run / "metrics.json").read_text())
    print(f"{'1,000 scenes of scans and combinations never seen':<52}{'exact %':>9}{'BLEU-4':>8}{'CIDEr':>7}")
    for who, row in {"this run": metrics["test"], **naive(run)}.items():
        print(f"{who:<52}{row['exact_match']:>9.1f}{row['bleu']:>8.1f}{row['cider']:>7.2f}")
    print(f"trained {metrics['training']['seconds'] / 60:.1f} min, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
