"""What every request passes: the host is checked first, and every answer says what a browser may do with it."""

import json

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ffzero_lab.dashboard.access import HEADERS, Access


class Gate:
    """Wraps the whole server."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._access.refuses_host(Request(scope))
        answer = self._app if refused is None else refusal(421, refused)
        await answer(scope, receive, send_with_headers)


class Answer(JSONResponse):
    """An answer in JSON, all ASCII: a name in a damaged file may hold half a sign, which goes into no encoding."""

    def __init__(self, content: object, status_code: int = 200) -> None:
        super().__init__(content, status_code, {"Cache-Control": "no-store"})

    def render(self, content: object) -> bytes:
        """Return the bytes that are sent; raises ValueError for numbers that are not finite."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def refusal(status: int, message: str) -> Answer:
    """Return an answer that says why not."""
    return Answer({"error": message}, status)
