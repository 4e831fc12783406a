"""Withdrawn: words by which a user goes back on what was said before, without forbidding or allowing anything.

`We no longer keep a changelog`, `pnpm was a mistake`, `forget what I said about emojis`, `back to npm`, `spaces after all`: each
names what it is about, and only what it names is over.
"""

import re
from dataclasses import dataclass

from agentflows.dream.faithful import content, has_negation, polarity
from agentflows.dream.stated import LIGHT
from agentflows.signature import tokens

_SAID = (
    r"(?:what\s+(?:i|we)\s+(?:just\s+|earlier\s+)?(?:said|told\s+you|asked(?:\s+for)?)(?:\s+(?:earlier|before|last\s+time))?\s+(?:about|on|regarding)"
    r"|(?:my|our|that|the)\s+(?:\w+\s+)?(?:rule|instruction|preference|wish|convention)\s+(?:about|on|for|of|to|with|regarding))"
)
_REFERRED = re.compile(
    rf"""(?ix)
    \b(?:forget|ignore|disregard|drop|scrap|cancel|never\ ?mind)\s+(?:about\s+)? {_SAID} \s+(?P<what>[^,;.:!?—–]{{1,120}})
    | \b(?:forget|never\ ?mind)\s+about\s+(?P<about>[^,;.:!?—–]{{1,120}})
    | \bvergiss\s+(?:bitte\s+)?(?:das\s+mit|die\s+(?:regel|sache)\s+(?:mit|zu)|was\s+ich\s+(?:zu|über))\s+(?P<de>[^,;.:!?—–]{{1,120}})
    | \boublie\s+(?:ce\s+que\s+j'ai\s+dit\s+(?:sur|de)|la\s+règle\s+(?:sur|de))\s+(?P<fr>[^,;.:!?—–]{{1,120}})
    | \bolvida\s+lo\s+(?:de|que\s+dije\s+(?:sobre|de))\s+(?P<es>[^,;.:!?—–]{{1,120}})
    """
)
"""What was said is named as something said."""
_MET = r"(?:see|get|have|hear|notice|find|understand|know|think|remember|receive|reach)\b"
"""What happens to people, and is no way to work."""
_GIVEN_UP = re.compile(
    rf"""(?ix)
    \A\W*(?:(?:ok(?:ay)?|and|but|also|note:?|actually|btw|fyi)[,:]?\s+){{0,2}} (?:
      (?:we|i)\s+no\s+longer\s+(?!{_MET})(?P<what>[^,;:!?]{{1,120}})
    | (?:we|i)\s+(?:don'?t|do\s+not)\s+(?!{_MET})(?P<dont>[^,;:!?]{{1,120}}?)\s+any\s?(?:more|longer)\b
    | (?:drop|scrap|skip|get\s+rid\s+of)\s+(?P<drop>[^,;:!?]{{1,120}}?)\s*[,;–—-]\s*(?:we|i)\s+(?:don'?t|do\s+not|no\s+longer|won'?t)\s+(?:do|need|want|use|keep)\s+(?:that|this|it|them)\b
    | (?:wir|ich)\s+(?P<de>[^,;:!?]{{1,120}}?)\s+nicht\s+mehr\b
    | on\s+n(?:e\s+|')(?P<fr>\w+\s+plus\s+[^,;:!?]{{1,120}})
    | ya\s+no\s+(?P<es>[^,;:!?]{{1,120}}) )
    | (?:\A|[,;.:—–]\s*|\b(?:and|because|und|weil|et|y)\s+)(?!(?:that|this|these|those|it|which|your|das|dieser?|dieses|ça|cela|eso|esto)\b)(?P<failed>[^,;.:!?—–]{{1,120}}?)\s{{1,3}}
      (?: (?:was|were|turned\ out\ to\ be)\ (?:a\ |an\ |the\ )?(?:mistake|bad\ idea|wrong\ (?:choice|call|idea))
        | war(?:en)?\ (?:ein\ |die\ |eine\ )?(?:fehler|schlechte\ idee|falsche\ wahl) | était\ une\ (?:erreur|mauvaise\ idée) | fue\ (?:un\ error|mala\ idea) )\b
    """
)
"""What is not done any more, or was wrong to do."""
_RETURNED = re.compile(
    r"""(?ix)
    \b(?:went|go|going|gone|moved?|moving|switch(?:ed|ing)?|are|is)\s+back\s+(?:to|on)\s+(?P<what>[^,;.:!?—–]{1,120})
    | \brevert(?:ed|ing)?\s+(?:back\s+)?to\s+(?P<reverted>[^,;.:!?—–]{1,120})
    | \A\W*(?:use|run|deploy|keep|write|put)\s+(?P<all>[^,;.:!?—–]{1,120}?)\s+after\s+all\b
    | \bdoch\s+(?:wieder|lieber)\s+(?P<de>[^,;.:!?—–]{1,120})
    """
)
"""What is done again, or after all."""
_FRAME = tokens(
    "use run do make keep always now again after all instead please back from on immer jetzt ab doch wieder lieber verwenden nutzen"
)
"""Words that say that something is to be done, not what."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a sentence goes back on."""

    referred: frozenset[str] = frozenset()
    """Words by which it names what was said."""
    over: frozenset[str] = frozenset()
    """Words by which it names what is not done any more."""
    again: frozenset[str] = frozenset()
    """Words by which it names what is done again, or instead."""

    def __bool__(self) -> bool:
        return bool(self.referred or self.over or self.again)


def withdrawal(text: str) -> Withdrawal:
    """What a sentence goes back on; nothing for one that does not, or asks."""
    said = text.replace("’", "'")
    if said.rstrip().endswith("?"):
        return Withdrawal()
    return Withdrawal(_named(_REFERRED, said), _named(_GIVEN_UP, said) - {"plu"}, _named(_RETURNED, said))


def _named(cue: re.Pattern[str], text: str) -> frozenset[str]:
    found = (part for match in cue.finditer(text) for part in match.groupdict().values() if part)
    return frozenset(word for part in found for word in content(part) - LIGHT - _FRAME)


def withdraws(later: str, earlier: str) -> bool:
    """Whether the later sentence goes back on the earlier one.

    It names what the earlier one is about; or most of what that tells to do, as over; or what that forbids, as done again; or it
    says the same of another thing, after all.
    """
    said, theirs = withdrawal(later), polarity(earlier)
    if said.referred and 2 * len(said.referred & content(earlier)) >= len(said.referred):
        return True
    if said.over and 2 * len(said.over & theirs.affirmed) > len(said.over):
        return True
    if not said.again:
        return False
    return 2 * len(said.again & theirs.denied) > len(said.again) or _is_other_choice(later, earlier)


def _is_other_choice(later: str, earlier: str) -> bool:
    """Whether both say the same but for one word, and neither denies anything: `tabs for indentation`, `spaces for indentation`."""
    if has_negation(later) or has_negation(earlier):
        return False
    ours, theirs = content(later) - _FRAME, content(earlier) - _FRAME
    shared = ours & theirs
    return bool(shared) and len(ours - shared) == 1 == len(theirs - shared)
