"""Pictures of a training, by matplotlib: PNG for TensorBoard, SVG that follows a page's light or dark for the report.

A picture is a `Figure` of its own, without pyplot, so that drawing changes nothing elsewhere. Its labels are shaped as their
script demands: in PNG by matplotlib with the Devanagari font shipped here, in SVG by the browser, since they stay text.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

INK, FAINT = "#1c2430", "#c9ced6"  # text and axes; grid
COLOURS = ("#2563eb", "#d97706", "#0f9d58", "#c026d3", "#dc2626", "#0891b2", "#7c3aed", "#65a30d")
THEME = {INK: "var(--ink)", FAINT: "var(--faint)", **{colour: f"var(--c{i})" for i, colour in enumerate(COLOURS, 1)}}
FONTS = Path(__file__).parent / "fonts"
CARD = 345  # pixels across a card of TensorBoard, which shrinks wider pictures badly
LABEL = 30  # characters of a sentence that stand in a map


@functools.cache
def registered() -> tuple[str, ...]:
    """Names of the fonts shipped here, made known to matplotlib; none where the files are missing or unreadable."""
    from matplotlib import font_manager

    names = []
    for file in sorted(FONTS.glob("*.ttf")):
        try:
            font_manager.fontManager.addfont(file)
            names.append(font_manager.FontProperties(fname=file).get_name())
        except (OSError, RuntimeError):
            continue
    return tuple(names)


@functools.lru_cache(maxsize=256)
def _system_fonts(script: str) -> tuple[str, ...]:
    """An installed font that has a character which neither DejaVu Sans nor the fonts shipped here have."""
    from matplotlib import font_manager, ft2font

    for entry in font_manager.fontManager.ttflist:
        try:
            if ft2font.FT2Font(entry.fname).get_char_index(ord(script)):
                return (entry.name,)
        except (OSError, RuntimeError):
            continue
    return ()


def families(texts: Iterable[str]) -> list[str]:
    """Fonts for labels, in the order in which they are asked for a character; the last resort is a box, never an error."""
    from matplotlib import font_manager, ft2font

    found = ["DejaVu Sans", *registered()]
    known: set[int] = set()
    for name in found:
        known |= set(ft2font.FT2Font(font_manager.findfont(name)).get_charmap())
    strange = {character for text in texts for character in text if ord(character) not in known and character.isprintable()}
    for character in sorted(strange)[:8]:
        found += [name for name in _system_fonts(character) if name not in found]
    return found


def canvas(width: float, height: float, texts: Iterable[str] = ()) -> tuple[Any, Any]:
    """A figure of so many inches and its axes; `texts` are the labels that will need fonts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes: Any = figure.add_subplot()
    axes.families = families(texts)
    plain(axes)
    return figure, axes


def plain(axes: Any) -> None:
    """Axes that stay behind what they hold."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=8, color=FAINT)
    axes.grid(color=FAINT, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)


def alignment(source: Sequence[str], target: Sequence[str], weights: Any, size: tuple[float, float] | None = None) -> Any:
    """How attention lies: weights [T, S], pieces of the source below, of the target at the left, the first on top."""
    width, height = size or alignment_size([len(source)], [len(target)])
    figure, axes = canvas(width, height, [*source, *target])
    shade(axes, weights)
    axes.set_xticks(range(len(source)), [shown(piece) for piece in source], rotation=60, ha="right",
                    rotation_mode="anchor", fontfamily=axes.families)
    axes.set_yticks(range(len(target)), [shown(piece) for piece in target], fontfamily=axes.families)
    return figure


def shade(axes: Any, weights: Any) -> None:
    """Weights [T, S] as opacity, which suits light and dark."""
    from matplotlib.colors import to_rgb

    picture = np.ones((*np.shape(weights), 4))
    picture[..., :3] = to_rgb(COLOURS[0])
    picture[..., 3] = np.clip(weights, 0, 1)
    axes.imshow(picture, aspect="auto", interpolation="none")
    axes.grid(False)


def alignment_size(sources: Sequence[int], targets: Sequence[int]) -> tuple[float, float]:
    """Inches for a map of so many pieces; of several, for the largest, so that they can lie side by side."""
    return 1.3 + 0.2 * min(40, max(8, *sources)), 1.1 + 0.2 * min(40, max(8, *targets))


def context_map(points: Any, labels: Sequence[str], pairs: Sequence[tuple[int, int]]) -> Any:
    """Sentences as points [N, 2]; each of `pairs` is two neighbours, written out in a colour of their own."""
    points = np.asarray(points)
    figure, axes = canvas(7, 4.6, labels)
    axes.scatter(*points.T, s=7, color=FAINT, linewidths=0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.12)
    boxes: list[tuple[float, float, float, float]] = []
    low, span = points.min(axis=0), np.ptp(points, axis=0) + 1e-9
    for number, pair in enumerate(pairs):
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(*points[list(pair)].T, color=colour, linewidth=0.8, alpha=0.5)
        for i in pair:
            axes.scatter(*points[i], s=18, color=colour, linewidths=0)
            text = labels[i] if len(labels[i]) <= LABEL else labels[i][:LABEL - 1] + "…"
            if (place := _free(boxes, (points[i] - low) / span, text)) is not None:
                axes.annotate(text, points[i], xytext=place, textcoords="offset points", fontsize=7.5, color=colour,
                              fontfamily=axes.families, va="center", annotation_clip=False)
    return figure


def forecast(series: str, past: Sequence[float], truth: Sequence[float], line: Sequence[float],
             band: Sequence[Sequence[float]] = ()) -> Any:
    """What was known of a series, what came, what was forecast and, where there is one, the band about it.

    Args:
        series: its name.
        past, truth, line: values; of the truth only what is known.
        band: its lower and its upper edge.
    """
    figure, axes = canvas(4.4, 2.8, [series])
    _over_time(axes, list(range(1 - len(past), len(line) + 1)), series, past, truth, line, band)
    return figure


def forecasts(windows: Sequence[Mapping[str, Any]], times: Sequence[Any]) -> Any:
    """Several series, the arguments of `forecast` for each, one above the other over the same times."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    figure, first = canvas(8, 0.6 + 2.2 * len(windows), [window["series"] for window in windows])
    first.remove()
    for number, window in enumerate(windows):
        axes: Any = figure.add_subplot(len(windows), 1, number + 1)
        axes.families = first.families
        plain(axes)
        _over_time(axes, times, **window)
        if not isinstance(times[0], float):
            axes.xaxis.set_major_formatter(ConciseDateFormatter(AutoDateLocator()))
    return figure


def _over_time(axes: Any, times: Sequence[Any], series: str, past: Sequence[float], truth: Sequence[float],
               line: Sequence[float], band: Sequence[Sequence[float]]) -> None:
    after = times[len(past) - 1:]
    axes.plot(times[:len(past)], past, color=INK, linewidth=1.2, label="known")
    if len(truth):
        axes.plot(after[:len(truth) + 1], [past[-1], *truth], color=INK, linewidth=1.2, linestyle=":", label="what came")
    if len(band):
        axes.fill_between(after, *([past[-1], *edge] for edge in band), color=COLOURS[0], alpha=0.2, linewidth=0, label="band")
    axes.plot(after, [past[-1], *line], color=COLOURS[0], linewidth=1.6, label="forecast")
    axes.set_title(series, fontsize=9, color=INK, fontfamily=axes.families, loc="left", pad=16)
    axes.legend(fontsize=7.5, frameon=False, labelcolor=INK, ncol=4, loc="lower right", bbox_to_anchor=(1, 1), columnspacing=1,
                handlelength=1.4, borderaxespad=0.2)


def _free(boxes: list[tuple[float, float, float, float]], at: np.ndarray, text: str) -> tuple[float, float] | None:
    """Where a label fits, in points from its dot: right, left, above or below; None where all of it is taken."""
    width, height = 4.2 * len(text), 9.5
    x, y = at * (6.6 * 72 / 1.24, 4.2 * 72 / 1.24)
    for dx, dy in ((5, 0), (-5 - width, 0), (-width / 2, 9), (-width / 2, -9), (5, 9), (5, -9), (-5 - width, 9)):
        box = (x + dx, y + dy - height / 2, x + dx + width, y + dy + height / 2)
        inside = box[0] > -50 and box[2] < 6.6 * 72 / 1.24 + 50
        if inside and all(box[2] < b[0] or b[2] < box[0] or box[3] < b[1] or b[3] < box[1] for b in boxes):
            boxes.append(box)
            return dx, dy
    return None


def curves(series: Mapping[str, tuple[Sequence[float], Sequence[float]]], x: str, low: float | None = None) -> Any:
    """Lines of named (x, y) values; the axis begins at `low` where it is given."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = canvas(4.4, 2.8, series)
    for number, (name, (xs, ys)) in enumerate(series.items()):
        axes.plot(xs, ys, color=COLOURS[number % len(COLOURS)], linewidth=1.6, label=name,
                  marker="o" if len(xs) < 40 else None, markersize=3, linestyle="--" if number >= len(COLOURS) else "-")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    if low is not None:
        axes.set_ylim(bottom=low)
    _named(axes, x, "")
    if len(series) > 1:
        legend = axes.legend(fontsize=8, frameon=False, labelcolor=INK)
        for label in legend.get_texts():
            label.set_fontfamily(axes.families)
    return figure


def intervals(names: Sequence[str], series: Mapping[str, Sequence[tuple[float, float, float]]], x: str, y: str) -> Any:
    """A value with its low and high end for each name; several series stand side by side."""
    figure, axes = canvas(4.4, 2.8, [*names, *series])
    for number, (label, rows) in enumerate(series.items()):
        values = np.array(rows, float).reshape(-1, 3)
        places = np.arange(len(names)) + 0.16 * (number - (len(series) - 1) / 2)
        bars = [np.maximum(0, values[:, 0] - values[:, 1]), np.maximum(0, values[:, 2] - values[:, 0])]
        axes.errorbar(places, values[:, 0], yerr=bars, fmt="o", markersize=4.5, linewidth=1.4, capsize=3, label=label,
                      color=COLOURS[number % len(COLOURS)])
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(0, 1.05 * max([1.0, *(row[2] for rows in series.values() for row in rows)]))
    _named(axes, x, y)
    if len(series) > 1:
        axes.legend(fontsize=8, frameon=False, labelcolor=INK, ncol=len(series), loc="lower right", bbox_to_anchor=(1, 1))
    return figure


def histogram(values: Sequence[float], edges: Sequence[float], x: str, y: str, mark: float) -> Any:
    """How many values lie between the edges, and a line at `mark`."""
    figure, axes = canvas(4.4, 2.8)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=COLOURS[0], linewidth=0)
    axes.axvline(mark, color=INK, linewidth=1, linestyle=":")
    _named(axes, x, y)
    return figure


def bars(values: Mapping[str, float], x: str) -> Any:
    """A bar to the right for each name, the first on top."""
    figure, axes = canvas(4.4, 0.9 + 0.3 * max(2, len(values)), values)
    axes.barh(list(values), list(values.values()), height=0.62, color=COLOURS[0], linewidth=0)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    _named(axes, x, "")
    return figure


def _named(axes: Any, x: str, y: str) -> None:
    axes.set_xlabel(x, color=INK, fontsize=8.5)
    axes.set_ylabel(y, color=INK, fontsize=8.5)


def shown(piece: str) -> str:
    """A piece as a label: a space before it as a mark that every font has, nothing that would be read as a formula."""
    return piece.replace("▁", "_").replace("$", r"\$")


def png(figure: Any) -> tuple[bytes, tuple[int, int]]:
    """The picture on white, and its (width, height) in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    inches = figure.get_size_inches()[0]
    figure.set_dpi(110 if inches > 6 else min(110, max(72, CARD / inches)))
    drawn, buffer = FigureCanvasAgg(figure), io.BytesIO()
    drawn.print_png(buffer)
    width, height = drawn.get_width_height()
    return buffer.getvalue(), (width, height)


def svg(figure: Any, name: str, title: str, description: str) -> str:
    """The picture as an <svg> for a page: its colours are the page's variables, its text is text.

    Args:
        figure: what to show.
        name: of letters, different for each picture of the page.
        title, description: what stands in its place where it cannot be seen.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    for part in (figure, *figure.axes):
        part.patch.set_visible(False)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text[text.index("<svg"):], flags=re.DOTALL)
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    for colour, variable in THEME.items():
        text = text.replace(colour, variable)
    text = re.sub(r"(font(?:-size)?: )([\d.]+px)(?: [^;\"]*)?", r"font-size: \2", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    width, height = (72 * side for side in figure.get_size_inches())
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    shape = f'viewBox="0 0 {width:g} {height:g}" style="max-width: {1.5 * width:.0f}px"'
    named = f'role="img" aria-labelledby="{name}-title {name}-description"'
    said = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-description">{escape(description)}</desc>'
    return f"<svg {spaces} {shape} {named}>{said}{text[text.index('>') + 1:]}"
