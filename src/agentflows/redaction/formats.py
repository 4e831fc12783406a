"""Token formats that their issuers document, and the places where a secret has no format but a name."""

import base64
import binascii
import re

from agentflows.redaction.rule import Match, Rule, Span, entropy, secret_span

FORMAT, CONTEXT = 1, 3
"""Ranks: a documented format names a span before a borrowed rule (2), and that before a mere context."""

_PEM_LIMIT = 20_000
_PEM_LINE = re.compile(rb"[A-Za-z0-9+/=]{16,}")
_PEM_BODY = re.compile(
    rb"(?:[ \t]*(?:\d+(?:\xe2\x86\x92|[:|\t]))?[ \t+#>|\"'*-]{0,6}[A-Za-z0-9+/=]{16,}[ \t\"',+]{0,4}(?:\\[rn])*(?:\r?\n|$)?){1,400}"
)
"""Lines of base64, with the line numbers, quotes and signs that tools put around them (`12→`, `+`, `"…",`)."""


def private_key_span(data: bytes, match: Match) -> Span | None:
    """From the header to the footer, or over the base64 lines of a key that was cut off.

    Text that only mentions the header (code that looks for it, say) has no base64 after it.
    """
    start, after = match.span()
    footer = data.find(b"-----END ", after, after + _PEM_LIMIT)
    if footer >= 0:
        closing = data.find(b"-----", footer + 9, footer + 80)
        body = data[after:footer]
        if closing >= 0 and sum(len(run) for run in _PEM_LINE.findall(body)) >= 40:
            return start, closing + 5
    position = after
    while position < len(data) and data[position : position + 1] in b"\r\n \\nr\"',+":
        position += 1
    lines = _PEM_BODY.match(data, position)
    if not lines or sum(len(run) for run in _PEM_LINE.findall(lines.group())) < 40:
        return None
    return start, lines.end()


_WORDY = re.compile(r"[A-Za-z]+\d{0,3}(?:[-_./:@ ][A-Za-z]*\d{0,3})*")
_CODE = re.compile(
    r"\$[A-Za-z_]\w*$|\$[{(]|%\w+%$|[{<\[(@]|\.\.|https?:|[./~\\]|[A-Za-z_]+[(\[]|\w+\.\w+[(\[]"
    r"|[A-Za-z_]\w*(?:\??[.:]{1,2}[A-Za-z_]\w*)+[;,]?$"
)
"""Where an assignment's right side is code (`config.password`, `getpass(`, `$PASSWORD`) or a path."""
_DOTTED = re.compile(r"[A-Za-z_]\w{0,29}(?:\.[A-Za-z_]\w{0,29})+")
_TEMPLATE = re.compile(
    r"\$\{|\{\{|<[\w -]+>|%\(|\.\.\.|…|\*{3}|\bprocess\.env|\bos\.environ|REDACTED|^[\[{<].*[\]}>]$|^\$\w+$"
)
_DUMMY = re.compile(
    r"(?i)(?:x+|\*+|[.#-]+|(?:your|my|some|the|a|an|test|fake|dummy|sample|example|placeholder)[-_ ].*"
    r"|.*(?:example|placeholder|changeme|dummy|redacted).*|0+|1234567?8?9?0?|null|none|true|false|undefined|string\d*"
    r"|(?:user|db|pass(?:word)?|secret|token|key|value|field|input)(?:s?\d?|[-_]\w+))"
)
_SYMBOLS = re.compile(r"[!@#$%^&*?+=~|]")


def looks_random(token: str) -> bool:
    """Whether a long value was drawn by a machine: digits among letters, no words, few repeats."""
    has_both = any(c.isdigit() for c in token) and any(c.isalpha() for c in token)
    return has_both and entropy(token) >= 3 and not _WORDY.fullmatch(token)


def is_dummy(value: str) -> bool:
    """A stand-in for a secret: a template's field, `xxxx`, `your-key-here`."""
    return bool(_TEMPLATE.search(value) or _DUMMY.fullmatch(value))


def is_token_value(value: str) -> bool:
    """Worth hiding where a name such as `api_key` says that a token follows."""
    return len(value) >= 16 and not is_dummy(value) and not _DOTTED.fullmatch(value) and looks_random(value)


def is_password_value(value: str) -> bool:
    """Worth hiding where a name such as `password` says so. A word without digit or symbol is prose."""
    if len(value) < 6 or is_dummy(value) or value.count(" ") > 1 or _CODE.match(value):
        return False
    has_letter = any(c.isalpha() for c in value)
    return (has_letter and any(c.isdigit() for c in value)) or bool(has_letter and _SYMBOLS.search(value))


_QUERY_FIELD = re.compile(r"&\w+=")


def password_span(data: bytes, match: Match) -> Span | None:
    """An unquoted password may hold any sign, so it is cut where the next query field or the sentence's end begins."""
    start, end = secret_span(match, 4)
    quoted = data[start - 1 : start] in (b'"', b"'", b"`") and data[end : end + 1] == data[start - 1 : start]
    value = data[start:end].decode("utf-8", "replace")
    if not quoted:
        value = _QUERY_FIELD.split(value)[0].rstrip(".,;:!?)]}")
    if not is_password_value(value):
        return None
    return start, start + len(value.encode())


def _is_basic(value: str) -> bool:
    """`user:password` in base64."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return ":" in plain and plain.isprintable()


def _is_openai(value: str) -> bool:
    return looks_random(value) and any(c.isupper() for c in value)


def _is_hex_or_random(value: str) -> bool:
    return not is_dummy(value) and entropy(value) >= 2.5


_LOGIN = r"(?:password|passwd|passphrase|passcode|_pass|_pw|pwd|pgpass)"
_KEY = (
    r"(?:api[_-]?key|apikey|secret|token|access[_-]?key|(?:secret|private|signing|encryption|account|master|shared"
    r"|session|service)[_-]?(?:access[_-]?)?key|credentials?|authorization|x-auth)"
)
_OPERATOR = r"[\"'\]]{0,2}[ \t]{0,4}(?::[ \t]{0,2}[A-Za-z_][\w\[\]| .?]{0,30}=|:=|=>|={1,2}|:|>)[ \t]{0,4}"
_BARE = r"([^\s\"'`,;&<>(){}\[\]\\|]{6,256})"
_BARE_LOGIN = r"([^\s\"'`,;<>\\]{6,256})"
_QUOTED = r"(?:\"([^\"\n\\]{6,256})\"|'([^'\n\\]{6,256})'|`([^`\n\\]{6,256})`)"
_TAIL = r"_?\d{0,2}(?:[_-][A-Za-z][A-Za-z0-9]{0,11}){0,2}"
"""What may follow the word in a name: `DB_PASSWORD_PROD`, `API_KEY_V2`."""
_ABOUT = (
    r"(?i).*[_-](?:hash(?:es|ed)?|digest|checksum|file(?:name)?|path|dir|names?|fields?|ids?|ur[il]s?|arn|refs?|polic(?:y|ies)|reset|types?"
    r"|kind|len(?:gth)?|min|max|count|limit|usage|used|budget|size|expir(?:y|es|ation)|at|on|date|time|ttl|age|format|pattern|regex"
    r"|rules?|strength|hint|label|title|text|placeholder|inputs?|errors?|message|msg|required|changed|updated|attr(?:ibute)?|column|param"
    r"|header|prefix|suffix|var|version|store|manager|provider|service|endpoint|scopes?|algorithm|alg|issuer|audience)"
)
"""Names that end so say something about a secret: `password_hash`, `token_type`."""

_SECRET_NAME = re.compile(rf"(?i).*(?:(?P<password>{_LOGIN})|{_KEY})s?{_TAIL}")
_ABOUT_NAME = re.compile(_ABOUT)
_ABOUT_BYTES = re.compile(_ABOUT.encode())
_NAME = re.compile(rb"[\w-]*")


def kind_of(name: str) -> str:
    """`password` or `secret` for the name of a field, variable or header that holds one, else nothing."""
    match = _SECRET_NAME.fullmatch(name)
    if match is None or _ABOUT_NAME.fullmatch(name):
        return ""
    return "password" if match["password"] else "secret"


def _is_about(data: bytes, match: Match) -> bool:
    """Whether the name at which a match begins only says something about a secret."""
    name = _NAME.match(data, match.span()[0])
    return bool(name and _ABOUT_BYTES.fullmatch(name.group()))


def _named_password(data: bytes, match: Match) -> Span | None:
    return None if _is_about(data, match) else password_span(data, match)


def _named_token(data: bytes, match: Match) -> Span | None:
    start, end = secret_span(match, 4)
    is_token = not _is_about(data, match) and is_token_value(data[start:end].decode("utf-8", "replace"))
    return (start, end) if is_token else None


_COOKIE = re.compile(rb"=([^;,\s\"'\\]+)")
_LINE = re.compile(rb"[^\r\n]{0,1000}")


def _cookie_span(data: bytes, match: Match) -> Span | None:
    """From the first value that a machine drew to the last: a header holds many cookies."""
    line = _LINE.match(data, match.span()[1])
    drawn = [
        one.span(1)
        for one in _COOKIE.finditer(data, *line.span() if line else (0, 0))
        if is_token_value(one.group(1).decode("utf-8", "replace"))
    ]
    return (drawn[0][0], drawn[-1][1]) if drawn else None


_PAIR = r"[\"']?[ \t]{0,4},?\s{0,40}[\"']?value[\"']?[ \t]{0,4}:[ \t]{0,4}"
"""Between a name and its value where both are values: `{"name": "DB_PASSWORD", "value": "…"}`, in YAML too."""

FORMATS: tuple[Rule, ...] = (
    Rule(
        "private-key",
        r"-----BEGIN[A-Z0-9 ]{0,30} PRIVATE KEY(?: BLOCK)?-----",
        locate=private_key_span,
        keywords=("private key",),
    ),
    Rule(
        "aws-access-key-id",
        r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
        keywords=("a3t", "akia", "asia", "abia", "acca"),
    ),
    Rule("gcp-api-key", r"\bAIza[\w-]{35}", keywords=("aiza",)),
    Rule("gcp-oauth", r"\b(?:ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})", keywords=("ya29.", "gocspx-")),
    Rule(
        "azure-key",
        r"(?i)\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,90}={0,2})",
        keywords=("accountkey=", "sharedaccesskey="),
    ),
    Rule("azure-client-secret", r"\b[\w~.]{3}\dQ~[\w~.-]{31,34}", accept=_is_hex_or_random, keywords=("q~",)),
    Rule("azure-sas", r"[?&;]sig=([A-Za-z0-9%+/]{40,90}={0,2})", keywords=("sig=",)),
    Rule(
        "github-token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,255})",
        keywords=("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    Rule(
        "gitlab-token",
        r"\bgl(?:pat|dt|rt|rtr|ptt|ft|imt|agent|soat|cbt|ffct|oas|wt)-[\w-]{20,64}",
        keywords=("gl",),
    ),
    Rule(
        "slack-token",
        r"\b(?:xox[abcdeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,250}|xapp-\d-[A-Za-z0-9-]{20,250})",
        keywords=("xox", "xapp-"),
    ),
    Rule(
        "slack-webhook",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{20,80}",
        keywords=("hooks.slack.com",),
    ),
    Rule(
        "stripe-key",
        r"\b(?:[rs]k_(?:live|test|prod)_[A-Za-z0-9]{10,250}|whsec_[A-Za-z0-9+/]{24,100})",
        keywords=("_live_", "_test_", "_prod_", "whsec_"),
    ),
    Rule("anthropic-key", r"\bsk-ant-[a-z]{2,12}\d{0,2}-[\w-]{16,250}", keywords=("sk-ant-",)),
    Rule(
        "openai-key",
        r"\bsk-(?:proj|svcacct|admin|None|or-v1)-[\w-]{20,250}",
        accept=looks_random,
        keywords=("sk-",),
    ),
    Rule("openai-key", r"\bsk-[A-Za-z0-9]{20,200}\b", accept=_is_openai, keywords=("sk-",)),
    Rule(
        "huggingface-token",
        r"\b(?:hf_|api_org_)[A-Za-z0-9]{30,60}\b",
        accept=_is_hex_or_random,
        keywords=("hf_", "api_org_"),
    ),
    Rule("npm-token", r"\bnpm_[A-Za-z0-9]{36}\b", keywords=("npm_",)),
    Rule("pypi-token", r"\bpypi-[\w-]{50,250}", keywords=("pypi-",)),
    Rule("jwt", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?", keywords=(".eyj",)),
    Rule("sendgrid-key", r"\bSG\.[\w-]{16,32}\.[\w-]{32,64}", keywords=("sg.",)),
    Rule("discord-token", r"\b[MNO][A-Za-z\d_-]{23,27}\.[\w-]{6}\.[\w-]{27,40}\b", accept=looks_random),
    Rule("telegram-token", r"\b\d{8,10}:AA[\w-]{32,35}\b", keywords=(":aa",)),
)

ISSUED_LENGTHS = {
    "anthropic-key": 108,
    "aws-access-key-id": 20,
    "gcp-api-key": 39,
    "github-token": 40,
    "gitlab-token": 26,
    "huggingface-token": 37,
    "npm-token": 40,
    "openai-key": 51,
    "sendgrid-key": 69,
    "slack-token": 50,
    "stripe-key": 32,
}
"""Characters of a token as issued, at least. A shorter one that ends with its line goes on in the next."""

CONTEXTS: tuple[Rule, ...] = (
    Rule(
        "url-password",
        r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s/:@\"'<>`]{0,100}:([^\s/?#\"'<>`]{3,200})@[A-Za-z0-9\[]",
        accept=lambda value: not is_dummy(value),
        rank=CONTEXT,
    ),
    Rule(
        "bearer",
        r"(?i)\bbearer[ \t]+[\"']?([A-Za-z0-9._~+/=-]{16,1000})",
        accept=is_token_value,
        rank=CONTEXT,
    ),
    Rule("basic-auth", r"(?i)\bbasic[ \t]+([A-Za-z0-9+/]{8,400}={0,2})", accept=_is_basic, rank=CONTEXT),
    Rule(
        "secret",
        rf"(?i){_KEY}{_TAIL}(?:{_OPERATOR}|{_PAIR})(?:{_QUOTED}|(?:token|key|apikey)?[ \t]?{_BARE})",
        locate=_named_token,
        rank=CONTEXT,
    ),
    Rule(
        "password",
        rf"(?i){_LOGIN}{_TAIL}(?:{_OPERATOR}|{_PAIR})(?:{_QUOTED}|{_BARE_LOGIN})",
        locate=_named_password,
        rank=CONTEXT,
    ),
    Rule(
        "password",
        rf"(?i)\b(?:{_LOGIN}|pass ?code)\s+(?:is|was|to|will be)[: \t]+(?:{_QUOTED}|{_BARE_LOGIN})",
        locate=password_span,
        rank=CONTEXT,
    ),
    Rule(
        "secret",
        rf"(?i)\b(?:(?:api|access|secret|private) ?(?:key|token)|token|secret)\s+(?:is|was)[: \t]+(?:{_QUOTED}|{_BARE})",
        accept=is_token_value,
        rank=CONTEXT,
    ),
    Rule(
        "password",
        rf"(?i)(?:^|\s)--?(?:{_LOGIN}|pass)[ =]+(?:{_QUOTED}|{_BARE_LOGIN})",
        locate=password_span,
        rank=CONTEXT,
    ),
    Rule(
        "secret",
        rf"(?i)(?:^|\s)--?(?:[a-z]+-)?(?:api-?key|token|secret)[ =]+(?:{_QUOTED}|{_BARE})",
        accept=is_token_value,
        rank=CONTEXT,
    ),
    Rule(
        "cookie",
        r"(?i)\bcookie[\"']?[ \t]{0,4}:[ \t]{0,4}[\"']?\w",
        locate=_cookie_span,
        keywords=("cookie",),
        rank=CONTEXT,
    ),
    Rule(
        "password",
        r"(?:\b(?:mysql|mysqldump|mysqladmin|mariadb)[ \t](?:[^\r\n|;&]{0,100}[ \t])?-p|\bsshpass[ \t]+-p[ \t]{0,4}"
        r"|\bredis-cli[ \t](?:[^\r\n|;&]{0,100}[ \t])?-a[ \t]+|\b(?:docker|podman|helm|az|oc)[ \t][^\r\n|;&]{0,40}\blogin[ \t](?:[^\r\n|;&]{0,100}[ \t])?-p[ \t]+)"
        rf"(?:{_QUOTED}|{_BARE_LOGIN})",
        locate=password_span,
        keywords=("mysql", "mariadb", "sshpass", "redis-cli", "login"),
        rank=CONTEXT,
    ),
)
