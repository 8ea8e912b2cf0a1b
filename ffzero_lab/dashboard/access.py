"""Who may do what: the host that was asked for, where a request comes from, and the token."""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request

TOKEN_HEADER = "X-FFzero-Token"  # noqa: S105 - the header's name
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""A report stands in a run folder, which may come from elsewhere: it runs no script and is of no origin."""
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


REPORT_HEADERS = {"Content-Security-Policy": REPORT_POLICY, "Cache-Control": "no-store"}
FOREIGN = "a page of another origin neither reads nor controls a run"


def new_token() -> str:
    """Return a token that nobody guesses: 256 random bits."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Tell whether a server bound to *host* is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Access:
    """The rules of one server.

    Attributes
    ----------
    token
        What control needs, and on a bound address other than loopback reading as well.
    host
        Address the server is bound to.
    names
        Further names it is reached by.
    """

    token: str = field(repr=False)
    host: str = "127.0.0.1"
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, token: str, host: str, names: Iterable[str] = ()) -> "Access":
        """Return the rules for a server on *host*."""
        own = () if is_loopback(host) else (socket.gethostname(), socket.getfqdn())
        return cls(token, host, frozenset(name.lower() for name in (*names, *own)))

    @property
    def reading_is_open(self) -> bool:
        """Whether reading needs no token."""
        return is_loopback(self.host)

    def refuses_host(self, request: Request) -> str | None:
        """Return why a request for that host is refused, or None.

        A page of another site that has its name lead here (DNS rebinding) is told by the name it asks for. An address
        is no name, so that where the server is bound to more than loopback any address is allowed.
        """
        asked = _host_of(request.headers.get("host", ""))
        if asked in LOOPBACK_NAMES or asked in self.names or asked == self.host.lower():
            return None
        if not is_loopback(self.host) and _is_address(asked):
            return None
        return (
            f"this server does not go by the name {asked!r}; ask for localhost, or start it with --allow-host {asked}"
            if asked
            else "a request must say which host it is for"
        )

    def refuses_origin(self, request: Request) -> str | None:
        """Return why a request is refused for where it comes from, or None."""
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if site not in (None, "same-origin", "none"):
            return FOREIGN
        if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
            return FOREIGN
        return None

    def refuses_token(self, request: Request) -> str | None:
        """Return why a request is refused for its token, or None; the comparison takes the same time for any."""
        given = request.headers.get(TOKEN_HEADER)
        if given is None:
            return f"the token that was shown when the server was started is needed, in the header {TOKEN_HEADER}"
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return "the token is not the one that was shown when this server was started"
        return None


def _host_of(header: str) -> str:
    """Return the name or address in a Host header, without the port: a tunnel may have another one."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
