"""The server's routes: pages, what they show, and the three requests that a run can be asked."""

import json
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ffzero_lab._version import __version__
from ffzero_lab.dashboard.access import REPORT_HEADERS, Access
from ffzero_lab.dashboard.chip import drawing_of, values_of
from ffzero_lab.dashboard.facts import owner_of
from ffzero_lab.dashboard.folders import RunsFolder
from ffzero_lab.dashboard.gate import Answer, Gate, refusal
from ffzero_lab.dashboard.stream import MOST_RECEIVERS, events_of
from ffzero_lab.dashboard.view import Position, RunView
from ffzero_lab.errors import InputError
from ffzero_lab.runs import RunReader
from ffzero_lab.runs.control import REQUESTS, ControlRequest
from ffzero_lab.runs.layout import REPORT
from ffzero_lab.runs.standing import ask_running

STATIC = Path(__file__).parent / "static"
VIEWS_KEPT = 8
MOST_ROWS = 1000
CONTROL_BYTES = 16 << 10
"""A request says what question it answers, which may be long."""
NOT_TOLD = "\0"
TICKET_S = 30.0
MOST_TICKETS = 32
MOST_DIGITS = 6


class Dashboard:
    """The routes over one folder of runs.

    Parameters
    ----------
    run_dir
        Folder of runs.
    access
        Who may do what.
    ending
        Tells whether the server is about to end; open streams then end by themselves.
    """

    def __init__(self, run_dir: Path, access: Access, ending: Callable[[], bool] = lambda: False) -> None:
        self._folder, self._access, self._ending = RunsFolder(run_dir), access, ending
        self._views: OrderedDict[str, RunView] = OrderedDict()
        self._views_lock = Lock()
        self._receivers = 0
        self._tickets: dict[str, tuple[str, float]] = {}
        """Of reports that were asked for with the token: the run, and until when."""

    def app(self) -> Starlette:
        """Return the server."""
        return Starlette(
            routes=[
                Route("/", self._page("index.html")),
                Route("/run/{name:path}", self._page("run.html")),
                Route("/report/{name:path}", self.report),
                Route("/api/runs", self._read(self.runs)),
                Route("/api/run/{name:path}", self._read(self.run)),
                Route("/api/events/{name:path}", self._read(self.events)),
                Route("/api/drawing/{name:path}", self._read(self.drawing)),
                Route("/api/parameters/{name:path}", self._read(self.parameters)),
                Route("/api/ticket/{name:path}", self._read(self.ticket)),
                Route("/api/token", self.token),
                Route("/api/control/{name:path}", self.control, methods=["POST"]),
                Mount("/static", StaticFiles(directory=STATIC)),
            ],
            middleware=[Middleware(Gate, access=self._access)],
            exception_handlers={InputError: _not_found, HTTPException: _http_error},
        )

    async def runs(self, request: Request) -> Response:
        """List runs, the newest first."""
        query = request.query_params
        asked = query.get("most", "")
        most = min(MOST_ROWS, int(asked)) if asked.isdecimal() and len(asked) < MOST_DIGITS else 200
        listing = await run_in_threadpool(
            self._folder.listing, query.get("under", ""), words=query.get("words", ""), most=most
        )
        return Answer(
            {
                "rows": listing.rows,
                "total": listing.total,
                "folder": self._folder.root.name,
                "version": __version__,
            }
        )

    async def run(self, request: Request) -> Response:
        """Return all of one run at once."""
        view = await run_in_threadpool(self._view, request.path_params["name"])
        return Answer((await run_in_threadpool(view.since, Position()))[0])

    async def events(self, request: Request) -> Response:
        """Tell of one run from now on."""
        view = await run_in_threadpool(self._view, request.path_params["name"])
        if self._receivers >= MOST_RECEIVERS:
            return refusal(503, f"{MOST_RECEIVERS} pages are open already; close some")

        async def counted() -> AsyncIterator[bytes]:
            self._receivers += 1
            try:
                async for part in events_of(view, self._ending, self._receivers - 1):
                    yield part
            finally:
                self._receivers -= 1

        return StreamingResponse(counted(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def drawing(self, request: Request) -> Response:
        """Return the drawing of one layer."""
        return await self._of_layer(request, drawing_of)

    async def parameters(self, request: Request) -> Response:
        """Return the newest parameters of one layer."""
        return await self._of_layer(request, values_of)

    async def token(self, request: Request) -> Response:
        """Tell whether the token is right, and what it is needed for."""
        refused = self._access.refuses_token(request)
        return Answer({"right": refused is None, "reading_is_open": self._access.reading_is_open})

    async def control(self, request: Request) -> Response:
        """Put one request in front of a run, in its control folder, and nothing else."""
        for status, refused in (
            (403, self._access.refuses_origin(request)),
            (401, self._access.refuses_token(request)),
            (415, None if _is_json(request) else "a request is JSON, and says so in Content-Type"),
        ):
            if refused is not None:
                return refusal(status, refused)
        wanted = await _wanted(request)
        if wanted is None:
            return refusal(400, f'a request is {{"request": NAME}}; allowed: {", ".join(REQUESTS)}')
        name = request.path_params["name"]
        path = await run_in_threadpool(self._folder.run, name)
        try:
            await run_in_threadpool(_ask, path, name, wanted)
        except InputError as error:
            return refusal(409, str(error))
        except OSError as error:
            return refusal(500, f"the request could not be put into the run's control folder: {error}")
        return Answer({"run": name, "request": wanted.request.name}, 202)

    async def ticket(self, request: Request) -> Response:
        """Return an address of the report that a link can lead to, which cannot send a token; good once, and soon."""
        name, now_s = request.path_params["name"], time.monotonic()
        await run_in_threadpool(self._folder.run, name)
        self._tickets = {key: kept for key, kept in self._tickets.items() if kept[1] > now_s}
        if len(self._tickets) >= MOST_TICKETS:
            return refusal(503, "too many reports were asked for at once; wait a little")
        key = secrets.token_urlsafe(16)
        self._tickets[key] = (name, now_s + TICKET_S)
        return Answer({"ticket": key})

    async def report(self, request: Request) -> Response:
        """Show the report that stands in a run's folder."""
        name = request.path_params["name"]
        if not self._access.reading_is_open:
            ticket = self._tickets.pop(request.query_params.get("ticket", ""), ("", 0.0))
            if ticket[0] != name or ticket[1] <= time.monotonic():
                return refusal(401, "open the report from the page of its run")
        page = (await run_in_threadpool(self._folder.run, name)) / REPORT
        if page.is_symlink() or not page.is_file():
            return refusal(404, f"{name} has no {REPORT}; ffzero-lab report makes it")
        return FileResponse(page, media_type="text/html", headers=REPORT_HEADERS)

    async def _of_layer(self, request: Request, answer: Callable[[Path, int], Any]) -> Response:
        layer = request.query_params.get("layer", "0")
        if not (layer.isdecimal() and len(layer) < MOST_DIGITS):
            return refusal(400, f"layer {layer!r} is no number of a layer")
        path = await run_in_threadpool(self._folder.run, request.path_params["name"])
        return Answer(await run_in_threadpool(answer, path, int(layer)))

    def _view(self, name: str) -> RunView:
        """Return the view of a run; a few are kept, so that browsers share them."""
        path = self._folder.run(name)
        with self._views_lock:
            view = self._views.get(name)
            if view is None or view.path != path:
                view = RunView(path, name)
            self._views[name] = view
            self._views.move_to_end(name)
            while len(self._views) > VIEWS_KEPT:
                self._views.popitem(last=False)
            return view

    def _page(self, file: str) -> Callable[[Request], Response]:
        return lambda request: FileResponse(STATIC / file)  # noqa: ARG005 - which run it is, its script reads

    def _read(self, answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """Return *answer* behind the token, where reading needs it."""

        async def checked(request: Request) -> Response:
            foreign = self._access.refuses_origin(request)
            if foreign is not None:  # it could not read the answer, but take the places of those who can
                return refusal(403, foreign)
            refused = None if self._access.reading_is_open else self._access.refuses_token(request)
            return await answer(request) if refused is None else refusal(401, refused)

        return checked


@dataclass(frozen=True)
class Wanted:
    """What a browser asks of a run.

    Attributes
    ----------
    request
        What it asks for.
    seen
        Why the run stood still, as the page showed it to whoever pressed the button; `NOT_TOLD`: it does not say.
    """

    request: ControlRequest
    seen: str | None


def _ask(path: Path, name: str, wanted: Wanted) -> None:
    """Put a request in front of a run; raises InputError where it is refused, OSError where it cannot be written.

    Only the status of the run is read, so that a run can be stopped whose other files are damaged.
    """
    owner = owner_of(path, name)
    if owner is not None:
        raise InputError(f"{name} is a part of {owner}: ask that one")
    status = RunReader(path).status
    if wanted.seen != NOT_TOLD and status is not None and status.get("reason") != wanted.seen:
        now = status.get("reason") or f"it is {status.get('state')}"
        raise InputError(f"{name} has gone on since, look again; now: {now}")
    ask_running(path, wanted.request)


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"


async def _wanted(request: Request) -> Wanted | None:
    """Return what is asked for; None when it is nothing that a run understands."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > CONTROL_BYTES:
            return None
    try:
        told: Any = json.loads(content)
        name, seen = told["request"], told.get("seen", NOT_TOLD)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return Wanted(ControlRequest(name), seen) if name in REQUESTS and isinstance(seen, str | None) else None


async def _not_found(request: Request, error: Exception) -> Response:
    del request
    return refusal(404, str(error))


async def _http_error(request: Request, error: Exception) -> Response:
    del request
    return refusal(error.status_code, str(error.detail)) if isinstance(error, HTTPException) else refusal(500, "failed")
