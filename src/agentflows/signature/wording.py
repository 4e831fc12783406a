"""Sentences, specifics, negations and hedges of a text: what must survive when it is shortened or merged."""

import re
import unicodedata
from collections import Counter

_FENCE = re.compile(r"\s*(?:```|~~~)")
_MARKER = re.compile(r"\s*(?:(?:[-*+•]|\d{1,3}[.)]|#{1,6}|>)\s+)*(?:\[[ xX]\]\s+)?")
_STARTS_BLOCK = re.compile(r"\s*(?:[-*+•]\s|\d{1,3}[.)]\s|#{1,6}\s|>|\||```|~~~|$)")
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*(?=\s)|[。！？]")
_ABBREVIATION = re.compile(
    r"(?i)(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|incl|no|fig|al|mr|mrs|ms|dr|prof|st|ca|z\.b|d\.h|u\.a|bzw|usw|p\.ex"
    r"|ex|min|max|sec|dept|inc|ltd|a\.m|p\.m|ej|sr|sra)|(?<![\w./`-])[a-z])\.\Z"
)
_CODE_SPAN = re.compile(r"(`+)([^`\n]+?)\1")
_STRAIGHT = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s<>)\"']+")
_PATH = re.compile(r"(?<![\w/])(?:~|\.{1,2})?/?(?:[\w.@+*-]+/)+[\w.@+*-]*|(?<![\w/])(?:~|\.{1,2})?/[\w.@+-]+")
_FILE = re.compile(
    r"(?<![\w/.])(?![a-zA-Z]\.[a-zA-Z]\b)\.?[\w-]+(?:\.[\w-]+)*\.[A-Za-z][A-Za-z0-9]{0,5}(?![\w(])"
)
_FLAG = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_DATE = re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b|\b\d{1,2}:\d{2}(?::\d{2})?\b")
_VERSION = re.compile(r"(?<![\w.])v?\d+(?:\.\d+)+(?:[-+][\w.]+)?")
_ID = re.compile(r"(?<![\w#])[#@]?(?=[\w-]*\d)(?=[\w-]*[A-Za-z])\w+(?:-\w+)*")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:[.,]\d+)?(?!\w)")
_CONSTANT = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b[a-z]+(?:_[a-z0-9]+)+\b|\b[a-z]+[A-Z]\w+\b")

_CONTRACTED = re.compile(r"(?i)\b\w+n't\b|\bcannot\b|\b(?:dont|doesnt|didnt|cant|wont|shouldnt|isnt|arent)\b")
_NEGATIONS_WORDS = """
    not never no none nor neither without unless only except nothing nobody avoid forbidden exclude
    excluding ne pas jamais sans sauf aucun aucune seulement uniquement hormis nicht kein keine keinen
    keinem keiner nie niemals ohne außer nur weder nunca jamás sin salvo solo sólo solamente excepto
    ningún ninguna nada tampoco
    non nessuno nessuna nessun niente senza tranne eccetto soltanto não nenhum nenhuma sem exceto somente apenas só
    niet nooit geen zonder behalve alleen enkel inte aldrig ingen inget inga utan ikke aldri uden uten kun
    nigdy żaden żadnych bez tylko oprócz nikdy žádný pouze не никогда без нет нельзя кроме только ні ніколи değil asla
"""
_NEGATIONS = frozenset(_NEGATIONS_WORDS.split())
_NEGATED = re.compile(
    r"(?i)\bmai(?=\s+\w+(?:are|ere|ire)\b)"
    r"|ない|ません|なく(?=[て、。])|ずに|せず|禁止|不(?!具合|便|明|正|足|安|可能|良|同)|[没沒勿莫]|别(?=[再用在把让去做改动提推删])|[無无]需"
    r"|(?<=지)\s?(?:마|말)|않|없|못|금지|아니"
)
"""Italian `mai` before what must not be done, unlike the French month; parts of words of Japanese, Chinese and Korean."""
_HEDGES_WORDS = """
    maybe perhaps possibly probably reportedly apparently allegedly seemingly presumably supposedly
    seems seem might may likely unlikely unverified unconfirmed tentative tentatively guess suspect
    sometimes usually often roughly approximately draft peut-être probablement apparemment semble
    parfois souvent vielleicht wahrscheinlich angeblich vermutlich möglicherweise anscheinend scheint
    manchmal quizás quizá probablemente aparentemente parece posiblemente
"""
_HEDGES = frozenset(_HEDGES_WORDS.split())
_HEDGE_PHRASES = re.compile(
    r"(?i)\bi (?:think|believe|guess|suppose)\b|\bnot sure\b|\bas far as i know\b|\bit looks like\b|\bin theory\b"
    r"|\bje (?:pense|crois)\b|\bil semble\b|\bich (?:glaube|denke)\b|\bcreo que\b|\btal vez\b"
)
_WORD = re.compile(r"[^\W_]+(?:[-'_.][^\W_]+)*")
_STOP_WORDS = """
    a an the and or but if then so of to in on at for from by with as is are was were be been being am
    it its this that these those there here i we you he she they them me us my our your his her their do
    does did done have has had will would can could should shall just also too very really please ok
    okay yes hi hello thanks thank let lets than when where which who what how why into out up down
    about over after before again all any some each every own le la les un une des du de et ou mais dans sur
    pour par avec est sont ce cette ces il elle nous vous je tu que qui der die das den dem ein eine
    einen und oder aber in im auf für mit von zu ist sind es ich wir sie du bitte el los las unos unas y
    o pero en para por con es son lo su se yo tú nosotros por favor
"""
_STOP = frozenset(_STOP_WORDS.split())


def sentences(text: str) -> list[tuple[int, int]]:
    """Where each sentence stands: `text[start:end]`, in order, without list markers and blanks around it.

    A line of fenced code, a table row, a heading and a list item never run into the next line; prose that
    wraps (the next line goes on in lower case) does. Dots in code spans, URLs, paths, numbers and
    abbreviations end nothing.
    """
    found: list[tuple[int, int]] = []
    for start, end, is_code in _blocks(text):
        found.extend([(start, end)] if is_code else _split_prose(text, start, end))
    return [span for span in (_stripped(text, *span) for span in found) if span[0] < span[1]]


def specifics(text: str) -> set[str]:
    """What a shorter text may not change: numbers, versions, paths, ids, flags, URLs, identifiers, code spans.

    Code spans come without their backticks and are not taken apart.
    """
    found: set[str] = set()

    def take(match: re.Match[str]) -> str:
        value = match.group(2) if match.re is _CODE_SPAN else match.group()
        value = " ".join(value.split()).rstrip(".,;:!?")
        if value and value not in {".", "..", "/"}:
            found.add(value)
        return " "

    for pattern in (_CODE_SPAN, _URL, _PATH, _DATE, _FILE, _FLAG, _VERSION, _ID, _CONSTANT, _NUMBER):
        text = pattern.sub(take, text)
    return found


def negations(text: str) -> Counter[str]:
    """How often each word stands that turns a statement round or limits it.

    English, French, German and Spanish, and the plain ones of twelve more languages. Contractions count as `not`.
    """
    text = text.translate(_STRAIGHT)
    found = Counter({"not": len(_CONTRACTED.findall(text))})
    found.update(_NEGATED.findall(text))
    found.update(word for word in _lower_words(_CONTRACTED.sub(" ", text)) if word in _NEGATIONS)
    return +found


def hedges(text: str) -> Counter[str]:
    """How often each word or phrase stands that makes a statement less sure."""
    text = text.translate(_STRAIGHT)
    found = Counter(match.group().lower() for match in _HEDGE_PHRASES.finditer(text))
    # "May" with a capital inside a sentence is the month, not the modal
    text = re.sub(r"(?<=[a-z0-9,] )May\b", " ", _HEDGE_PHRASES.sub(" ", text))
    found.update(word for word in _lower_words(text) if word in _HEDGES)
    return found


def tokens(text: str) -> set[str]:
    """The words that carry meaning, lower-case, without stop words and plain endings, for overlap counts."""
    return {
        stem(word) for word in _lower_words(text) if word not in _STOP and (len(word) > 1 or word.isdigit())
    }


def stem(word: str) -> str:
    """A word without `-s`, `-ed`, `-ing`: `commits`, `committed` and `committing` are one word."""
    word = word.removesuffix("'s").removesuffix("’s")
    if len(word) <= 3 or not word.isalpha():
        return word
    if word.endswith("own") and len(word) > 4:  # shown, known, grown
        return word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return _undoubled(word[: -len(ending)])
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def _undoubled(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeioulsz" else word


def _lower_words(text: str) -> list[str]:
    return [unicodedata.normalize("NFC", match.group().lower()) for match in _WORD.finditer(text)]


def _blocks(text: str) -> list[tuple[int, int, bool]]:
    """Stretches that hold whole sentences: (start, end, is one code line)."""
    blocks: list[tuple[int, int, bool]] = []
    fenced = False
    open_prose = False
    start = 0
    for line in text.split("\n"):
        end = start + len(line)
        if _FENCE.match(line):
            fenced, open_prose = not fenced, False
        elif fenced:
            blocks.append((start, end, True))
        elif not line.strip():
            open_prose = False
        elif open_prose and _goes_on(text[blocks[-1][0] : blocks[-1][1]], line):
            blocks[-1] = (blocks[-1][0], end, False)
        else:
            blocks.append((start, end, line.lstrip().startswith("|")))
            open_prose = not line.lstrip().startswith(("|", "#"))
        start = end + 1
    return blocks


def _goes_on(before: str, line: str) -> bool:
    """Whether `line` continues the sentence of the line before it."""
    if _STARTS_BLOCK.match(line) or before.rstrip().endswith((".", "!", "?", ":", "…", ";")):
        return False
    return line.lstrip()[:1].islower()


def _split_prose(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Cut a stretch of prose at its sentence ends."""
    stretch = text[start:end]
    masked = _CODE_SPAN.sub(lambda match: "x" * len(match.group()), stretch)
    marker = _MARKER.match(masked)
    begin = marker.end() if marker else 0
    spans: list[tuple[int, int]] = []
    for match in _END.finditer(masked, begin):
        if _ends_sentence(masked, match):
            spans.append((start + begin, start + match.end()))
            begin = match.end()
    spans.append((start + begin, end))
    return spans


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    """Whether a dot ends a sentence: not after an abbreviation, and not when the text goes on in lower case."""
    following = text[match.end() :].lstrip()
    if not following:
        return True
    if match.group().startswith(".") and not match.group().startswith("..."):
        if _ABBREVIATION.search(text[: match.start() + 1]):
            return False
        return not following[0].islower() or match.group() != "."
    return not following[0].islower() or match.group()[0] in "!?"


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end)
