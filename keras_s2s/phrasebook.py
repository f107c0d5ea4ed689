"""Everyday English and its Hindi, composed from sentence patterns and a lexicon.

The folder phrasebook/ holds the data, tab-separated, '#' starting a comment line. Each lexicon file begins with a line of
column names: `word` (the key of the word), `tags` (the classes it belongs to) and its English and Hindi forms. A dash is a
form that the word lacks: a pattern asking for it passes the word over. The column `agr` names a line of agreement.tsv whose
cells the word takes too, as its own; `many_agr` does so for the plural, each cell's name prefixed by `many_`.

patterns.tsv has one pattern a line: English, Hindi, domain. In both languages a slot stands in braces:

    {fruit}             a word tagged `fruit`, in its column `en` (English side) or `hi` (Hindi side)
    {fruit.many}        its column `many`
    {name} {name2}      two words of one class; no word fills two slots of a sentence
    {adj.form/thing}    agreement: the column of adj that the cell `form` of thing names (m, o or f)
    {thing:मेरा|मेरी}      one of two by gender, or of three: masculine singular | masculine plural | feminine, or of
                        four, as three but feminine plural apart; on the English side {who:like|likes}
    {fruit.many:का|की}    the same for the plural
    {verb.fut}+{who.fut}  joined, a vowel after a consonant becoming its sign: पढ़ + ऊँगा gives पढ़ूँगा

`I like {fruit.many}.`  and  `मुझे {fruit.his} पसंद {fruit.many_hai}।`  thus give  I like mangoes. - मुझे आम पसंद हैं।
"""
import hashlib
import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("phrasebook")
NOT_LEXICON = ("agreement.tsv", "patterns.tsv", "free.tsv")
FEW = 40  # a pattern with up to so many ways to fill its slots yields them all
HELD_OUT = {"test": 1500, "dev": 1000}
KEPT = 3  # sentences that every pattern and every word keeps in train before any is held out

SLOT = re.compile(r"\{([a-z]+\d?)(?:\.([a-z_]+)(?:/([a-z]+\d?))?)?(?::([^{}]*))?\}")
JOINT = re.compile(r"([क-ह]़?)\+([इएऊओ])(ँ?)")
CASES = {"present": ("en", "s"), "form": ("m", "o", "f"), "perf": ("pm", "pmp", "pf", "pfp")}
SIGNS = {"इ": "ि", "ए": "े", "ऊ": "ू", "ओ": "ो"}

Word = dict[str, str]
Lexicon = dict[str, list[Word]]  # by tag
Slot = tuple[str, str, str, list[str]]  # name, feature, the slot agreed with, alternatives by the cases of the feature


@dataclass(frozen=True)
class Phrase:
    """A sentence in both languages, the English template it came from and the lexicon words that fill it."""

    source: str
    target: str
    pattern: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Pattern:
    """A template in two languages, each side parted into literal text and slots, and where it is written."""

    english: str
    sides: tuple[list[str | Slot], list[str | Slot]]
    slots: tuple[str, ...]
    place: str

    def words(self, lexicon: Lexicon) -> list[list[Word]]:
        """The candidates for each slot: words of its class that have every form the pattern asks of them."""
        asked: dict[str, set[str]] = {name: set() for name in self.slots}
        for part in itertools.chain(*self.sides):
            if not isinstance(part, str):
                name, feature, other = part[:3]
                asked[other or name].add(feature)
        return [self.candidates(name, asked[name], lexicon) for name in self.slots]

    def candidates(self, name: str, forms: set[str], lexicon: Lexicon) -> list[Word]:
        tag = name.rstrip("0123456789")
        if tag not in lexicon:
            raise ValueError(f"{self.place}: no word of the lexicon is tagged '{tag}'; name a tag that a lexicon file uses")
        for form in forms:
            if not any(form in word for word in lexicon[tag]):
                raise ValueError(f"{self.place}: no word tagged '{tag}' has a form '{form}'; name a column of its file")
        return [word for word in lexicon[tag] if all(word.get(form, "-") != "-" for form in forms)]


def rows(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The lines of a data file that are neither empty nor comments, with the place to name in an error."""
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip() and not line.startswith("#"):
            yield f"{file.name}, line {number}", line.split("\t")


def table(file: Path) -> Iterator[tuple[str, Word]]:
    """The lines of a lexicon file as words: a form by the name of its column."""
    lines = rows(file)
    _, columns = next(lines)
    for place, cells in lines:
        if len(cells) != len(columns):
            raise ValueError(f"{place}: {len(cells)} cells under {len(columns)} column names; give each column a cell "
                             "(a dash for a form the word lacks)")
        yield place, dict(zip(columns, cells))


def read_lexicon(folder: Path) -> Lexicon:
    """All words by tag, each with the cells of its lines of the agreement table."""
    agreement = {word["agr"]: word for _, word in table(folder / "agreement.tsv")}
    lexicon: Lexicon = {}
    seen: dict[str, str] = {}
    for file in sorted(folder.glob("*.tsv")):
        for place, word in table(file) if file.name not in NOT_LEXICON else ():
            if word["word"] in seen:
                raise ValueError(f"{place}: the word '{word['word']}' stands at {seen[word['word']]} too; rename one")
            seen[word["word"]] = place
            for column in [column for column in word if column.endswith("agr") and word[column] != "-"]:
                if word[column] not in agreement:
                    raise ValueError(f"{place}: '{word[column]}' is no line of agreement.tsv; use {', '.join(agreement)}")
                prefix = column.removesuffix("agr")
                word.update({prefix + name: cell for name, cell in agreement[word[column]].items() if name != "agr"})
            for tag in word["tags"].split():
                lexicon.setdefault(tag, []).append(word)
    return lexicon


def parse(template: str, default: str, place: str) -> list[str | Slot]:
    """The template parted into literal text and slots; a slot that names no feature takes the `default` column."""
    parts: list[str | Slot] = []
    end = 0
    for match in SLOT.finditer(template):
        name, feature, other, alternatives = match.groups("")
        choices = alternatives.split("|") if alternatives else []
        if choices:
            case = "present" if default == "en" else "perf" if len(choices) == 4 else "form"
            if case == "form" and len(choices) == 2:
                choices.insert(0, choices[0])
            if len(choices) != len(CASES[case]):
                raise ValueError(f"{place}: '{match[0]}' offers {len(choices)} alternatives; give two in English, "
                                 "two to four in Hindi, parted by '|'")
            feature = "many_" + case if feature == "many" else case
        parts += [template[end:match.start()], (name, feature or default, other, choices)]
        end = match.end()
    parts.append(template[end:])
    for text in parts:
        if isinstance(text, str) and ("{" in text or "}" in text):
            raise ValueError(f"{place}: cannot read '{text.strip()}'; write a slot as {{class}}, {{class.form}}, "
                             "{class.form/other} or {class:one|other}")
    return parts


def read_patterns(file: Path) -> list[Pattern]:
    """The patterns in the order of the file."""
    patterns = []
    for place, cells in rows(file):
        if len(cells) != 3:
            raise ValueError(f"{place}: {len(cells)} cells; write English, Hindi and domain, parted by tabs")
        sides = parse(cells[0], "en", place), parse(cells[1], "hi", place)
        english, hindi = ([part[0] for part in side if not isinstance(part, str)] for side in sides)
        for slot in sorted(set(english) ^ set(hindi)):
            raise ValueError(f"{place}: the slot '{slot}' stands in one language only; use it in both")
        for part in itertools.chain(*sides):
            if not isinstance(part, str) and part[2] and part[2] not in english:
                raise ValueError(f"{place}: '{part[0]}' agrees with '{part[2]}', which is no slot here; name one that is")
        patterns.append(Pattern(cells[0], sides, tuple(dict.fromkeys(english)), place))
    return patterns


def fill(parts: list[str | Slot], words: dict[str, Word], place: str) -> str:
    """The sentence that the words make of one side of a pattern."""
    text = []
    for part in parts:
        if isinstance(part, str):
            text.append(part)
            continue
        name, feature, other, choices = part
        word = words[name]
        if choices:
            text.append(choices[CASES[feature.removeprefix("many_")].index(word[feature])])
            continue
        feature = words[other][feature] if other else feature
        if word.get(feature, "-") == "-":
            raise ValueError(f"{place}: the word '{word['word']}' has no form '{feature}'; narrow the class '{name}'")
        text.append(word[feature])
    sentence = " ".join("".join(text).split())
    return sentence[:1].upper() + sentence[1:]


def join(sentence: str) -> str:
    """Stem and ending become one word at each '+': a vowel after a consonant is written as its sign."""
    # Above a sign that already rises over the line, the nasal is the dot: पढ़ेंगे, though खाएँगे.
    def sign(match: re.Match[str]) -> str:
        return match[1] + SIGNS[match[2]] + ("ं" if match[3] and match[2] in "एओ" else match[3])
    return JOINT.sub(sign, sentence).replace("+", "") if "+" in sentence else sentence


def rank(*key: str) -> bytes:
    """A place in an order that looks random yet is the same on every machine and in every process."""
    return hashlib.blake2b("\t".join(key).encode(), digest_size=8).digest()


def fillings(pattern: Pattern, lexicon: Lexicon) -> list[tuple[Word, ...]]:
    """The ways to fill the slots: all when they are few, else a share that grows as their square root."""
    choices = pattern.words(lexicon)
    total = math.prod(map(len, choices))
    size = FEW + round(0.4 * math.sqrt(max(0, total - FEW)))
    ways = {}
    for count in range(min(total, 4 * size)):
        number = rest = count if total <= 4 * size else int.from_bytes(rank(pattern.english, str(count))) % total
        way = []
        for words in reversed(choices):
            rest, index = divmod(rest, len(words))
            way.append(words[index])
        if len({word["word"] for word in way}) == len(way):
            ways[number] = tuple(reversed(way))
    chosen = sorted(ways, key=lambda number: rank(pattern.english, str(number)))[:size]
    return [ways[number] for number in sorted(chosen)]


def phrases(folder: Path = FOLDER) -> list[Phrase]:
    """All phrases, in the order of the patterns and of the lexicon; no source has two targets."""
    lexicon = read_lexicon(folder)
    found: dict[str, Phrase] = {}
    for pattern in read_patterns(folder / "patterns.tsv"):
        for way in fillings(pattern, lexicon):
            words = dict(zip(pattern.slots, way))
            english, hindi = (fill(side, words, pattern.place) for side in pattern.sides)
            phrase = Phrase(english, unicodedata.normalize("NFC", join(hindi)), pattern.english,
                            tuple(word["word"] for word in way))
            known = found.setdefault(english, phrase)
            if known.target != phrase.target:
                raise ValueError(f"{pattern.place}: '{english}' becomes '{phrase.target}', but '{known.target}' under "
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
    """The phrases shared out among train, dev and test: what is held out combines words and patterns train knows."""
    everything = phrases()
    left = Counter(key for phrase in everything for key in {phrase.pattern, *phrase.words})
    targets = Counter(phrase.target for phrase in everything)
    held: dict[Phrase, str] = {}
    wanted = iter([name for name, size in HELD_OUT.items() for _ in range(size)])
    for phrase in sorted(everything, key=lambda phrase: rank("split", phrase.source)):
        keys = {phrase.pattern, *phrase.words}
        # A target that two sources share would be met in train from the other one.
        if targets[phrase.target] == 1 and phrase.words and all(left[key] > KEPT for key in keys):
            name = next(wanted, "")
            if not name:
                break
            held[phrase] = name
            left.subtract(keys)
    return {name: [phrase for phrase in everything if held.get(phrase, "train") == name] for name in ("train", "dev", "test")}


def split() -> dict[str, list[tuple[str, str]]]:
    """(source, target) pairs by split: train; dev and test, of combinations train never shows; free."""
    pairs = {name: [(phrase.source, phrase.target) for phrase in share] for name, share in shares().items()}
    return pairs | {"free": free()}


def write(folder: Path) -> dict[str, Path]:
    """Write each split as a tab-separated file of UTF-8 lines; return the paths by the name of the split."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, pairs in split().items():
        paths[name] = folder / f"{name}.tsv"
        paths[name].write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8", newline="\n")
    return paths
