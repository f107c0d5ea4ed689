"""Everyday English and its Hindi, composed from sentence patterns and a lexicon.

The folder phrasebook/ holds the data, tab-separated; '#' begins a comment line. A lexicon file opens with its column
names: `word` (a name of its own), `tags` (the classes the word belongs to), then English and Hindi forms. A dash is a
form the word lacks: a pattern that asks for it passes the word over. The column `agr` names a line of agreement.tsv,
whose cells the word takes as its own; `many_agr` does so for the plural, the names of the cells prefixed by `many_`.

patterns.tsv has one pattern a line: English, Hindi, domain. In both languages a slot stands in braces:

    {fruit}              a word tagged `fruit`, in its column `en` (English side) or `hi` (Hindi side)
    {fruit.many}         its column `many`
    {name} {name2}       two words of one class; no word fills two slots of a sentence
    {adj.form/thing}     agreement: the column of adj that the cell `form` of thing names (m, o or f)
    {thing:मेरा|मेरी}       one of two by gender; of three: masculine, masculine plural or respectful, feminine;
                         of four: the feminine plural too. In English, of two by person: {who:like|likes}
    {fruit.many:ये|वे}     the same by the plural
    {verb.fut}+{who.fut} joined, a vowel after a consonant becoming its sign: पढ़ + ऊँगा gives पढ़ूँगा

`I like {fruit.many}.` with `मुझे {fruit.his} पसंद {fruit.many_hai}।` gives: I like mangoes. - मुझे आम पसंद हैं।
"""
import hashlib
import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from keras_s2s.normalize import comparable

FOLDER = Path(__file__).with_name("phrasebook")
NOT_LEXICON = ("agreement.tsv", "patterns.tsv", "free.tsv")
FEW = 40  # a pattern with up to so many ways to fill its slots yields them all
HELD_OUT = {"test": 1500, "dev": 1000}
KEPT = 3  # train keeps at least so many sentences of every pattern, word and form of a word

SLOT = re.compile(r"\{([a-z]+\d?)(?:\.([a-z_]+)(?:/([a-z]+\d?))?)?(?::([^{}]*))?\}")
JOINT = re.compile(r"([क-ह]़?)\+([एऊ])(ँ?)")
SIGNS = {"ए": "े", "ऊ": "ू"}
CASES = {"present": ("en", "s"), "form": ("m", "o", "f"), "perf": ("pm", "pmp", "pf", "pfp")}

Word = dict[str, str]
Lexicon = dict[str, list[Word]]  # by tag
Slot = tuple[str, str, str, list[str]]  # name, feature, the slot agreed with, alternatives by the cases of the feature
Side = list[str | Slot]


@dataclass(frozen=True)
class Phrase:
    """A sentence in both languages, the English template it came from and the lexicon words that fill it."""

    source: str
    target: str
    pattern: str
    words: tuple[str, ...]

    def parts(self) -> set[tuple[str, str]]:
        """What must be known apart to make the phrase: its pattern, its words, and their forms in both languages."""
        forms = re.findall(r"[^\s,.?!।]+", f"{self.source} {self.target}")
        return {("pattern", self.pattern), *(("word", w) for w in self.words), *(("form", form) for form in forms)}


@dataclass(frozen=True)
class Pattern:
    """A template in two languages, parted into literal text and slots, and where it is written."""

    english: str
    sides: tuple[Side, Side]
    slots: tuple[str, ...]
    place: str

    def candidates(self, name: str, lexicon: Lexicon) -> list[Word]:
        """The words of the slot's class that have every form the pattern asks of them."""
        tag = name.rstrip("0123456789")
        words = lexicon.get(tag)
        if not words:
            raise ValueError(f"{self.place}: no word of the lexicon is tagged '{tag}'; name a tag that a file uses")
        for part in itertools.chain(*self.sides):
            if isinstance(part, str) or name != (part[2] or part[0]):
                continue
            if not any(part[1] in word for word in words):
                raise ValueError(f"{self.place}: no word tagged '{tag}' has a form '{part[1]}'; name a column of it")
            words = [word for word in words if word.get(part[1], "-") != "-"]
        return words


def rows(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The lines of a data file that are neither empty nor comments, each with its place to name in an error."""
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip() and not line.startswith("#"):
            yield f"{file.name}, line {number}", line.split("\t")


def table(file: Path) -> Iterator[tuple[str, Word]]:
    """The lines of a file that opens with column names: each form by the name of its column."""
    lines = rows(file)
    _, columns = next(lines)
    for place, cells in lines:
        if len(cells) != len(columns):
            raise ValueError(f"{place}: {len(cells)} cells under {len(columns)} column names; "
                             "give each column a cell (a dash for a form the word lacks)")
        yield place, dict(zip(columns, cells))


def read_lexicon(folder: Path) -> Lexicon:
    """All words by tag, each with the cells of its lines of the agreement table."""
    agreement = {line["agr"]: line for _, line in table(folder / "agreement.tsv")}
    lexicon: Lexicon = {}
    seen: dict[str, str] = {}
    for file in sorted(folder.glob("*.tsv")):
        for place, word in table(file) if file.name not in NOT_LEXICON else ():
            if word["word"] in seen:
                raise ValueError(f"{place}: '{word['word']}' is a word at {seen[word['word']]} already; rename one")
            seen[word["word"]] = place
            for column in [column for column in word if column.endswith("agr") and word[column] != "-"]:
                if word[column] not in agreement:
                    raise ValueError(f"{place}: agreement.tsv has no '{word[column]}'; use {', '.join(agreement)}")
                prefix = column.removesuffix("agr")
                word.update({prefix + name: cell for name, cell in agreement[word[column]].items() if name != "agr"})
            for tag in word["tags"].split():
                lexicon.setdefault(tag, []).append(word)
    return lexicon


def slot(match: re.Match[str], default: str, place: str) -> Slot:
    """What a pair of braces says; a slot that names no feature takes the `default` column."""
    name, feature, other, alternatives = match.groups("")
    if not alternatives:
        return name, feature or default, other, []
    choices = alternatives.split("|")
    case = "present" if default == "en" else "perf" if len(choices) == 4 else "form"
    if case == "form" and len(choices) == 2:
        choices.insert(0, choices[0])
    if len(choices) != len(CASES[case]) or feature not in ("", "many") or other:
        raise ValueError(f"{place}: cannot choose by '{match[0]}'; give {{class:a|b}} in English, "
                         "two to four alternatives in Hindi, after a class or its plural {class.many:a|b}")
    return name, "many_" * bool(feature) + case, "", choices


def parse(template: str, default: str, place: str) -> Side:
    """The template parted into literal text and slots."""
    side: Side = []
    end = 0
    for match in SLOT.finditer(template):
        side += [template[end:match.start()], slot(match, default, place)]
        end = match.end()
    side.append(template[end:])
    for text in side:
        if isinstance(text, str) and ("{" in text or "}" in text):
            raise ValueError(f"{place}: cannot read '{text.strip()}'; write a slot as {{class}}, {{class.form}}, "
                             "{class.form/other} or {class:one|other}")
    return side


def read_patterns(file: Path) -> list[Pattern]:
    """The patterns in the order of the file."""
    patterns = []
    for place, cells in rows(file):
        if len(cells) != 3:
            raise ValueError(f"{place}: {len(cells)} cells; write English, Hindi and domain, parted by tabs")
        sides = parse(cells[0], "en", place), parse(cells[1], "hi", place)
        english, hindi = ([part[0] for part in side if not isinstance(part, str)] for side in sides)
        for name in sorted(set(english) ^ set(hindi)):
            raise ValueError(f"{place}: the slot '{name}' stands in one language only; use it in both")
        for part in itertools.chain(*sides):
            if not isinstance(part, str) and part[2] and part[2] not in english:
                raise ValueError(f"{place}: '{part[0]}' agrees with '{part[2]}', which is no slot here; name one")
        patterns.append(Pattern(cells[0], sides, tuple(dict.fromkeys(english)), place))
    return patterns


def fill(side: Side, words: dict[str, Word], place: str) -> str:
    """The sentence that the words make of one side of a pattern."""
    text = ""
    for part in side:
        if isinstance(part, str):
            text += part
            continue
        name, feature, other, choices = part
        feature = words[other][feature] if other else feature
        form = words[name].get(feature, "-")
        if form == "-":
            raise ValueError(f"{place}: '{words[name]['word']}' has no form '{feature}'; narrow the class '{name}'")
        text += choices[CASES[feature.removeprefix("many_")].index(form)] if choices else form
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]


def join(sentence: str) -> str:
    """Stem and ending become one word at each '+': a vowel after a consonant is written as its sign."""
    def signed(match: re.Match[str]) -> str:
        # Over a sign that itself rises above the line the nasal shrinks to a dot: पढ़ेंगे, yet खाएँगे.
        return match[1] + SIGNS[match[2]] + ("ं" if match[3] and match[2] == "ए" else match[3])
    return JOINT.sub(signed, sentence).replace("+", "")


def rank(*key: str) -> bytes:
    """A place in an order that looks random yet is the same on every machine and in every process."""
    return hashlib.blake2b("\t".join(key).encode(), digest_size=8).digest()


def fillings(pattern: Pattern, lexicon: Lexicon) -> list[tuple[Word, ...]]:
    """The ways to fill the slots: all when they are few, else a share that grows as their square root."""
    choices = [pattern.candidates(name, lexicon) for name in pattern.slots]
    total = math.prod(map(len, choices))
    size = FEW + round(0.4 * math.sqrt(max(0, total - FEW)))
    numbers: Iterable[int] = range(total)
    if total > 4 * size:
        numbers = {int.from_bytes(rank(pattern.english, str(count)), "big") % total for count in range(4 * size)}
    ways: dict[int, tuple[Word, ...]] = {}
    for number in sorted(numbers, key=lambda number: rank(pattern.english, str(number))):
        rest = number
        way: list[Word] = []
        for words in reversed(choices):
            rest, index = divmod(rest, len(words))
            way.insert(0, words[index])
        if len({word["word"] for word in way}) == len(way):
            ways[number] = tuple(way)
        if len(ways) == size:
            break
    return [way for _, way in sorted(ways.items())]


def phrases(folder: Path = FOLDER) -> list[Phrase]:
    """All phrases, in the order of the patterns and of the lexicon; no source has two targets."""
    lexicon = read_lexicon(folder)
    found: dict[str, Phrase] = {}
    for pattern in read_patterns(folder / "patterns.tsv"):
        for way in fillings(pattern, lexicon):
            words = dict(zip(pattern.slots, way))
            english, hindi = (fill(side, words, pattern.place) for side in pattern.sides)
            target = unicodedata.normalize("NFC", join(hindi))
            known = found.setdefault(english, Phrase(english, target, pattern.english, tuple(w["word"] for w in way)))
            if known.target != target:
                raise ValueError(f"{pattern.place}: '{english}' becomes '{target}', yet '{known.target}' under "
                                 f"'{known.pattern}'; narrow one of the two patterns")
    return list(found.values())


def free(folder: Path = FOLDER) -> list[tuple[str, str]]:
    """Pairs written one by one, whose constructions no pattern has: a second, harder test set."""
    pairs = []
    for place, cells in rows(folder / "free.tsv"):
        if len(cells) != 2:
            raise ValueError(f"{place}: {len(cells)} cells; write English and Hindi, parted by one tab")
        pairs.append((cells[0], cells[1]))
    return pairs


@cache
def shares() -> dict[str, list[Phrase]]:
    """The phrases of train, dev and test: what is held out combines words and patterns that train knows apart."""
    everything = phrases()
    left = Counter(key for phrase in everything for key in phrase.parts())
    sides = {phrase: (comparable(phrase.source), comparable(phrase.target)) for phrase in everything}
    sentences = Counter(itertools.chain(*sides.values()))
    held: dict[Phrase, str] = {}
    wanted = [name for name, size in HELD_OUT.items() for _ in range(size)]
    for phrase in sorted(everything, key=lambda phrase: rank("split", phrase.source)):
        if len(held) == len(wanted):
            break
        # A sentence that two phrases share, be it but for its punctuation, would be met in train under the other one.
        alone = all(sentences[side] == 1 for side in sides[phrase])
        if alone and all(left[part] > KEPT for part in phrase.parts()):
            held[phrase] = wanted[len(held)]
            left.subtract(phrase.parts())
    return {name: [phrase for phrase in everything if held.get(phrase, "train") == name]
            for name in ("train", *reversed(HELD_OUT))}


def split() -> dict[str, list[tuple[str, str]]]:
    """(source, target) pairs by split: train; dev and test, of combinations train never shows; free."""
    pairs = {name: [(phrase.source, phrase.target) for phrase in share] for name, share in shares().items()}
    return pairs | {"free": free()}


def write(folder: Path) -> dict[str, Path]:
    """Write each split as tab-separated UTF-8 lines; return the paths by the name of the split."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.tsv" for name in ("train", "dev", "test", "free")}
    for name, pairs in split().items():
        text = "".join(f"{source}\t{target}\n" for source, target in pairs)
        paths[name].write_text(text, encoding="utf-8", newline="\n")
    return paths
