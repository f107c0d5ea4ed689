"""Pieces of an HTML page that is one file: no script, no network; light and dark, wide and narrow, screen and paper.

Text becomes HTML in one place, `html`; what is HTML already is an `Html` and stays as it is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from keras_s2s import plots

STYLE = Path(__file__).with_name("page.css")


class Html(str):
    """Text that is HTML already; what is added to it becomes HTML."""

    def __add__(self, other: Any) -> Html:
        return Html(str(self) + str(html(other)))


def html(value: Any) -> Html:
    """A value as HTML: what is none yet is escaped."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def page(title: str, parts: Iterable[Html]) -> str:
    """The whole page."""
    return (f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html(title)}</title>\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n<main>\n"
            + "\n".join(parts) + "\n</main>\n</body>\n</html>\n")


def section(title: str, *parts: Html | str, note: str = "") -> Html:
    """A heading, a line of explanation and what follows; nothing at all where nothing follows."""
    inside = "\n".join(html(part) for part in parts if part)
    explained = f'<p class="note">{html(note)}</p>\n' if note else ""
    return Html(f'<section id="{anchor(title)}">\n<h2>{html(title)}</h2>'
                f"\n{explained}{inside}\n</section>" if inside else "")


def anchor(title: str) -> str:
    """The name by which a section is linked to."""
    return "-".join("".join(sign for sign in title.lower() if sign.isalnum() or sign == " ").split())


def contents(sections: Iterable[Html]) -> Html:
    """Links to the sections that are there."""
    titles = [match.group(1) for part in sections if (match := re.search(r"<h2>(.*?)</h2>", part))]
    return Html("<nav>" + " ".join(f'<a href="#{anchor(title)}">{title}</a>' for title in titles) + "</nav>")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> Html:
    """A table; cells that look like numbers stand at the right."""
    body = "".join(f'<tr><th scope="row">{html(row[0])}</th>{"".join(map(_cell, row[1:]))}</tr>\n' for row in rows)
    if not body:
        return Html("")
    top = "<thead><tr>" + "".join(f'<th scope="col">{html(name)}</th>' for name in head) + "</tr></thead>\n"
    said = f"<caption>{html(caption)}</caption>\n" if caption else ""
    return Html(f'<div class="wide"><table>\n{said}{top}<tbody>\n{body}</tbody>\n</table></div>')


def _cell(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'<td class="number">{value:,.{1 if isinstance(value, float) else 0}f}</td>'
    return f'<td{" class=text" if len(str(value)) > 30 else ""}>{html(value)}</td>'


def picture(figure: Any, name: str, title: str, description: str, wide: bool = False) -> Html:
    """A plot with its title below and, for those who cannot see it, its description inside."""
    drawn = plots.svg(figure, name, title, description)
    return Html(f'<figure{" class=large" if wide else ""}>\n<div class="wide">{drawn}</div>\n'
                f"<figcaption>{html(title)}</figcaption>\n</figure>")


def pictures(*figures: Html) -> Html:
    """Plots side by side where the page is wide enough."""
    inside = "\n".join(figure for figure in figures if figure)
    return Html(f'<div class="pictures">\n{inside}\n</div>' if inside else "")


def tiles(values: Mapping[str, Any]) -> Html:
    """A few figures, large."""
    return Html('<dl class="tiles">' + "".join(f"<div><dt>{html(name)}</dt><dd>{html(value)}</dd></div>"
                                               for name, value in values.items()) + "</dl>")


def facts(values: Mapping[str, Any]) -> Html:
    """Names and values, in columns."""
    return Html('<dl class="facts">' + "".join(f"<div><dt>{html(name)}</dt><dd>{html(value)}</dd></div>"
                                               for name, value in values.items()) + "</dl>")


def marked(text: str, other: str, kind: str) -> Html:
    """The text with those words marked that the other text does not have in their place.

    Args:
        text, other: what is compared word by word.
        kind: "wrong" or "missed", for the style.
    """
    words = text.split()
    parts: list[str] = []
    for tag, first, last, _, _ in difflib.SequenceMatcher(None, words, other.split(), autojunk=False).get_opcodes():
        said = escape(" ".join(words[first:last]))
        if said:
            parts.append(said if tag == "equal" else f'<mark class="{kind}">{said}</mark>')
    return Html(" ".join(parts) or '<span class="note">(nothing)</span>')


def example(source: str, reference: str, answers: Mapping[str, str], scores: Mapping[str, float]) -> Html:
    """A source, its reference and one or more translations side by side, with the words in which they differ marked."""
    first = next(iter(answers.values()))
    shown = marked(reference, first, "missed") if len(answers) == 1 else html(reference)
    cells = [f'<div><span class="label">reference</span><p>{shown}</p></div>']
    cells += [f'<div><span class="label">{html(name)} <b>chrF {scores[name]:.0f}</b></span>'
              f'<p>{marked(text, reference, "wrong")}</p></div>' for name, text in answers.items()]
    return Html(f'<article><p class="source">{html(source)}</p><div class="sides">{"".join(cells)}</div></article>')
