"""What report.html says of a run that forecasts: errors beside naive ones, by step and by series, and forecasts drawn."""

from __future__ import annotations

from typing import Any

from keras_s2s import plots
from keras_s2s.page import Html, picture, pictures, section, table
from keras_s2s.scoring.series import RUN, Forecasted, SeriesScoring, verdict

DRAWN = 8  # windows


def sections(found: Any) -> list[Html]:
    """What stands where a translator's report has scores, parts and translations."""
    name, done = next(iter(found.sets.items()))
    row = found.metrics[name]
    return [
        section("Scores", scores(found), Html("".join(f'<p class="note">{of}: {verdict(found.metrics[of], who)}</p>'
                for of in found.run.splits()[1:] for who in found.metrics[of]["naive"])),
                note="Mean errors of z-scores by the training part" + (" of logarithms" if row["relative"] == "log" else "")
                + ", a forecast at every step. MASE divides by the seasonal-naive forecast's error on the training part."),
        section("Where it is good, and where not", parts(row), note=f"On {name}."),
        section("Forecasts", forecasts(done), note=f"Evenly spaced windows of {name}.")]


def scores(found: Any) -> Html:
    """Every set's errors, the naive forecasts' below."""
    rows = []
    for name in found.run.splits()[1:]:
        row = found.metrics[name]
        rows += [(name if who == RUN else "", who, f"{row['windows']:,}" if who == RUN else "", f"{part['mse']:.4f}",
                  f"{part['mae']:.4f}", f"{part['mase']:.3f}", f"{row['coverage']:.1f} %" if who == RUN and "coverage" in row
                  else "") for who, part in {RUN: row, **row["naive"]}.items()]
    return table(("set", "forecast", "windows", "MSE", "MAE", "MASE", "in the band"), rows)


def parts(row: dict[str, Any]) -> Html:
    """Errors by how far ahead, and by series."""
    everyone = {RUN: row, **row["naive"]}
    ahead = list(range(1, row["horizon"] + 1))
    drawn = []
    if len(ahead) > 1:
        curves = {who: (ahead, part["by_step"]) for who, part in everyone.items()}
        said = "; ".join(f"{who}: {part['by_step'][0]:.4f} after 1 step, {part['by_step'][-1]:.4f} after {len(ahead)}"
                         for who, part in everyone.items())
        drawn.append(picture(plots.curves(curves, "steps ahead", 0), "by-step", "MSE by steps ahead", said))
    by_series = table(("series", *everyone), [(series, *(f"{part['by_series'][series]:.4f}" for part in everyone.values()))
                                              for series in row["by_series"]], "MSE by series")
    return pictures(*drawn) + by_series


def forecasts(done: Forecasted) -> Html:
    """Some windows drawn."""
    windows = SeriesScoring().kept(done, DRAWN)["windows"]
    return pictures(*(picture(plots.forecast(**window), f"forecast-{number}", f"{window['series']}, window {number}", (
        f"last known {window['past'][-1]:.4g}; after {len(window['line'])} steps forecast {window['line'][-1]:.4g}, "
        f"came {window['truth'][-1]:.4g}")) for number, window in enumerate(windows, 1)))
