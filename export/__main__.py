"""python -m export RUN --format saved_model | tflite | web"""

import sys
from pathlib import Path

from keras_s2s.cli import Arguments, guarded
from keras_s2s.config import require
from keras_s2s.run import Run
from keras_s2s.terminal import load_tensorflow

FORMATS = ("saved_model", "tflite", "web")
QUANTIZATIONS = ("none", "float16", "int8")
HELP = """formats:
  saved_model  RUN/export/saved_model: for servers, strings in and out; series: numbers in and out
  tflite       RUN/export/model-float32.tflite, model-float16.tflite, model-int8.tflite: one file for a phone, bytes of text
               (or numbers) in and out, no tokenizer beside it; published only if it says what the model says (see
               export/report.json)
  web          RUN/export/web: a page with that file, for any static server; works offline; of several runs a tab for each"""


def main() -> int:
    import argparse

    parser = Arguments(prog="python -m export", description="Writes a trained run as files that answer without this package, "
                       "under RUN/export/.", epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="one; several for a page with a tab for each")
    parser.add_argument("--format", choices=FORMATS, default="saved_model", help="default: saved_model")
    parser.add_argument("--quantize", nargs="+", choices=QUANTIZATIONS, default=["int8"],
                        help="of tflite and web; default: int8")
    parser.add_argument("--max-input-bytes", type=int, default=256, metavar="N", help="UTF-8 bytes of a text; default: 256")
    parser.add_argument("--max-output-bytes", type=int, default=512, metavar="N", help="of an answer; default: 512")
    parser.add_argument("--beam-size", type=int, metavar="K", help="answers of translate_beam; default: the run's, or 4")
    parser.add_argument("--words", type=int, default=5, metavar="K", help="next words that suggest gives; default: 5")
    parser.add_argument("--no-repeat-ngram", type=int, metavar="N",
                        help="never say the same N tokens twice; 0: off; default: as the run is set")
    parser.add_argument("--max-bleu-drop", type=float, default=0.5, metavar="X",
                        help="by which a file may be worse than Keras on the dev set in the first of its scores, of texts "
                        "BLEU, of words the percentage that is right, and still be published; default: 0.5")
    parser.add_argument("--pairs", action="store_true", help="of web: the training pairs go into the page as well, which then "
                        "looks them up as the run does (search.analogy); whoever opens it can read them")
    arguments = parser.parse_args()
    return guarded(lambda: export(arguments))


def export(arguments) -> None:
    run, *others = runs = [Run.open(path) for path in arguments.runs]
    require(not others or arguments.format == "web", "several runs go into one page only: --format web. Export the others by "
            "themselves.")
    require(not arguments.pairs or arguments.format == "web", "pairs go into a page only: --format web.")
    load_tensorflow()
    if arguments.format == "saved_model":
        from export import saved_model

        saved_model.export(run)
        return
    from export import parity
    from export.tflite import Sizes

    beams = run.config.search.beam_size if run.config.search.beam_size > 1 else 4
    sizes = Sizes(arguments.max_input_bytes, arguments.max_output_bytes,
                  beams if arguments.beam_size is None else arguments.beam_size, arguments.words, arguments.no_repeat_ngram)
    if arguments.format == "web":
        from export import web

        web.export(runs, arguments.quantize[0], sizes, arguments.max_bleu_drop, pairs=arguments.pairs)
        return
    parity.export(run, list(dict.fromkeys(arguments.quantize)), sizes, arguments.max_bleu_drop)


if __name__ == "__main__":
    sys.exit(main())
