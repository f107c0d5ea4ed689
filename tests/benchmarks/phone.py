"""What a phone file costs and keeps, float32, float16 and int8 in one run: python -m tests.benchmarks.phone RUN

Prints for each published quantization: size; median and 95th percentile of a sentence, greedy and with beam, on one thread;
time to load; memory that the interpreter takes after both (resident, less the same process without it); BLEU on a set.
Each file is measured in a process of its own. Quiet machines only: the load average is printed beside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.phone", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--set", default="test", dest="split", help="of the run's data/; default: test")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.file:
        print(json.dumps(measure(arguments.run, arguments.file, arguments.split)))
        return 0
    from export.tflite import FILES

    files = [arguments.run / "export" / name for name in FILES.values()]
    missing = [name for name, file in zip(FILES, files) if not file.exists()]
    if missing:
        print(f"{arguments.run} lacks {' and '.join(missing)}. Make all three with:\n"
              f"  python -m export {arguments.run} --format tflite --quantize {' '.join(FILES)}", file=sys.stderr)
        return 1
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; one thread; set {arguments.split!r}")
    print(f"{'file':<22}{'MB':>7}{'greedy ms':>11}{'p95':>7}{'beam ms':>9}{'p95':>7}{'load ms':>9}{'memory MB':>11}"
          f"{'BLEU':>7}{'chrF':>7}")
    for file in files:
        done = subprocess.run([sys.executable, __file__, str(arguments.run), "--set", arguments.split, "--file", str(file)],
                              capture_output=True, text=True, cwd=ROOT, check=True)
        row: dict[str, Any] = json.loads(done.stdout)
        print(f"{file.name:<22}{row['bytes'] / 1e6:>7.2f}{row['greedy']['median']:>11.2f}{row['greedy']['p95']:>7.2f}"
              f"{row['beam']['median']:>9.2f}{row['beam']['p95']:>7.2f}{row['load_ms']:>9.1f}{row['memory'] / 1e6:>11.1f}"
              f"{row['bleu']:>7.2f}{row['chrf']:>7.2f}", flush=True)
    print(row["signature"])
    return 0


def measure(run: Path, file: Path, split: str) -> dict[str, Any]:
    """One file, in this process."""
    from export.parity import decode, quantiles
    from export.runtime import PhoneFile
    from keras_s2s import metrics
    from keras_s2s.corpus import Rows

    rows = Rows(run / "data" / f"{split}.tsv")
    sources, references = ([text.decode() for text in side] for side in rows.read(range(len(rows))))
    before = resident()
    phone = PhoneFile(file)
    for beam in (False, True):
        phone.translate(sources[0], beam)
    memory = resident() - before
    given = [{"text": phone.padded(unicodedata.normalize("NFC", text).encode())} for text in sources]
    del phone
    greedy, beams = decode(file, "translate", given), decode(file, "translate", given[:300], beam=True)
    scored = metrics.score(greedy.texts, references)
    return {"bytes": file.stat().st_size, "greedy": quantiles(greedy.milliseconds), "beam": quantiles(beams.milliseconds),
            "load_ms": greedy.load_ms, "memory": memory, "bleu": scored.bleu, "chrf": scored.chrf,
            "signature": scored.signatures["bleu"]}


def resident() -> int:
    """Bytes of memory that this process holds (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
