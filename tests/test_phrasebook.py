"""The phrasebook: correct Hindi, fair splits, the same on every machine."""
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from keras_s2s import phrasebook

HELD_OUT = ("dev", "test")

# Template, the words that fill it, English, Hindi: one line or more for each point of grammar.
SAID = [
    ("{who} {who.am} {feeling}.", ("I", "happy"), "I am happy.", "मैं ख़ुश हूँ।"),
    ("{who} {who.am} {feeling}.", ("you", "ready"), "You are ready.", "आप तैयार हैं।"),
    ("{who} {who.am} {feeling}.", ("my father", "busy"), "My father is busy.", "मेरे पिताजी व्यस्त हैं।"),
    ("{who} {who.am} {feeling}.", ("my mother", "tired"), "My mother is tired.", "मेरी माँ थकी हुई हैं।"),
    ("{who} {who.am} {feeling}.", ("the girls", "tired"), "The girls are tired.", "लड़कियाँ थकी हुई हैं।"),
    ("{who} {who.was} {feeling} {gone}.", ("my mother", "alone", "yesterday"),
     "My mother was alone yesterday.", "मेरी माँ कल अकेली थीं।"),
    ("{who} {who.was} {feeling} {gone}.", ("they", "angry", "last night"),
     "They were angry last night.", "वे कल रात नाराज़ थे।"),
    ("{who} {habit.present/who} {daily}.", ("he", "drink tea", "in the morning"),
     "He drinks tea in the morning.", "वह सुबह चाय पीता है।"),
    ("{who} {habit.present/who} {daily}.", ("she", "drink tea", "in the morning"),
     "She drinks tea in the morning.", "वह सुबह चाय पीती है।"),
    ("{who} {who.dont} {deed}.", ("my aunt", "swim"), "My aunt doesn't swim.", "मेरी चाची नहीं तैरतीं।"),
    ("{who} {who.am} {deed.ing}.", ("the girls", "laugh"), "The girls are laughing.", "लड़कियाँ हँस रही हैं।"),
    ("{who} will {deed} {coming}.", ("I", "read a book", "tomorrow"),
     "I will read a book tomorrow.", "मैं कल किताब पढ़ूँगा।"),
    ("{who} will {deed} {coming}.", ("she", "drink tea", "tomorrow"),
     "She will drink tea tomorrow.", "वह कल चाय पिएगी।"),
    ("{who} will {deed} {coming}.", ("we", "take medicine", "today"),
     "We will take medicine today.", "हम आज दवा लेंगे।"),
    ("{who} will {deed} {coming}.", ("my mother", "cook (verb)", "this evening"),
     "My mother will cook this evening.", "मेरी माँ आज शाम खाना बनाएँगी।"),
    ("{hewho} {deed.past} {gone}.", ("I", "read a book", "yesterday"),
     "I read a book yesterday.", "मैंने कल किताब पढ़ी।"),
    ("{hewho} {deed.past} {gone}.", ("my sisters", "dance", "yesterday"),
     "My sisters danced yesterday.", "मेरी बहनें कल नाचीं।"),
    ("{hewho} {deed.past} {gone}.", ("he", "wash clothes", "this morning"),
     "He washed clothes this morning.", "उसने आज सुबह कपड़े धोए।"),
    ("{hewho} {eating.past} {food.many}.", ("Ram", "eat", "apple"), "Ram ate apples.", "राम ने सेब खाए।"),
    ("{hewho} {eating.past} {food.many}.", ("Ram", "eat", "dal"), "Ram ate dal.", "राम ने दाल खाई।"),
    ("{hewho} {trade.past} {few} {thing.many}.", ("my brother", "buy", "two", "book"),
     "My brother bought two books.", "मेरे भाई ने दो किताबें ख़रीदीं।"),
    ("{who} went {spot.to} {past}.", ("they", "market", "yesterday"),
     "They went to the market yesterday.", "वे कल बाज़ार गए।"),
    ("{who} went {spot.to} {past}.", ("my mother", "home", "last week"),
     "My mother went home last week.", "मेरी माँ पिछले हफ़्ते घर गईं।"),
    ("{hewho} {hewho.have} {thing.a}.", ("the boy", "book"), "The boy has a book.", "लड़के के पास एक किताब है।"),
    ("{owner} {owner.have} {few} {kin.many}.", ("I", "two", "sister"), "I have two sisters.", "मेरी दो बहनें हैं।"),
    ("{owner} {owner.have} {few} {kin.many}.", ("Ravi", "three", "son"),
     "Ravi has three sons.", "रवि के तीन बेटे हैं।"),
    ("Whose {thing} is this?", ("book",), "Whose book is this?", "यह किसकी किताब है?"),
    ("{hewho} {hewho:like|likes} {food.many}.", ("he", "mango"), "He likes mangoes.", "उसे आम पसंद हैं।"),
    ("{hewho} {hewho:need|needs} {thing.a}.", ("we", "umbrella"), "We need an umbrella.", "हमें एक छाता चाहिए।"),
    ("{hewho} {hewho.am} {need}.", ("the children", "hungry"), "The children are hungry.", "बच्चों को भूख लग रही है।"),
    ("{patient.poss} {body} hurts.", ("I", "throat"), "My throat hurts.", "मेरे गले में दर्द हो रहा है।"),
    ("{who} {who.am} in the {room}.", ("the boys", "room"), "The boys are in the room.", "लड़के कमरे में हैं।"),
    ("This {thing} is {quality.er} than that {thing}.", ("towel", "expensive"),
     "This towel is more expensive than that towel.", "यह तौलिया उस तौलिए से ज़्यादा महँगा है।"),
    ("{hewho} {hewho.am} scared of {animal.many}.", ("Sita", "dog"),
     "Sita is scared of dogs.", "सीता को कुत्तों से डर लगता है।"),
    ("Please don't {opening} the {openable}.", ("close", "window"),
     "Please don't close the window.", "कृपया खिड़की बंद मत कीजिए।"),
    ("Please {polite}.", ("rest",), "Please rest.", "कृपया आराम कीजिए।"),
    ("Who {opening.past} the {openable}?", ("open", "door"), "Who opened the door?", "दरवाज़ा किसने खोला?"),
    ("{hewho} {own.past} {hewho.own} {small}.", ("he", "lose", "key"), "He lost his key.", "उसने अपनी चाबी खो दी।"),
    ("{shewho} {shewho.have} to {deed}.", ("I", "wash clothes"), "I have to wash clothes.", "मुझे कपड़े धोने हैं।"),
    ("{shewho} {shewho.have} to {deed}.", ("she", "read a book"), "She has to read a book.", "उसे किताब पढ़नी है।"),
    ("{who} {who.have} already {deed.pp}.", ("my mother", "make tea"),
     "My mother has already made tea.", "मेरी माँ पहले ही चाय बना चुकी हैं।"),
    ("{adult} {adult.am} {job.one/adult}.", ("she", "teacher"), "She is a teacher.", "वह अध्यापिका है।"),
    ("{adult} {adult.am} {job.one/adult}.", ("we", "doctor"), "We are doctors.", "हम डॉक्टर हैं।"),
    ("{who} can {deed}.", ("the girls", "swim"), "The girls can swim.", "लड़कियाँ तैर सकती हैं।"),
    ("The {small} is {under} the {surface}.", ("book", "under", "chair"),
     "The book is under the chair.", "किताब कुर्सी के नीचे है।"),
    ("This {thing} costs {several} rupees.", ("book", "fifty"),
     "This book costs fifty rupees.", "यह किताब पचास रुपये की है।"),
]

# What is written in place of the patterns, and what the error must say.
MALFORMED = [
    ("I eat {fruit.many.\tमैं {fruit.his} खाता हूँ।\tfood",
     "line 1: cannot read 'I eat {fruit.many.'; write a slot as"),
    ("I eat {stone}.\tमैं {stone} खाता हूँ।\tfood", "line 1: no word of the lexicon is tagged 'stone'; name a tag"),
    ("I eat {fruit.shape}.\tमैं {fruit} खाता हूँ।\tfood", "no word tagged 'fruit' has a form 'shape'; name a column"),
    ("I eat {fruit}.\tमैं खाता हूँ।\tfood", "the slot 'fruit' stands in one language only; use it in both"),
    ("I eat {fruit}.\tमैं {fruit.form/who} खाता हूँ।\tfood",
     "'fruit' agrees with 'who', which is no slot here; name one"),
    ("I eat {fruit}.\tमैं {fruit:क} खाता हूँ।\tfood", "cannot choose by '{fruit:क}'; give {class:a|b} in English"),
    ("I eat {fruit}.\tमैं {fruit} खाता हूँ।", "line 1: 2 cells; write English, Hindi and domain, parted by tabs"),
    ("Hello!\tनमस्ते!\ta\nHello!\tनमस्कार!\ta",
     "line 2: 'Hello!' becomes 'नमस्कार!', yet 'नमस्ते!' under 'Hello!'; narrow"),
]


@pytest.fixture(scope="module")
def everything() -> list[phrasebook.Phrase]:
    return phrasebook.phrases()


@pytest.fixture(scope="module")
def said() -> dict[str, phrasebook.Pattern]:
    return {pattern.english: pattern for pattern in phrasebook.read_patterns(phrasebook.FOLDER / "patterns.tsv")}


@pytest.fixture(scope="module")
def lexicon() -> phrasebook.Lexicon:
    return phrasebook.read_lexicon(phrasebook.FOLDER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(phrasebook.FOLDER, tmp_path / "phrasebook"))


def test_the_corpus_is_large_and_no_pattern_drowns_the_others(everything: list[phrasebook.Phrase]) -> None:
    counts = Counter(phrase.pattern for phrase in everything)
    assert len(counts) >= 160
    assert 22_000 <= len(everything) <= 28_000
    assert max(counts.values()) <= 0.03 * len(everything)


def test_every_pattern_yields_phrases(everything: list[phrasebook.Phrase],
                                      said: dict[str, phrasebook.Pattern]) -> None:
    assert set(said) == {phrase.pattern for phrase in everything}


def test_every_word_recurs_in_several_patterns(everything: list[phrasebook.Phrase],
                                               lexicon: phrasebook.Lexicon) -> None:
    patterns = Counter(word for _, word in {(phrase.pattern, word) for phrase in everything for word in phrase.words})
    words = {word["word"] for tagged in lexicon.values() for word in tagged}
    assert {word for word in words if patterns[word] < 2} == set()


def test_a_source_has_one_target(everything: list[phrasebook.Phrase]) -> None:
    assert len({phrase.source for phrase in everything}) == len(everything)


def test_two_sources_rarely_share_a_target(everything: list[phrasebook.Phrase]) -> None:
    assert len(everything) - len({phrase.target for phrase in everything}) < 20


def test_the_corpus_is_the_same_under_any_hash_seed() -> None:
    program = ("import hashlib; from keras_s2s import phrasebook; "
               "print(hashlib.sha256(repr((phrasebook.phrases(), phrasebook.split())).encode()).hexdigest())")
    digests = {subprocess.run([sys.executable, "-c", program], cwd=Path(phrasebook.__file__).parents[1], check=True,
                              text=True, capture_output=True, env=os.environ | {"PYTHONHASHSEED": seed}).stdout.strip()
               for seed in ("1", "2")}
    assert len(digests) == 1 and digests != {""}


def test_sajal_introduces_himself_in_train() -> None:
    assert ("My name is Sajal", "मेरा नाम सजल है") in phrasebook.split()["train"]
    everywhere = [pair for pairs in phrasebook.split().values() for pair in pairs]
    assert ("My name is Sajal.", "मेरा नाम सजल है।") in everywhere


def test_the_splits_have_their_sizes_and_hold_every_phrase(everything: list[phrasebook.Phrase]) -> None:
    parts = phrasebook.split()
    assert list(parts) == ["train", "dev", "test", "free"]
    assert (len(parts["dev"]), len(parts["test"])) == (1000, 1500)
    assert sum(len(parts[name]) for name in ("train", "dev", "test")) == len(everything)
    assert len(parts["free"]) >= 320


@pytest.mark.parametrize("side", [0, 1], ids=["source", "target"])
def test_no_sentence_of_one_split_is_in_another(side: int) -> None:
    parts = {name: {pair[side] for pair in pairs} for name, pairs in phrasebook.split().items()}
    assert sum(map(len, parts.values())) == len(set().union(*parts.values()))


def test_train_knows_every_pattern_word_and_form_of_dev_and_test() -> None:
    shares = phrasebook.shares()
    known = set().union(*(phrase.parts() for phrase in shares["train"]))
    for name in HELD_OUT:
        assert set().union(*(phrase.parts() for phrase in shares[name])) <= known
        assert {("pattern", phrase.pattern) for phrase in shares[name]} <= known
        assert {("word", word) for phrase in shares[name] for word in phrase.words} <= known


def test_train_never_shows_a_held_out_combination() -> None:
    shares = phrasebook.shares()
    train = {(phrase.pattern, phrase.words) for phrase in shares["train"]}
    for name in HELD_OUT:
        assert not train & {(phrase.pattern, phrase.words) for phrase in shares[name]}


def test_all_text_is_composed_unicode() -> None:
    for file in phrasebook.FOLDER.glob("*.tsv"):
        text = file.read_text(encoding="utf-8")
        assert unicodedata.is_normalized("NFC", text), file.name
    for pair in [pair for pairs in phrasebook.split().values() for pair in pairs]:
        assert all(unicodedata.is_normalized("NFC", sentence) for sentence in pair)


def test_targets_are_devanagari_and_sources_are_latin() -> None:
    for source, target in [pair for pairs in phrasebook.split().values() for pair in pairs]:
        assert re.fullmatch(r"[\u0900-\u0963\u0966-\u097f ,-]+[।?!]?", target), target
        assert re.fullmatch(r"[A-Z][A-Za-z ,'-]*[.?!]?", source), source


def test_spaces_are_single_and_none_is_at_an_end() -> None:
    for sentence in [sentence for pairs in phrasebook.split().values() for pair in pairs for sentence in pair]:
        assert sentence == " ".join(sentence.split())


def test_a_pattern_ends_both_languages_alike(everything: list[phrasebook.Phrase]) -> None:
    ends = {".": "।", "?": "?", "!": "!"}
    for phrase in everything:
        assert ends.get(phrase.source[-1], "") == (phrase.target[-1] if phrase.target[-1] in "।?!" else ""), phrase


def test_no_pattern_produces_a_free_pair(everything: list[phrasebook.Phrase]) -> None:
    pairs = phrasebook.free()
    assert not {source for source, _ in pairs} & {phrase.source for phrase in everything}
    assert not {target for _, target in pairs} & {phrase.target for phrase in everything}
    assert len(set(pairs)) == len(pairs)
    assert all(3 <= len(source.split()) <= 12 for source, _ in pairs)


@pytest.mark.parametrize("template, keys, source, target", SAID, ids=[line[2] for line in SAID])
def test_words_agree(template: str, keys: tuple[str, ...], source: str, target: str,
                     said: dict[str, phrasebook.Pattern], lexicon: phrasebook.Lexicon) -> None:
    pattern = said[template]
    words = {name: next(word for word in pattern.candidates(name, lexicon) if word["word"] == key)
             for name, key in zip(pattern.slots, keys, strict=True)}
    english, hindi = (phrasebook.fill(side, words, pattern.place) for side in pattern.sides)
    assert (english, phrasebook.join(hindi)) == (source, unicodedata.normalize("NFC", target))


@pytest.mark.parametrize("stem, ending, word", [
    ("पढ़", "ऊँगा", "पढ़ूँगा"), ("पढ़", "एँगे", "पढ़ेंगे"), ("खा", "एँगे", "खाएँगे"),
    ("ल", "एगी", "लेगी"), ("सो", "ऊँगा", "सोऊँगा"), ("पि", "एँ", "पिएँ")])
def test_a_stem_joins_its_ending(stem: str, ending: str, word: str) -> None:
    normal = [unicodedata.normalize("NFC", text) for text in (stem, ending, word)]
    assert phrasebook.join(f"{normal[0]}+{normal[1]}") == normal[2]


@pytest.mark.parametrize("lines, message", MALFORMED, ids=[line[1] for line in MALFORMED])
def test_a_malformed_pattern_is_told_with_its_place_and_remedy(lines: str, message: str, folder: Path) -> None:
    (folder / "patterns.tsv").write_text(lines, encoding="utf-8")
    with pytest.raises(ValueError, match=r"^patterns\.tsv, line \d: ") as error:
        phrasebook.phrases(folder)
    assert message in str(error.value)


def test_a_lexicon_line_with_a_missing_cell_is_told(folder: Path) -> None:
    (folder / "weather.tsv").write_text("word\ttags\ten\nfoggy\tweather\n", encoding="utf-8")
    with pytest.raises(ValueError, match="weather.tsv, line 2: 2 cells under 3 column names; give each column"):
        phrasebook.phrases(folder)


def test_a_word_that_stands_twice_is_told(folder: Path) -> None:
    (folder / "weather.tsv").write_text("word\ttags\ten\napple\tweather\tapple\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"weather.tsv, line 2: 'apple' is a word at nouns.tsv, line \d+ already"):
        phrasebook.phrases(folder)


def test_an_unknown_agreement_is_told(folder: Path) -> None:
    (folder / "weather.tsv").write_text("word\ttags\tagr\nfoggy\tweather\tn\n", encoding="utf-8")
    with pytest.raises(ValueError, match="weather.tsv, line 2: agreement.tsv has no 'n'; use I, we, you"):
        phrasebook.phrases(folder)


def test_a_free_line_without_a_tab_is_told(folder: Path) -> None:
    (folder / "free.tsv").write_text("Hello there.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="free.tsv, line 1: 1 cells; write English and Hindi, parted by one tab"):
        phrasebook.free(folder)


def test_writing_gives_one_file_a_split(tmp_path: Path) -> None:
    paths = phrasebook.write(tmp_path / "corpus")
    for name, pairs in phrasebook.split().items():
        lines = paths[name].read_bytes().decode("utf-8").splitlines()
        assert paths[name].name == f"{name}.tsv"
        assert [tuple(line.split("\t")) for line in lines] == pairs
        assert b"\r" not in paths[name].read_bytes()
