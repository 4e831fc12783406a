"""Site: what every page is made from: the home, who may decide, and how a page is rendered."""

from collections import OrderedDict
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from agentflows import __version__
from agentflows.home import Home
from agentflows.web.access import Access
from agentflows.web.view import templates

_KEPT = 50


class Site:
    """One server's pages over one home."""

    def __init__(self, home: Home, access: Access, reviewer: str = "") -> None:
        home.state.waiting()  # opened here, and known to work, before threads ask for it at once
        self.home = home
        self.access = access
        self.reviewer = home.actor(reviewer).name
        """Who decides, on record."""
        self._results: OrderedDict[str, object] = OrderedDict()

    def page(
        self, request: Request, template: str, *, status: int = HTTPStatus.OK, **values: Any
    ) -> HTMLResponse:
        """A whole page."""
        values = {
            "path": request.scope["path"],
            "query": dict(request.query_params),
            "may_write": self.access.may_write(request.headers),
            "can_write": self.access.can_write,
            "reviewer": self.reviewer,
            "version": __version__,
            "form_token": self.access.form_token,
            "waiting": self.home.state.waiting(),
            **values,
        }
        return HTMLResponse(templates().get_template(template).render(values), status)

    def part(self, template: str, **values: Any) -> HTMLResponse:
        """Part of a page, for a script to put into one."""
        return HTMLResponse(templates().get_template(template).render(values))

    def refusal(self, request: Request, status: int, message: str) -> Response:
        """The page that says what was wrong. It reads nothing of the home, so that it can always be shown."""
        values = {
            **self._bare(request),
            "status": int(status),
            "phrase": HTTPStatus(status).phrase,
            "message": message,
        }
        return HTMLResponse(templates().get_template("problem.html").render(values), status)

    def welcome(self, request: Request) -> Response:
        """The page that leads on to the first one, for a browser that comes from elsewhere."""
        return HTMLResponse(templates().get_template("welcome.html").render(self._bare(request)))

    def _bare(self, request: Request) -> dict[str, object]:
        return {
            "path": request.scope["path"],
            "query": {},
            "may_write": False,
            "can_write": self.access.can_write,
            "reviewer": "",
            "version": __version__,
            "waiting": 0,
        }

    def keep(self, name: str, result: object) -> None:
        """Remember what was done, for the page that tells of it."""
        self._results[name] = result
        while len(self._results) > _KEPT:
            self._results.popitem(last=False)

    def kept(self, name: str) -> object:
        """What was done; None where that is not known any more."""
        return self._results.get(name)
