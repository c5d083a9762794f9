"""Gate before a local page: who does not know the token of its address sees nothing of it."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PARAMETER = "token"
REFUSED = b"403: this address needs the token that gans explore printed\n"


class TokenGate:
    """ASGI application that lets requests and websockets with the token through to another, others not.

    The token is in the address that is opened first; a cookie for this site alone carries it from then on, to
    pictures, assets and the websocket.

    Args:
        application: what stands behind the gate.
        token: the secret.
        port: of the server: browsers share cookies between the ports of a machine.
    """

    def __init__(self, application: Application, token: str, port: int) -> None:
        self.application, self.token = application, token
        self.cookie = f"gans-explore-{port}"
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request: by the application behind, or with 403."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
        elif not self._is_admitted(scope):
            await _refuse(scope, receive, send)
        else:
            is_named = scope["type"] == "http" and _named_token(scope) is not None
            await self.application(scope, receive, self._with_cookie(send) if is_named else send)

    def _is_admitted(self, scope: Scope) -> bool:
        """Whether a request names the token, for this host, and comes from no other site."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if headers.get("host") not in self.hosts:  # another name that was made to lead here
            return False
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] not in self.hosts:
            return False
        named = _named_token(scope)
        if named is None:
            try:
                morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
            except CookieError:
                return False
            named = morsel.value if morsel else ""
        return secrets.compare_digest(named.encode(), self.token.encode())

    def _with_cookie(self, send: Send) -> Send:
        """Adds the cookie to an answer."""
        words = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"

        async def send_with_cookie(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"set-cookie", words.encode())]
                message = {**message, "headers": headers}
            await send(message)

        return send_with_cookie


def _named_token(scope: Scope) -> str | None:
    """The token in the address of a request; None where it names none."""
    found = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    return found[PARAMETER][-1] if PARAMETER in found else None


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with 403; a websocket is refused before it opens, which is a 403, too."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(REFUSED)).encode()),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": REFUSED})
