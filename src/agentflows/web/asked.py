"""What a request asks for, read strictly: a value that cannot be is an error that says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from agentflows.errors import NotFoundError, UsageError
from agentflows.web.guard import MOST_BYTES

MOST_FIELDS = 20_000
_LARGEST = 1_000_000_000


def number(request: Request, name: str, default: int = 0, *, least: int = 0) -> int:
    """A whole number of the query.

    Raises:
        UsageError: it is none, or too small or large.
    """
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 11 and least <= int(text) <= _LARGEST):
        msg = f"Expected a whole number of at least {least:,} for `{name}`, found {text[:40]!r}."
        raise UsageError(msg)
    return int(text)


def wanted(request: Request, name: str) -> str:
    """A text of the query that must be there.

    Raises:
        NotFoundError: it is missing.
    """
    text = request.query_params.get(name, "")
    if not text:
        msg = f"The address lacks `{name}`: it should name what is to be shown."
        raise NotFoundError(msg)
    return text


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a long list is shown."""

    page: int
    size: int
    total: int | None = None
    """How many there are in all; None where that was not counted."""
    has_more: bool = False

    @property
    def offset(self) -> int:
        """How many come before this page."""
        return (self.page - 1) * self.size

    @property
    def pages(self) -> int | None:
        """How many pages there are; None where that is not known."""
        return None if self.total is None else max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """The number of the first one shown, from 1."""
        return self.offset + 1

    def last(self, shown: int) -> int:
        """The number of the last one shown."""
        return self.offset + shown


def paging(request: Request, size: int) -> Paging:
    """The page that is asked for."""
    return Paging(number(request, "page", 1, least=1), size)


def counted(page: Paging, total: int) -> Paging:
    """The page of a list that has so many items."""
    return Paging(page.page, page.size, total, has_more=page.offset + page.size < total)


async def form(request: Request) -> Mapping[str, str]:
    """The fields of a form; the last one counts where a name stands twice.

    Raises:
        UsageError: it is too large, or no form.
    """
    try:
        body = await request.body()
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ClientDisconnect as error:
        msg = f"The form is larger than {MOST_BYTES:,} bytes or was cut off. Nothing was done."
        raise UsageError(msg) from error
    except (UnicodeDecodeError, ValueError) as error:
        msg = f"The form cannot be read ({error}). Nothing was done."
        raise UsageError(msg) from error
    return dict(pairs)
