"""An HTTP server on this machine, for tests that stand for somebody elsewhere."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """A request; a GET has no body."""

    path: str
    headers: HTTPMessage
    body: bytes | None


class Answer(NamedTuple):
    """Its status, and a body of JSON."""

    status: int
    body: bytes = b""


@contextmanager
def listening(answer: Callable[[Asked], Answer]) -> Iterator[int]:
    """Its port, within the block; `answer` is asked by many threads."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["content-length"])))

        def _answer(self, body: bytes | None) -> None:
            status, told = answer(Asked(self.path, self.headers, body))
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
