"""python -m export RUN --format saved_model"""

import sys
from pathlib import Path

from keras_s2s.cli import Arguments, guarded
from keras_s2s.run import Run

FORMATS = ("saved_model",)


def main() -> int:
    parser = Arguments(prog="python -m export", description="Writes a trained run as files that answer without this package, "
                       "under RUN/export/.")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--format", choices=FORMATS, default="saved_model", help="saved_model: for servers, strings in and out")
    arguments = parser.parse_args()
    return guarded(lambda: export(arguments))


def export(arguments) -> None:
    run = Run.open(arguments.run)
    from export import saved_model

    saved_model.export(run)


if __name__ == "__main__":
    sys.exit(main())
