"""The command line: `keras-s2s translate RUN`, and the options of `train.py`.

TensorFlow is imported only when a command needs it, so that `--help` and a mistyped option answer at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from keras_s2s import cores
from keras_s2s.config import Config, Search, settings
from keras_s2s.presets import PRESETS
from keras_s2s.stopping import broken_off
from keras_s2s.terminal import load_tensorflow


class Arguments(argparse.ArgumentParser):
    """argparse with errors that end in a hint instead of a wall of usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def training_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads train.py's options; the result has `config`, `run` (a path) and `resume`."""
    parser = Arguments(
        prog="train.py", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Trains an encoder-decoder, scores it, exports it. Without options: the embedded English-Hindi phrasebook.",
        epilog="presets:\n" + "\n".join(f"  {name:<16} {text}" for name, (text, _) in PRESETS.items())
        + "\n\nexamples:\n  python train.py --data pairs.tsv --run runs/mine\n"
          "  python train.py --preset attention --data train.en,train.hi --dev dev.tsv --set model.units=512\n"
          "  python train.py --preset forecast --data load.csv --set series.horizon=24\n"
          "  python train.py --preset next-word --data 'books/*.txt'\n"
          "  python train.py --run runs/mine --resume")
    _data_options(parser)
    parser.add_argument("--preset", choices=list(PRESETS), help="a named configuration; default: context")
    parser.add_argument("--set", nargs="+", action="extend", metavar="NAME=VALUE", default=[],
                        help="any setting, such as model.units=512 train.epochs=30; see --settings")
    parser.add_argument("--settings", action="store_true", help="list every setting with its value, and stop")
    parser.add_argument("--run", type=Path, metavar="DIR", help="the run directory; default: runs/ and the data's name")
    parser.add_argument("--sweep", nargs="+", metavar="NAME=VALUE,VALUE", default=[],
                        help="a run for each combination, into one table: --sweep units=128,256 dropout=0.2,0.3")
    parser.add_argument("--resume", action="store_true", help="go on with a run from its last save")
    arguments = parser.parse_args(argv)
    try:
        arguments.run = arguments.run or Path("runs") / (_name(arguments) + "-sweep" * bool(arguments.sweep))
        arguments.config = _config(arguments)
        if arguments.sweep:
            from keras_s2s.sweep import grid

            grid(arguments.config, arguments.sweep)  # a mistake is told before any work is done
    except ValueError as error:
        parser.error(str(error))
    cores.share(arguments.config.train.parts)
    if arguments.settings:
        print(describe(arguments.config))
        parser.exit()
    return arguments


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", nargs="+", metavar="FILE", default=(),
                        help="TSV files, globs, or SOURCE-FILE,TARGET-FILE; CSV of series; text; .gz too; default: phrasebook")
    parser.add_argument("--dev", nargs="+", metavar="FILE", default=(), help="default: split off, no sentence on both sides")
    parser.add_argument("--test", nargs="+", metavar="FILE", default=(), help="one or more sets to score at the end")
    parser.add_argument("--extra", nargs="+", metavar="FILE", default=(),
                        help="further files, in the same columns, to train on alone, such as back-translations")
    parser.add_argument("--columns", metavar="S,T", help="columns of a TSV with source and target, from 1; default: 1,2")
    parser.add_argument("--teacher", nargs="+", metavar="RUN", default=(),
                        help="trained runs whose answers to the training sources are learnt too; several answer together")


def _name(arguments: argparse.Namespace) -> str:
    data = Path(arguments.data[0].split(",")[0]).name.split(".")[0] if arguments.data else "phrasebook"
    return f"{data.strip('*') or 'data'}-{arguments.preset}" if arguments.preset else data.strip("*") or "data"


def _config(arguments: argparse.Namespace) -> Config:
    """The preset, or the run's own configuration when it is resumed, with what the options change."""
    config = PRESETS[arguments.preset or "context"][1]
    if arguments.resume and not arguments.sweep:
        from keras_s2s.run import Run

        config = Run.open(arguments.run).config
    files: dict[str, Any] = {name: tuple(given) for name, given in (
        ("train", arguments.data), ("dev", arguments.dev), ("test", arguments.test), ("extra", arguments.extra),
        ("teacher", arguments.teacher)) if given}
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, **files))
    columns = [f"data.columns={arguments.columns}"] if arguments.columns else []
    return config.set([*columns, *arguments.set])


def describe(config: Config) -> str:
    """Every setting with its value as --set takes it, a line each."""
    def shown(value: Any) -> str:
        return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

    return "\n".join(f"{name:<32} {shown(getattr(getattr(config, name.partition('.')[0]), name.partition('.')[2]))}".rstrip()
                     for name in settings())


def main(argv: Sequence[str] | None = None) -> int:
    """The console script `keras-s2s`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return guarded(lambda: arguments.command(arguments))


def guarded(work: Callable[[], Any], go_on: str = "") -> int:
    """Runs a command; a mistake of the user's or a signal ends in one message on standard error, never in a traceback.

    Args:
        work: the command; returns the exit status, or None for 0.
        go_on: the command that goes on where a signal ended this one.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    cores.share(cores.SIDE_BY_SIDE)
    gc.set_threshold(50_000)  # TensorFlow makes objects by the million that stay; to look through them is a tenth of a start
    try:
        with broken_off():
            return work() or 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt as stopped:
        print((str(stopped) or "stopped.") + (f" Go on with: {go_on}" if go_on else ""), file=sys.stderr)
        return 128 + getattr(stopped, "number", signal.SIGINT)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(prog="keras-s2s", description="Uses what train.py trained.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    _translate_options(commands.add_parser("translate", help="standard input or files, a line out for each line in"))

    _complete_options(commands.add_parser("complete", help="the next words of a text, for a run of sentences"))

    _forecast_options(commands.add_parser("forecast", help="the steps that follow the end of a CSV, for a run of series"))

    _file_options(commands.add_parser("transcribe", help="what is said in recordings, for a run of speech"), "transcribe")
    _file_options(commands.add_parser("caption", help="a text for each picture, for a run of pictures"), "caption")

    evaluate = commands.add_parser("evaluate", help="scores of a run on data: BLEU, chrF and the like; errors of forecasts")
    evaluate.add_argument("run", type=Path, metavar="RUN")
    evaluate.add_argument("--data", nargs="+", metavar="FILE", help="as for train.py; default: the run's dev and test sets")
    evaluate.add_argument("--columns", metavar="S,T")
    evaluate.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    _ensemble_option(evaluate)
    _search_options(evaluate)
    evaluate.set_defaults(command=_evaluate)

    compare = commands.add_parser("compare", help="two runs on the same pairs, with a paired bootstrap test")
    compare.add_argument("runs", nargs=2, type=Path, metavar="RUN")
    compare.add_argument("--data", nargs="+", metavar="FILE", help="default: the first run's test set")
    compare.add_argument("--columns", metavar="S,T")
    compare.add_argument("--json", action="store_true")
    _search_options(compare)
    compare.set_defaults(command=_compare)

    report = commands.add_parser("report", help="a run's report.html anew, or several runs compared on one page")
    report.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    report.add_argument("--output", type=Path, metavar="FILE",
                        help="default: RUN/report.html; of several runs: comparison.html beside the first")
    report.set_defaults(command=_report)

    inspect = commands.add_parser("inspect", help="what a run is: data, model, scores, sizes")
    inspect.add_argument("run", type=Path, metavar="RUN")
    inspect.add_argument("--json", action="store_true")
    inspect.set_defaults(command=_inspect)
    return parser


def _translate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: standard input; a prompt on a terminal")
    parser.add_argument("--n-best", type=int, default=1, metavar="N", help="the N best translations of each line")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object a line: source, translations, scores, alignment")
    form.add_argument("--pairs", action="store_true",
                      help="translation TAB line: back-translations, of which train.py --extra learns the other direction")
    parser.add_argument("--seed", type=int, default=0, help="of sampling")
    _ensemble_option(parser)
    _search_options(parser)
    parser.set_defaults(command=_translate)


def _file_options(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--n-best", type=int, default=1, metavar="N", help="the N best texts of each file")
    parser.add_argument("--json", action="store_true", help="a JSON object a file: texts, scores, alignment")
    parser.add_argument("--seed", type=int, default=0, help="of sampling")
    _search_options(parser)
    parser.set_defaults(command=_answer, verb=verb)


def _complete_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("text", nargs="?", metavar="TEXT",
                        help="the beginning of a sentence; default: the lines of standard input, a prompt on a terminal")
    parser.add_argument("--count", type=int, default=5, metavar="K", help="words suggested; default: 5")
    parser.add_argument("--json", action="store_true", help="a JSON object a line: text, words, continuation")
    _search_options(parser)
    parser.set_defaults(command=_complete)


def _forecast_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="a CSV with the columns of the training")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it, as .png, .svg or .pdf")
    parser.add_argument("--back", type=int, default=0, metavar="N", help="begin N steps before the end, to see what came")
    parser.add_argument("--json", action="store_true", help="a JSON object instead of a CSV on standard output")
    parser.set_defaults(command=_forecast)


def _ensemble_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ensemble", nargs="+", type=Path, metavar="RUN", default=[],
                        help="further runs, of the same vocabularies, that answer together with RUN")


def _search_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--beam-size", type=int, metavar="K", help="1: greedy; default: the run's setting")
    parser.add_argument("--set", nargs="+", action="extend", metavar="NAME=VALUE", default=[],
                        help="any setting of the search, such as length_penalty=1 no_repeat_ngram=3 temperature=0.8")


def search_settings(run: Path, arguments: argparse.Namespace) -> Search:
    """The run's search settings with what the options change; reads config.json only."""
    from keras_s2s.run import Run

    config, n_best = Run.open(run).config, getattr(arguments, "n_best", 1)
    if n_best < 1:
        raise ValueError(f"--n-best must be at least 1; got {n_best}.")
    beam = max(config.search.beam_size, n_best) if arguments.beam_size is None else arguments.beam_size
    names = [item.partition("=")[0] for item in arguments.set]
    if any(Config.find(name)[0] != "search" for name in names):
        raise ValueError("only settings of the search can be changed here: "
                         + ", ".join(name for name in settings() if name.startswith("search.")) + ".")
    changed = config.set([f"search.beam_size={beam}", "search.n_best=1", *arguments.set]).search
    if n_best > changed.beam_size:
        raise ValueError(f"--n-best {n_best} needs a beam at least as wide; got --beam-size {changed.beam_size}.")
    return dataclasses.replace(changed, n_best=n_best)


def _translate(arguments: argparse.Namespace) -> int:
    search = search_settings(arguments.run, arguments)
    for path in arguments.files:
        if not path.is_file():
            raise ValueError(f"{path} is not a file. Give text files, one sentence a line, or pipe them in.")
    load_tensorflow()  # only now
    from keras_s2s.translating import translate

    return translate(arguments, search)


def _answer(arguments: argparse.Namespace) -> int:
    search = search_settings(arguments.run, arguments)
    load_tensorflow()  # only now
    from keras_s2s.answering import answer

    return answer(arguments, search)


def _complete(arguments: argparse.Namespace) -> int:
    search = search_settings(arguments.run, arguments)
    if not 1 <= arguments.count <= 100:
        raise ValueError(f"--count must be between 1 and 100; got {arguments.count}.")
    load_tensorflow()  # only now
    from keras_s2s.completing import complete

    return complete(arguments, search)


def _forecast(arguments: argparse.Namespace) -> int:
    if arguments.plot and arguments.plot.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"--plot must name a .png, .svg or .pdf file; got {str(arguments.plot)!r}.")
    if not arguments.data.is_file():
        raise ValueError(f"{arguments.data} is not a file. Give a CSV with the columns of the training.")
    load_tensorflow()  # only now
    from keras_s2s.forecasting import forecast

    return forecast(arguments)


def _evaluate(arguments: argparse.Namespace) -> int:
    from keras_s2s.commands import evaluate

    return evaluate(arguments, search_settings(arguments.run, arguments))


def _compare(arguments: argparse.Namespace) -> int:
    from keras_s2s.commands import compare

    return compare(arguments, [search_settings(run, arguments) for run in arguments.runs])


def _report(arguments: argparse.Namespace) -> int:
    from keras_s2s.commands import report

    return report(arguments)


def _inspect(arguments: argparse.Namespace) -> int:
    from keras_s2s.commands import inspect

    return inspect(arguments)
