"""Pictures of what `maps.look` found; attention lies over what was seen, and above what was heard.

A picture whose grid has several rows is drawn once for each piece of the answer. One of a single row, such as the spectrum of a
recording, is something that goes on in time: the map of attention stands above it, over the same steps.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_s2s import plots

PANELS = 16  # pieces of an answer that a picture is shown for
MARKS = 6  # steps that are named below a picture, where there are more


def inside(found: Mapping[str, Any], together: bool = False) -> list[Any]:
    """The pictures of what `maps.look` found; `together`: all of one size."""
    if found["kind"] == "forecasts":
        return [plots.forecast(**window) for window in found["windows"]]
    if found["kind"] == "context":
        return [plots.context_map(found["points"], found["labels"], found["pairs"])]
    maps = found["maps"]
    sides = [len(m["source"]) for m in maps], [len(m["target"]) for m in maps]
    size = plots.alignment_size(*sides) if together and maps else None
    most = max((len(m["target"]) for m in maps), default=0) if together else 0
    return [plots.alignment(m["source"], m["target"], m["weights"], size) if "picture" not in m else
            along(m["picture"], m["source"], m["target"], m["weights"], size) if flat(m["picture"]) else
            attended(m["picture"], m["target"], m["weights"], most) for m in maps]


def flat(picture: Mapping[str, Any]) -> bool:
    """Whether the steps of a picture follow each other from left to right."""
    rows, columns = picture["grid"]
    return rows == 1 < columns


def pixels_of(picture: Mapping[str, Any]) -> Any:
    """Of a picture, [height, width, 3] between 0 and 1."""
    from matplotlib.image import imread

    return imread(io.BytesIO(base64.b64decode(picture["png"])))[..., :3]


def along(picture: Mapping[str, Any], source: Sequence[str], target: Sequence[str], weights: Any,
          size: tuple[float, float] | None = None) -> Any:
    """How attention lies over the steps of a picture that is below it; see `plots.alignment`."""
    width, height = size or plots.alignment_size([len(source)], [len(target)])
    figure, first = plots.canvas(width, height + 0.5, target)
    first.remove()
    over, under = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [height - 0.6, 1]})
    for axes in (over, under):
        plots.plain(axes)
    plots.shade(over, weights)
    over.set_yticks(range(len(target)), [plots.shown(piece) for piece in target], fontfamily=first.families)
    under.imshow(pixels_of(picture), extent=(-0.5, len(source) - 0.5, 1, 0), aspect="auto")
    marked = range(0, len(source), -(-len(source) // MARKS))
    under.set_xticks(marked, [source[i] for i in marked])
    under.set_yticks([])
    under.grid(False)
    over.tick_params(bottom=False, labelbottom=False)
    return figure


def attended(picture: Mapping[str, Any], target: Sequence[str], weights: Any, most: int = 0) -> Any:
    """A picture for each piece of the target, lit where attention lies: weights [T, S], see `Source.picture`.

    Args:
        picture: {"png": base64, "grid": [R, C]}.
        target, weights: of its answer.
        most: pieces that there is room for, where several maps shall be of one size.
    """
    pixels = pixels_of(picture)
    across = 4
    down = -(-min(PANELS, max(most, len(target))) // across)
    figure, first = plots.canvas(4.4, 0.1 + 1.25 * down, target)
    first.remove()
    for number, (piece, row) in enumerate(zip(target[:PANELS], weights)):
        axes: Any = figure.add_subplot(down, across, number + 1)
        light = np.asarray(row, float).reshape(picture["grid"])
        light = light / max(light.max(), 1e-9)
        axes.imshow(pixels * 0.45 + 0.3, extent=(0, 1, 1, 0), aspect="auto")
        axes.imshow(light, extent=(0, 1, 1, 0), aspect="auto", cmap="inferno", interpolation="bilinear",
                    alpha=np.clip(light, 0, 0.75))
        axes.set_title(plots.shown(piece), fontsize=8, color=plots.INK, fontfamily=first.families, pad=3)
        axes.set_axis_off()
    return figure
