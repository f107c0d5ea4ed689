"""Spoken digits: recordings nobody trained on, each speaker left out, and strings of digits; about 20 minutes on two cores.

    python tests/benchmarks/speech.py FOLDER [--parts digits strings speakers] [--work FOLDER]

FOLDER holds DIGIT_SPEAKER_INDEX.wav of the Free Spoken Digit Dataset (github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA
4.0). Tested are the recordings 5 to 9 of each speaker and digit, 10 to 12 are the dev set, those above train; 0 to 4, the data
set's own test, are left alone. The stride for digits was chosen by recordings 10 to 24 after training on those above. Strings are 3 to 7 recordings of one speaker with pauses between them and white noise over all,
composed for each set of that set's own recordings; in training there are shorter ones too. Naive: the training recording whose
spectrum, stretched to as many frames, is nearest; a string is cut at its pauses first.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np  # noqa: E402

from tests.benchmarks.training import tested  # noqa: E402

WORDS = "zero one two three four five six seven eight nine".split()
RATE = 8000
SETS = {"test": range(5, 10), "dev": range(10, 13), "train": range(13, 50)}
STRINGS = {"train": 3000, "dev": 150, "test": 300}
DIGITS = {"train": (1, 8), "dev": (3, 8), "test": (3, 8)}  # in a string; learning where to listen begins with the short ones
PAUSES, SNR = (0.05, 0.35), (15, 30)  # seconds; decibels
SETTINGS = ["audio.sample_rate=8000", "train.batch_tokens=512", "train.warmup_steps=50"]
PARTS = {"digits": [*SETTINGS, "audio.max_seconds=3", "audio.strides=2", "train.epochs=40", "train.evaluate_every=4"],
         "strings": [*SETTINGS, "audio.max_seconds=12", "audio.strides=2,2,2", "data.target_tokenizer=words", "train.batch_tokens=1024",
                     "train.epochs=16", "train.evaluate_every=2"],
         "speakers": [*SETTINGS, "audio.max_seconds=3", "train.epochs=16", "train.evaluate_every=4"]}
STEPS = 20  # frames that a recording is stretched to for the naive answer


def recordings(folder: Path) -> dict[str, dict[str, dict[int, list[Path]]]]:
    """set -> speaker -> digit -> files."""
    found: dict = {name: {} for name in SETS}
    for file in sorted(folder.glob("*_*_*.wav")):
        digit, speaker, index = file.stem.split("_")
        name = next((name for name, indices in SETS.items() if int(index) in indices), None)
        if name:
            found[name].setdefault(speaker, {}).setdefault(int(digit), []).append(file)
    return found


def listed(path: Path, speakers: dict[str, dict[int, list[Path]]]) -> Path:
    """A TSV of recordings and their words."""
    path.write_text("".join(f"{file.resolve()}\t{WORDS[digit]}\n" for digits in speakers.values()
                            for digit, files in digits.items() for file in files), encoding="utf-8")
    return path


def composed(folder: Path, name: str, speakers: dict[str, dict[int, list[Path]]]) -> Path:
    """A TSV of strings of digits, whose recordings are written beside it."""
    from keras_s2s import wav
    from keras_s2s.kind_settings import Audio

    audio, random = Audio(sample_rate=RATE), np.random.default_rng(list(name.encode()))
    (folder / name).mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(STRINGS[name]):
        digits = random.integers(0, 10, random.integers(*DIGITS[name])).tolist()
        speaker = speakers[sorted(speakers)[random.integers(len(speakers))]]
        parts = [np.zeros(int(RATE * random.uniform(*PAUSES)))]
        for digit in digits:
            file = speaker[digit][random.integers(len(speaker[digit]))]
            parts += [wav.decode(file.read_bytes(), audio) / 32768, np.zeros(int(RATE * random.uniform(*PAUSES)))]
        samples = np.concatenate(parts)
        noise = np.sqrt(np.mean(samples ** 2)) / 10 ** (random.uniform(*SNR) / 20)
        (folder / name / f"{number:04}.wav").write_bytes(wav.encode(samples + noise * random.normal(size=len(samples)), RATE))
        lines.append(f"{name}/{number:04}.wav\t{' '.join(WORDS[digit] for digit in digits)}\n")
    (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
    return folder / f"{name}.tsv"


class Nearest:
    """The naive answer: what was said in the training recording whose frames are nearest."""

    def __init__(self, rows, audio):
        self.audio = audio
        self.known = np.stack([self.frames(rows[i][0] / 32768) for i in range(len(rows))])
        self.texts = [rows[i][1].decode() for i in range(len(rows))]

    def frames(self, samples: np.ndarray) -> np.ndarray:
        import tensorflow as tf

        from keras_s2s import mel

        found = mel.log_mel(tf.constant(samples[None], tf.float32), self.audio, tf.constant(
            mel.frames_of(len(samples), self.audio)))[0].numpy()
        places = np.linspace(0, len(found) - 1, STEPS).round().astype(int)
        return (found[places] - found.mean()).ravel()

    def digit(self, samples: np.ndarray) -> str:
        return self.texts[int(np.argmin(((self.known - self.frames(samples)) ** 2).sum(axis=1)))]

    def string(self, samples: np.ndarray) -> str:
        """Cuts at stretches that are as soft as the noise."""
        hop = RATE // 100
        loud = np.array([np.abs(samples[i:i + 2 * hop]).mean() for i in range(0, len(samples) - hop, hop)])
        voiced = np.convolve(loud > 2.5 * np.percentile(loud, 10), np.ones(5), "same") > 0
        edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(int), [0]])))
        return " ".join(self.digit(samples[a * hop:b * hop]) for a, b in zip(edges[::2], edges[1::2]) if b - a > 12)


def chosen(part: str, sets: dict[str, Path], extra: list[str]) -> list[str]:
    """The settings of a part's run, the first ones giving way to the last."""
    return [*PARTS[part], *(f"data.{name}={file}" for name, file in sets.items()), *extra]


def naive(path: Path, digits: Path, how: str) -> float:
    """WER in percent of the nearest training recordings of a run of single digits, on the test set of another."""
    from keras_s2s import metrics
    from keras_s2s.run import Run

    known, asked = Run.open(digits), Run.open(path).rows("test")
    nearest = Nearest(known.rows("train"), known.config.audio)
    said = [getattr(nearest, how)(asked[i][0] / 32768) for i in range(len(asked))]
    return metrics.score(said, asked.raws(range(len(asked)))[1]).wer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--work", type=Path, help="where the runs stay; default: nowhere")
    parser.add_argument("--set", nargs="+", default=[], help="settings of all runs")
    arguments = parser.parse_args()
    found = recordings(arguments.folder)
    if not all(found.values()):
        print(f"there are no recordings DIGIT_SPEAKER_INDEX.wav in {arguments.folder}; the first lines of this file say where to "
              "get them")
        return 1
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        work = arguments.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        sets = {name: listed(work / f"{name}.tsv", speakers) for name, speakers in found.items()}
        for part in arguments.parts:
            lines += PART[part](work, found, sets, arguments.set)
    print(f"{'':<34}{'recordings':>10}{'WER':>8}{'95 %':>14}{'nearest':>9}{'seconds':>9}")
    print("\n".join(lines))
    return 0


def line(name: str, row: dict, wer: float, seconds: float) -> str:
    low, high = row["wer_interval"]
    return f"{name:<34}{row['sentences']:>10,}{row['wer']:>7.1f}%{f'{low:.1f}-{high:.1f}':>14}{wer:>8.1f}%{seconds:>9.0f}"


def digits(work: Path, found: dict, sets: dict[str, Path], extra: list[str]) -> list[str]:
    row, seconds = tested(work / "digits", "speech", chosen("digits", sets, extra))
    return [line("digits, recordings 5-9", row, naive(work / "digits", work / "digits", "digit"), seconds)]


def strings(work: Path, found: dict, sets: dict[str, Path], extra: list[str]) -> list[str]:
    made = {name: composed(work / "composed", name, speakers) for name, speakers in found.items()}
    row, seconds = tested(work / "strings", "speech", chosen("strings", made, extra))
    wer = naive(work / "strings", work / "digits", "string") if (work / "digits").exists() else float("nan")
    return [line("strings of 3 to 7 digits", row, wer, seconds)]


def speakers(work: Path, found: dict, sets: dict[str, Path], extra: list[str]) -> list[str]:
    lines, errors, naives, total = [], 0.0, 0.0, 0
    for speaker in sorted(found["train"]):
        parts = {name: {who: files for who, files in of.items() if who != speaker} for name, of in found.items()}
        parts["train"] = merged(parts["train"], parts["test"])
        parts["test"] = {speaker: merged(*({speaker: of[speaker]} for of in found.values()))[speaker]}
        made = {name: listed(work / f"{speaker}-{name}.tsv", of) for name, of in parts.items()}
        row, seconds = tested(work / f"without-{speaker}", "speech", chosen("speakers", made, extra))
        wer = naive(work / f"without-{speaker}", work / f"without-{speaker}", "digit")
        lines.append(line(f"digits of {speaker}, left out", row, wer, seconds))
        errors, naives, total = errors + row["wer"] * row["sentences"], naives + wer * row["sentences"], total + row["sentences"]
    return [*lines, f"{'all six left out in turn':<34}{total:>10,}{errors / total:>7.1f}%{'':>14}{naives / total:>8.1f}%"]


def merged(*parts: dict) -> dict:
    """speaker -> digit -> files, of several together."""
    found: dict = {}
    for part in parts:
        for speaker, of in part.items():
            for digit, files in of.items():
                found.setdefault(speaker, {}).setdefault(digit, []).extend(files)
    return found


PART = {"digits": digits, "strings": strings, "speakers": speakers}

if __name__ == "__main__":
    sys.exit(main())
