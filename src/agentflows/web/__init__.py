"""The web page: read stores, dreams, sessions, jobs and outcomes, and decide on held changes. Served by this machine.

create_app(…)   the pages over an open home, as an ASGI application
Served(…)       the same on a port of this machine, until it is interrupted
Access          who may read and who may decide
"""

from agentflows.web.access import Access
from agentflows.web.app import create_app
from agentflows.web.serving import PORT, Served

__all__ = ["PORT", "Access", "Served", "create_app"]
