"""The words the linter knows. English: a rubric in another language gets only what does not depend on words."""

import re
from collections.abc import Mapping

_VERBS = """
    accept add address allow answer appear apply avoid back begin belong build call carry change cite close come
    compare compile conform contain convert cover credit date declare define deliver describe differ disclose
    display document end equal exist exit explain export expose fail fit flag follow format give go happen hold
    identify ignore import include indicate install introduce justify keep label leave link list load log lose
    make mark match mention name need note offer omit open order parse pass preserve print produce promise
    prove provide put quantify quote raise reach read recommend record refer reference reject remain remove render
    repeat report represent request require resolve respect respond return reveal run satisfy save say
    separate set show sort specify spell stand start state stay store sum summarise summarize support take tell
    test thank total translate meet fulfil comply work help improve reduce increase load look handle cause break use
    depend prevent protect check verify confirm obey share fill clear fix expire cost take use validate warn work write yield
"""
BASE_VERBS = frozenset(_VERBS.split())


def _third(verb: str) -> str:
    if verb.endswith(("s", "x", "z", "ch", "sh", "go")):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if verb.endswith("y") and verb[-2] not in "aeiou" else f"{verb}s"


THIRD_PERSON: Mapping[str, str] = {_third(verb): verb for verb in BASE_VERBS}
"""`names` → `name`."""
AUXILIARIES = frozenset(["is", "are", "was", "were", "has", "have", "does", "do"])
MODALS = frozenset(["must", "should", "shall", "can", "could", "may", "might", "will", "would"])
FINITE = frozenset({*THIRD_PERSON, *AUXILIARIES, *MODALS})
"""Words at which the predicate of a criterion begins."""
OPENS_OBJECT = frozenset(
    [
        "a",
        "an",
        "the",
        "its",
        "their",
        "his",
        "her",
        "every",
        "each",
        "all",
        "any",
        "both",
        "no",
        "at",
        "least",
        "exactly",
        "one",
        "two",
        "three",
        "four",
        "five",
        "who",
        "what",
        "when",
        "where",
        "why",
        "how",
        "whether",
        "which",
        "that",
    ]
)
"""Words a second thing of its own begins with; `research and development` has none, and is one thing."""

VAGUE: Mapping[str, str] = {
    "clear": "{subject} lets a reader who knows only <what they know> say <what they must learn>; quote the sentence that says it.",
    "concise": "{subject} has at most <120> words.",
    "brief": "{subject} has at most <120> words.",
    "short": "{subject} has at most <120> words.",
    "appropriate": "{subject} is one of: <the forms that are allowed>.",
    "suitable": "{subject} is one of: <the forms that are allowed>.",
    "proper": "{subject} follows <the rule, by name>: <what it demands>.",
    "good": "{subject} <does the one thing that makes it good>.",
    "great": "{subject} <does the one thing that makes it great>.",
    "excellent": "{subject} <does the one thing that makes it excellent>.",
    "nice": "{subject} <does the one thing that makes it nice>.",
    "high-quality": "{subject} <does the one thing that shows its quality>.",
    "well-written": "{subject} has no sentence of more than <30> words.",
    "well-structured": "{subject} has the sections <first>, <second>, <third>, in this order.",
    "well-organized": "{subject} has the sections <first>, <second>, <third>, in this order.",
    "well-organised": "{subject} has the sections <first>, <second>, <third>, in this order.",
    "well-documented": "{subject} has a comment or docstring for each <public function>.",
    "professional": "{subject} has no exclamation mark, no slang and no address in the first person.",
    "engaging": "{subject} begins with <the fact the reader cares about>.",
    "compelling": "{subject} begins with <the fact the reader cares about>.",
    "reasonable": "{subject} is at most <limit>.",
    "adequate": "{subject} names at least <what is needed>.",
    "sufficient": "{subject} names at least <what is needed>.",
    "enough": "{subject} names at least <what is needed>.",
    "relevant": "{subject} refers to <a thing the task names>.",
    "user-friendly": "{subject} lets a user <do the task> in at most <3> steps.",
    "intuitive": "{subject} lets a user <do the task> in at most <3> steps.",
    "readable": "{subject} has no sentence of more than <30> words.",
    "elegant": "{subject} has no function of more than <25> lines.",
    "clean": "{subject} passes `<linter>` without a warning.",
    "robust": "{subject} ends with <the message> when <the input is empty>.",
    "comprehensive": "{subject} covers each of: <first>, <second>, <third>.",
    "thorough": "{subject} covers each of: <first>, <second>, <third>.",
    "meaningful": "{subject} says <what a reader could not have guessed>.",
    "helpful": "{subject} says what the reader does next: <the step>.",
    "useful": "{subject} says what the reader does next: <the step>.",
    "insightful": "{subject} draws <a conclusion> that the source does not state.",
    "effective": "{subject} brings <measure> to at most <number>.",
    "efficient": "{subject} ends within <10> seconds on <this input>.",
    "polished": "{subject} has no spelling mistake that `<spell checker>` finds.",
    "significant": "{subject} differs by at least <10 %> from <baseline>.",
    "accurate": "Each number and name of {lower} stands in <the source> as well.",
    "consistent": "{subject} calls <each thing> by one name throughout.",
    "logical": "{subject} gives for each conclusion the sentence it follows from.",
    "coherent": "{subject} gives for each conclusion the sentence it follows from.",
    "interesting": "{subject} begins with <the fact the reader cares about>.",
    "modern": "{subject} uses <the version or feature, by name>.",
    "creative": "{subject} has <a thing> that is in none of <the examples>.",
    "etc": "{subject} covers exactly: <first>, <second>, <third>.",
    "and so on": "{subject} covers exactly: <first>, <second>, <third>.",
}
"""A word two graders read differently, and the form of a criterion that says what was meant by it."""
_ADVERBS = {
    f"{word[:-1]}ily" if word.endswith("y") else f"{word}ly": word for word in VAGUE if " " not in word
}
VAGUE_WORDS: Mapping[str, str] = {
    **{word: word for word in VAGUE},
    **_ADVERBS,
    "reasonably": "reasonable",
    "well": "good",
}
"""As written → the key of `VAGUE`."""
VAGUE_RE = re.compile(
    r"(?<![\w-])(?:" + "|".join(sorted(map(re.escape, VAGUE_WORDS), key=len, reverse=True)) + r")(?![\w-])", re.IGNORECASE
)  # fmt: skip

CIRCULAR = re.compile(
    r"\b(?:meets?|fulfils?|fulfills?|satisf(?:y|ies)|matches|addresses|compl(?:y|ies) with) (?:all |the |all the |every |its )?"
    r"(?:requirements?|criteria|criterion|rubric|expectations?|task|needs|specifications?|standards?|goals?|objectives?)\b"
    r"(?! (?:in|of|from|listed|R?\d))"
    r"|\b(?:follows|obeys) (?:all )?(?:the )?instructions\b|\bas (?:requested|required|expected|instructed|specified|desired)\b"
    r"|\bdoes what (?:it|was) (?:should|is supposed|asked|requested)\b|\banswers the (?:question|prompt|request)\b"
    r"|\b(?:is|are|be) (?:correct|complete|acceptable|satisfactory|of (?:high|good|sufficient) quality|done|finished|right|successful)"
    r"(?=\s*(?:[.;,]|$|and\b))|\bthe (?:task|job|work) is (?:done|complete)\b",
    re.IGNORECASE,
)
UNVERIFIABLE = re.compile(
    r"\b(?:understands?|understood|knows|feels?|enjoys?|likes|loves|believes?|is (?:happy|satisfied|aware|confident|convinced)"
    r"|are (?:happy|satisfied|aware|confident|convinced))\b"
    r"|\b(?:was|were|has been|have been) (?:carefully|thoroughly|properly|fully)? ?(?:tested|reviewed|considered|thought|researched|checked|verified)\b"
    r"|\b(?:carefully|diligently|thoughtfully|with care)\b|\b(?:tried|tries|effort|best possible|optimal|perfect(?:ly)?|flawless(?:ly)?)\b"
    r"|\b(?:bug|error)-free\b|\bno (?:bugs|errors|mistakes|issues|problems)\b|\bfree of (?:bugs|errors|mistakes|issues)\b"
    r"|\bworks(?: (?:correctly|properly|well|as intended|fine))?(?=\s*(?:[.;,]|$))|\bin (?:the|any) future\b|\bfuture-proof\b"
    r"|\bwill (?:be|help|make|improve|work|last)\b|\bnever fails?\b|\bin all (?:cases|situations|circumstances)\b",
    re.IGNORECASE,
)
STATES_OF_MIND = re.compile(r"understand|understood|know|feel|enjoy|like|love|believe|happy|satisfied|aware|confident|convinced", re.IGNORECASE)  # fmt: skip
PROCESS = re.compile(r"tested|reviewed|considered|thought|researched|checked|verified|carefully|diligently|care|tried|tries|effort", re.IGNORECASE)  # fmt: skip
WORKS = re.compile(r"works|bug|error|mistake|issue|problem|fails?", re.IGNORECASE)
VERBOSITY = re.compile(
    r"\b(?:(?:very |highly |more )?(?:detailed|extensive(?:ly)?|elaborate|exhaustive(?:ly)?|lengthy|in[- ]depth)|in (?:great |full |more )?detail"
    r"|as (?:much|many) [^.;,]{0,40}as possible|the more [^.;]+ the better|(?:at least|a minimum of|no fewer than|more than|minimum) "
    r"(?:\d[\d,]*|two|three|four|five|ten|twenty|fifty|a hundred) (?:words|sentences|paragraphs|pages|lines|characters))\b",
    re.IGNORECASE,
)
_NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NUMBERS: Mapping[str, int] = {word: place for place, word in enumerate(_NUMBERS, 1)}
COUNTED: Mapping[str, str] = {
    "word": "wc -w < {file}",
    "line": "wc -l < {file}",
    "character": "wc -m < {file}",
    "bullet": "grep -cE '^ *[-*+] ' {file}",
    "bullet point": "grep -cE '^ *[-*+] ' {file}",
    "item": "grep -cE '^ *([-*+]|[0-9]+\\.) ' {file}",
    "step": "grep -cE '^ *[0-9]+\\. ' {file}",
    "heading": "grep -cE '^#+ ' {file}",
    "section": "grep -cE '^## ' {file}",
    "link": "grep -oE '\\]\\(' {file} | wc -l",
    "image": "grep -oE '!\\[' {file} | wc -l",
    "row": "wc -l < {file}",
    "file": "find . -type f -name '{file}' | wc -l",
    "test": "grep -cE '^ *(def|it|test)[ (_]*' {file}",
}
"""A thing that is counted, and a shell command that prints how many a file has."""
COUNTING = re.compile(
    r"\b(?P<how>at least|at most|no more than|no fewer than|not more than|exactly|more than|fewer than|less than|up to|a minimum of|a maximum of)?\s*"
    r"(?P<number>\d[\d,]*|" + "|".join(_NUMBERS[1:]) + r")\s+(?P<thing>(?:[a-z-]+ ){0,2}?[a-z-]+s)\b",
    re.IGNORECASE,
)
UNCOUNTED = frozenset(
    [
        "seconds",
        "minutes",
        "hours",
        "days",
        "weeks",
        "months",
        "years",
        "percent",
        "euros",
        "dollars",
        "cents",
        "bytes",
        "kilobytes",
        "megabytes",
        "pixels",
        "decimals",
        "degrees",
        "digits",
        "places",
        "times",
    ]
)
"""Plurals that measure rather than count."""
NO_THINGS = frozenset(
    {"is", "was", "has", "does", "as", "this", "its", "us", "less", "plus", "always", "across", "his"}
)
"""Words that end in `s` after a number and are no plural."""
COMPARATIVE = re.compile(
    r"\b(?:better|worse|faster|slower|simpler|easier|clearer|cleaner|shorter|longer|smaller|larger|cheaper|safer|higher|lower|stronger|"
    r"improved|increased|decreased|reduced|enhanced|optimi[sz]ed|(?:more|less|fewer) (?!than\b)[a-z-]+)\b",
    re.IGNORECASE,
)
COMPARED = re.compile(r"\bthan\b|\bby (?:at least )?\d|\bfrom \S+ to\b|\bcompared (?:to|with)\b|\bno (?:more|fewer|less)\b|\bmore (?:details|information)\b|\bone or more\b|\bor more\b|\bonce more\b", re.IGNORECASE)  # fmt: skip
HEDGED = re.compile(
    r"\b(?:should|could|might|may|ideally|preferably|hopefully|if possible|where possible|when possible|as needed|as necessary|if needed|where appropriate|if appropriate|try to|tries to)\b",
    re.IGNORECASE,
)
NEGATIVE = re.compile(
    r"\A(?:no|never|avoids?|do not|don't|does not|doesn't|must not|nothing|none)\b|\b(?:must|should|may|does|do|is|are|has|have|can)(?: not\b|n't\b)|\b(?:cannot|never)\b"
    r"|\b(?:contains?|has|have|uses?|includes?|mentions?) (?:no|neither)\b|\b(?:is|are) (?:free of|without)\b",
    re.IGNORECASE,
)
OPPOSITES: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset(["concise", "brief", "short", "terse"]), frozenset(["detailed", "comprehensive", "thorough", "exhaustive", "lengthy", "long", "extensive"])),
    (frozenset(["formal"]), frozenset(["informal", "casual", "conversational"])),
    (frozenset(["ascending"]), frozenset(["descending"])),
    (frozenset(["technical"]), frozenset(["non-technical", "lay"])),
    (frozenset(["first-person"]), frozenset(["third-person"])),
)  # fmt: skip
"""Words that one text can hardly deserve at once."""
