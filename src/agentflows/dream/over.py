"""Over: what a statement itself says is so no longer: `3430 now, not 3979`, `it used to be 90`, `(until May: …)`.

Such a remark is no part of what the statement holds to be true. Two statements of one value are one statement,
whichever of them tells what was before.
"""

import re

_VALUE = r"(?:(?:on|in|at|to|for|by|with|from|after|over|the|an?|port|version)\s+){0,3}[`\"']?[#]?v?\d(?:[\w/:-]|\.(?=\d))*[`\"']?"
_REMARK = re.compile(
    rf"""(?ix)
    \s* \(\s* (?: (?:until|till|before)\s[^()]*?:\s | before:\s | (?:formerly|previously|was|no\ longer)\b ) [^()]* (?:\([^()]*\)[^()]*)* \)
    | \s* [,;–—] \s* (?:and\s+|but\s+)? (?:
        (?:(?:it|this|that|they|which)\s+)? (?:used\s+to\s+be | formerly | previously | no\s+longer(?!\s+than) | up\s+from | down\s+from) \b
          (?:[^,;.!?()] | \.(?=\d))*
      | (?:it|this|that)\s+was\s+ {_VALUE} (?:\s+\w+)? (?:\s+(?:before|until\s+now|earlier))?
      | (?:not|instead\s+of|rather\s+than)\s+ {_VALUE} (?:\s+[a-z%]+)? (?:\s+any\s*more)?
    ) \s* (?=[,;.!?)] | \Z)
    """
)


def without_over(text: str) -> str:
    """The text without its remarks on what held before."""
    return _REMARK.sub("", text.replace("’", "'"))
