"""Forecasts of real series beside naive ones and published ones: a run for each horizon, about a minute in all.

    python tests/benchmarks/forecasting.py ETTh1.csv [--every]        univariate (OT); --every: all seven series at once
    python tests/benchmarks/forecasting.py EuStockMarkets.csv         log-returns of four stock indices

ETTh1.csv: github.com/zhouhaoyi/ETDataset (CC BY-ND 4.0). EuStockMarkets.csv: R's data set of that name, with row numbers.
Published: Zhou et al. (2021), LSTMa and Informer; table 1 of one series, table 2 of all.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.training import tested  # noqa: E402

PUBLISHED = {24: (".114/.272", ".098/.247"), 48: (".193/.358", ".158/.319"), 168: (".236/.392", ".183/.346"),
             336: (".580/.698", ".222/.387"), 720: (".683/.768", ".269/.435")}  # MSE/MAE of LSTMa, Informer
PUBLISHED_OF_ALL = {24: (".650/.624", ".577/.549"), 48: (".702/.675", ".685/.625"), 168: ("1.212/.867", ".931/.752"),
                    336: ("1.424/.994", "1.128/.873"), 720: ("1.960/1.322", "1.215/.896")}  # of all seven series at once
POWER = ["series.split=8640,2880,2880", "series.calendar=hour,weekday", "train.epochs=4"]
STOCKS = ["series.relative=log", "series.window=20", "model.units=32", "train.learning_rate=0.001", "train.epochs=5"]


def settings(horizon: int, stocks: bool, every: bool) -> list[str]:
    """Of the run for a horizon."""
    window = 20 if stocks else 96 if horizon < 168 else 168
    chosen = [*STOCKS] if stocks else [*POWER, f"series.window={window}", f"series.stride={2 if horizon < 168 else 7}"]
    return [*chosen, f"series.horizon={horizon}", f"train.batch_tokens={64 * max(window, horizon)}",
            *([] if stocks or every else ["series.columns=OT"])]


def main() -> int:
    from keras_s2s.scoring.series import LAST, verdict

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="ETTh1.csv or EuStockMarkets.csv")
    parser.add_argument("--every", action="store_true", help="all series of ETTh1 at once")
    parser.add_argument("--horizons", type=int, nargs="+")
    arguments = parser.parse_args()
    if not Path(arguments.data).is_file():
        print(f"there is no {arguments.data}; the first lines of this file say where to get it")
        return 1
    stocks = "stock" in Path(arguments.data).name.lower()
    lines, verdicts = [], []
    for horizon in arguments.horizons or ((1, 5, 20) if stocks else PUBLISHED):
        chosen = [f"data.train={arguments.data}", *settings(horizon, stocks, arguments.every)]
        with tempfile.TemporaryDirectory() as folder:
            row, seconds = tested(Path(folder) / "run", "forecast", chosen)
        shown = [f"{part['mse']:.4f}/{part['mae']:.4f}" for part in (row, *row["naive"].values())]
        published = () if stocks else (PUBLISHED_OF_ALL if arguments.every else PUBLISHED).get(horizon, ())
        lines.append("".join(f"{cell:>16}" for cell in (horizon, *shown, *published, f"{seconds:.0f}")))
        verdicts += [f"{horizon}: {verdict(row, who)}" for who in row["naive"]]
    heads = ["steps", "this run", *row["naive"], *(() if stocks else ("LSTMa", "Informer")), "seconds"]
    print("MSE/MAE of z-scores, test set, rolling origin")
    print("\n".join(["".join(f"{head:>16}" for head in heads), *lines, *verdicts]))
    return int(LAST not in row["naive"])


if __name__ == "__main__":
    sys.exit(main())
