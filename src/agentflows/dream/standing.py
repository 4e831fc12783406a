"""Standing words: which of a user's sentences are rules for later work, and which only sound like one.

A rule speaks to the agent ("always run…", "never push…"), to the work ("every commit needs…"), or says of
itself that it goes on ("from now on…"). What is asked, told of others, said of one piece of work, or
demanded of the product that is being built is none.
"""

import re

ANSWERED = re.compile(
    r"""(?ix) \A(?:
      (?: no | nope | non | nein | no\ wait | wait | actually | ok(?:ay)? | again | hey | listen | look | sorry | hmm )\s*[,.:!;–—-]+\s+
    | (?: please | bitte | por\ favor | s'il\ te\ plaît | merci\ de )\b,?\s+
    | (?: (?:can|could|would|will)\ you(?:\ please)?\s+ (?=(?:always|never|make\ sure|stop)\b) )
    | (?:as\ )? i(?:'ve)? \s (?:(?:already|just)\s)* (?:told|asked|said)\b (?:\s (?:you|that|this|it|before|twice|once|many|several|\d+|times))* \s*[:,]\s+
    | i\s (?:(?:already|just)\s)* (?:told|asked)\ you\ to\s+
    )+ (?=\S)"""
)
"""How a sentence begins that answers somebody or insists; what is left can stand in a memory."""

_STRAIGHT = str.maketrans({"’": "'", "‘": "'"})
_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|«[^»\n]*»|„[^“”\n]*[“”]")
_WORK = (
    r"(?:commits?|commit\ messages?|prs?|pull\ requests?|merge\ requests?|branch(?:es)?|branch\ names?|tests?|test\ files?"
    r"|code|comments?|docstrings?|docs?|documentation|imports?|exports?|migrations?|variables?|functions?|methods?"
    r"|class(?:es)?|files?|components?|modules?|changelogs?|changelog\ entries|releases?|tags?|types?|error\ messages?)"
)
_EVERYWHERE = (
    r"(?:in|for|across)\s+(?:all|any|every|each)\s+(?:of\s+)?(?:my|our|the)?\s*(?:projects?|repos?|repositories|repository|codebases?)"
    r"|everywhere|in\ allen\ (?:meinen\ )?(?:projekten|repos)|dans\ tous\ (?:mes|les)\ projets|en\ todos\ (?:mis|los)\ proyectos"
)
_MARKED = re.compile(
    rf"""(?ix)
    \b(?: from\ (?:now|today|here)\ on | going\ forward | in\ (?:the\ )?future(?!,?\ (?:i|we|it|they|this|there)\b)
      | for\ (?:all\ )?future\ (?:reference|work|changes|sessions|commits|tasks) | (?:every|each)\ time\ you | whenever\ you
      | as\ a\ (?:general\ |standing\ )?rule | make\ it\ a\ habit | our\ (?:convention|rule|policy)\ is
      | dorénavant | désormais | à\ l'avenir | à\ partir\ de\ (?:maintenant|là) | ab\ (?:jetzt|sofort|heute) | von\ nun\ an
      | in\ zukunft | (?:zu)?künftig | de\ ahora\ en\ adelante | a\ partir\ de\ (?:ahora|agora) | d'ora\ in\ poi | vanaf\ nu
      | {_EVERYWHERE} ) (?!\w)
    """
)
_COMMANDED = re.compile(
    r"""(?ix) ^\W*
    (?: (?:please|and|also|so|but|note:?|do|then)[,:]?\s+ ){0,2}
    (?: (?: when(?:ever)? | before | after | if | in | for | on ) \s [^,.;]{2,60} ,\s+ (?:please\s+)? )?
    (?:
      (?: always | never(?:\ ever)? )(?![-\w])
    | (?: remember | keep\ in\ mind | note\ for\ the\ future | bear\ in\ mind ) (?:\ (?:to|that)\b|:)
    | (?: you | u )\s (?: should | must | need\ to | have\ to | can | may | shall )\s (?: always | never )\b
    | (?: you\ (?:must|have\ to|need\ to|should) | make\ sure )\b .* \b(?:every|each)\ (?:single\ )?time\W*\Z
    | (?: make\ sure\ (?:you|to|that\ you) | i\ want\ you\ to | i'd\ like\ you\ to | you\ (?:must|should) )\s (?:\w+\s){0,2}? (?: always | never )\b
    | i\ (?:always|never)\ want\b
    | we\ (?:always|never)\s+ (?!had|got|get|have|see|saw|were|was|did|found|knew|thought|ended|end|fail|run\ into|hit|seem|wanted|made)\w+
    | (?: don'?t | do\ not | dont ) \s+ ever \b
    | (?: don'?t | do\ not | dont ) \b .* \b (?: without\ (?:asking|my|permission|confirm\w*|approval) | any\ ?more ) \b
    | (?: don'?t | do\ not | dont )\s (?:\w+\s)? (?:commit|push|edit|touch|change|modify|delete|remove|run|use|add|create|write
        |revert|install|merge|rebase|rename|format|refactor|do|make|skip|guess|assume|start|generate|put|forget)\b .*\b again\b
    )"""
)
_OF_THE_WORK = re.compile(
    rf"""(?ix) ^\W*
    (?: (?:(?:the|our|your|all|any|new)\s)* (?:\w+\s)? {_WORK} \b [^.;]{{0,50}}? \b(?:must|should|need\ to|have\ to|has\ to|needs\ to)\s (?:be\s)?(?:always|never)\b
      | (?: all | every | each | any | no )\s (?:new\s)? (?:\w+\s)? {_WORK} \b [^.;]{{0,50}}? \b(?:must|should|needs?|has\ to|have\ to|gets?)\b (?!.*\bpass(?:es)?\b)
    )"""
)
_OF_A_CLASS = re.compile(
    r"""(?ix) ^\W*
    (?: (?!the\b|this\b|that\b|your\b|is\b|was\b)[a-z][\w-]*\s )?
    (?! (?:users?|people|persons|customers|clients|visitors|guests|members|players|admins|others|things|always|sometimes|this|does|was|its|his|yes)\b )
    [a-z][\w-]+(?<![siu])s \b (?: \s(?:of|in|for|from|on|under)\s [^,.;]{2,40}? )?
    \s (?: must | should | shall | have\ to | need\ to )\s
    (?: always | never )\s
    (?: be | have | use | contain | carry | start | end | begin | stay | live | read | follow | go | come | include | match | refer ) \b"""
)
"""A convention for all things of one kind (`amounts must always be…`), unlike a demand on one (`the button must…`)."""
_INSISTED = re.compile(
    r"(?i)^\W*(?:again\s*[:,]|(?:as )?i(?:'ve)? (?:(?:already|just) )*(?:told|asked|said)\b.*?(?:[:,]| to ))\s*"
    r"(?:please )?(?:use|don'?t|do not|dont|never|always|no|stop|run|keep|write|add)\b"
)
_GERMAN = re.compile(
    r"""(?ix) ^\W* (?: immer | nie(?:mals)? | stets | merk(?:e)?\ dir | denk(?:e)?\ (?:immer\ )?daran | (?:tu|du)\ (?:sollst|musst|darfst)\ (?:\w+\s)?(?:immer|nie(?:mals)?) )\b
    | ^\W*(?:verwende|nutze|benutze|schreib|mach|prüf|füg|führ|lass|teste?|antworte?|committe?|push|änder|lösch|halte?|achte?|setz|leg|frag)\w*\b .*\b(?:immer|nie(?:mals)?|stets)\b
    | ^\W*wir\ (?!haben|hatten|sind|waren|hätten)\w+en\ (?:hier\ )?(?:immer|nie(?:mals)?|stets)\b"""
)
_GERMAN_INFINITIVE = re.compile(r"\b(?:immer|nie|niemals|stets)\b.*\b[a-zäöüß]+(?:en|eln|ern)\W*\Z")
_GERMAN_STATEMENT = re.compile(
    r"(?i)^\W*(?:das|die|der|den|dem|es|ich|er|sie|man|dies\w*|dein\w*|mein\w*|warum|wieso|wenn)\b"
    r"|\b(?:wollte|kann|können|könnte|sollte?n?|will|muss|hat|haben|ist|sind|war(?:en)?|wird|werden|wurde)\b"
)
_ROMANCE = re.compile(
    r"""(?ix) ^\W*
    (?: (?:ne\ )?jamais | toujours | siempre | nunca | sempre | rappelle-toi | souviens-toi | recuerda | altijd | nooit )\b
    | ^\W*(?!ça|cela|il|elle|on|je|tu|nous|vous|ils|elles|le|la|les|ce|c'est|esto|eso|el|los|las|se|lo|me|te|yo|tú|él|ella|no|casi|como|desde|es|está|est)(?:[^\W\d_]+(?:e|es|ez|is|s|a|á))\s(?:toujours|siempre|sempre)\b
    | ^\W*n(?:e\ |')\w+\s+(?:\w+\s+)?jamais\b
    | ^\W*(?: tu\ dois | il\ faut | debes | tienes\ que )\s (?:\w+\s){0,2}? (?: toujours | jamais | siempre | nunca )\b
    | ^\W*on\ \w+\s (?:toujours)\b"""
)
_DIRECTIVE = re.compile(
    r"""(?ix)
    ^\W*(?:(?:please|ok(?:ay)?|and|also|but|no)[,:]?\s+){0,2}
      (?: don'?t | do\ not | stop | avoid | prefer | no\s(?!problem|worries|need|idea|longer|one|such)\w+ | i\ (?:prefer|(?:want|'d\ like|would\ like)\ you\ to)
        | i\ allow\ you | you\ (?:may|can)
        | n'utilise | ne\ \w+\ pas | évite | nicht | keine? | vermeide | bevorzuge | no\ (?:uses|hagas) | evita | prefiero )\b
    | ^\W*(?:please\s+)?(?:run|check|lint|format|test|build|verify|update|bump|sign|rebase)\b .+ \b(?:before|after|when|whenever)\s
      (?:you\s|we\s|each\s|every\s|a\s)?(?:commit|push|merg|deploy|releas|edit|finish|chang)\w*
    | \buse\b .+ \b(?:instead(?:\ of)? | rather\ than | (?:,\s*)?(?:and\ )?not | over)\b
    | \b(?:utilise|nutze|verwende|usa)\b .+ \b(?:au\ lieu | plutôt | statt | en\ (?:vez|lugar)\ de)\b
    """
)
_PASSING = re.compile(
    r"""(?ix)
    \b(?:for|in|on|with|at|to)\ (?:this|that|the\ current)\ (?:one|time|case|task|once|pr|pull\ request|mr|merge\ request|branch
      |ticket|issue|commit|session|feature|change|bug|release|sprint|file|page|step|experiment|run|conversation|chat|parcel|order)\b
    | \b(?:just|only)\ (?:this|for)\ (?:once|time|now|today)\b | \bthis\ (?:once|time|week|afternoon|morning)\b
    | \b(?:for|in|during|within)\ the\ next\b | \bwhile\ (?:i'?m|i\ am|we'?re|we\ are)\b
    | \bfor\ (?:now|today|the\ moment|the\ time\ being)\b | \b(?:right\ now|today|tonight|temporarily|one-?off)\b
    | \buntil\ (?:\w+day|tomorrow|tonight|next|the\ (?:release|end|weekend|fix)|further|\d|i\b|we\b)
    | \b(?:diesmal|nur\ heute|heute|vorerst|erst\ ?mal|im\ moment|in\ (?:der|den)\ nächsten|für\ (?:diesen|dieses|diese)\s\w+|bis\ (?:\w+tag|morgen|nächste\w*))\b
    | \b(?:cette\ fois|pour\ (?:l'instant|le\ moment|cette|ce|cet)|aujourd'hui|provisoirement)\b
    | \b(?:esta\ vez|por\ ahora|de\ momento|por\ el\ momento|s[oó]lo\ hoy|hoy|para\ est[ea]\s\w+)\b
    """
)
_ASKED = re.compile(
    r"""(?ix) \?\s*\Z | ^\W*(?: why | what | which | who | where | how | should\ (?:i|we|it) | shall | do\ (?:you|we|i|they) | does | did
    | is | are | was | were | am | has | have\ (?:you|we|i) | isn'?t | aren'?t | don'?t\ (?:you|we) | wouldn'?t | would\ it | won'?t
    | warum | wieso | weshalb | wie | was | soll(?:en|te|ten)?\ (?:ich|wir) | pourquoi | comment | est-ce | por\ qué | cómo | qué )\b"""
)
_POLITE = re.compile(r"(?i)^\W*(?:can|could|would|will) you(?: please)? (?:always|never|make sure|stop)\b")
_REPORTED = re.compile(
    r"\b(?:[Hh]e|[Ss]he|[Tt]hey|[Ii]t|boss|manager|docs?|documentation|[Rr]eadme|README|guides?|guidelines?|manual|error|message|linter"
    r"|compiler|log|ticket|issue|comment|reviewer|colleague|[A-Z][a-z]+) (?:\w+ )?"
    r"(?:says?|said|wrote|writes|told|tells|states?|complains?|claims?|reads|suggests?|recommends?|mentions?|sagt|sagte|schreibt"
    r"|schrieb|meint|dit|dice|dijo)\b"
)
_OF_THE_PRODUCT = re.compile(
    r"(?i)\b(?:always|never|not|don'?t|dont)\s+(?:ever\s+)?(?:be\s+)?(?:show(?:n|s)?|display(?:ed|s)?|render(?:ed|s)?|redirect\w*|pop|appears?"
    r"|hide|hidden|visible|happens?|see|seen|notice|receive|gonna|going)\b"
)
_NO_RULE = re.compile(
    r"(?i)\A\W*never (?:\w+ed|seen|been|had|got|gotten|heard|done|gone|knew|known|thought|was|did)\b"
    r"|\A\W*always (?:the|a|an|been|was|is|has|had|fails|shows|gets|crashes|returns|happens)\b|\bnever ?mind\b"
)
_WISHES = re.compile(
    r"(?i)^\W*(?:hi\W+|hello\W+)?(?:i'd like to|i would like to|i want to|i need to|can you|could you|is it)\b"
)
_OF_THE_USER = re.compile(
    rf"(?ix) \b(?:answer|respond|reply|talk\ to\ me|speak|antworte|réponds|responde|habla)\b | \b(?:{_EVERYWHERE})\b"
)


def is_passing(text: str) -> bool:
    """Whether a sentence asks, reports, wishes, or is about one piece of work or the product: no rule at all."""
    text = text.translate(_STRAIGHT)
    if _ASKED.search(text) and not _POLITE.search(text) and not _INSISTED.search(text):
        return True
    rules = (_PASSING, _REPORTED, _OF_THE_PRODUCT, _NO_RULE)
    return any(rule.search(text) for rule in rules) or bool(_WISHES.search(text) and not _POLITE.search(text))


def is_standing(text: str) -> bool:
    """Whether a sentence says that it holds from now on: one session is then support enough."""
    text = _QUOTED.sub(" ", text.translate(_STRAIGHT))
    said = ANSWERED.sub("", text)
    if _INSISTED.search(text) or _MARKED.search(said):
        return True
    rules = (_COMMANDED, _OF_THE_WORK, _OF_A_CLASS, _GERMAN, _ROMANCE)
    if any(rule.search(said) for rule in rules):
        return True
    return bool(_GERMAN_INFINITIVE.search(said)) and not _GERMAN_STATEMENT.search(said)


def is_directive(text: str) -> bool:
    """Whether a sentence tells how to work, which may be meant for this once: it takes a second session."""
    return bool(_DIRECTIVE.search(_QUOTED.sub(" ", text.translate(_STRAIGHT))))


def is_of_the_user(text: str) -> bool:
    """Whether a rule is about the user wherever they work, not about the project at hand."""
    return bool(_OF_THE_USER.search(text.translate(_STRAIGHT)))
