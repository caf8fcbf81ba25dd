"""What DynamoDB is asked: a proxy before the engine that counts requests and what they would cost."""

from __future__ import annotations

import http.client
import json
import math
import sys
import threading
from collections import Counter
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# On demand, us-east-1, since 2024-11-01: https://aws.amazon.com/dynamodb/pricing/on-demand/
DOLLARS_PER_WRITE = 0.625e-6
DOLLARS_PER_READ = 0.125e-6
WRITES = ("PutItem", "UpdateItem", "DeleteItem")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A run that is stopped while it asks breaks its connection: not worth a traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class CountingProxy(AbstractContextManager):
    """Passes on what it is asked, until the context ends."""

    def __init__(self, engine: str):
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._item_size = 0
        self._server = Server(("127.0.0.1", 0), handler(self, urlsplit(engine).netloc))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, operation: str, request: dict, answer: dict) -> None:
        """Writes count for the size of the largest item seen: an update does not show its item."""
        with self._lock:
            size = item_size(answer.get("Item") or request.get("Item") or {})
            self._item_size = max(self._item_size, size)
            self._counts[operation] += 1
            if operation == "GetItem":
                consistent = request.get("ConsistentRead", False)
                self._counts["read units"] += read_units(size, consistent)
            elif operation in WRITES:
                self._counts["write units"] += write_units(self._item_size)

    def taken(self) -> Counter[str]:
        """The counts since the last call."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts


def read_units(size: int, consistent: bool) -> float:
    return max(1, math.ceil(size / 4096)) * (1 if consistent else 0.5)


def write_units(size: int) -> int:
    return max(1, math.ceil(size / 1024))


def item_size(item: dict) -> int:
    """Bytes of an item as DynamoDB counts them, about: names and values, 3 for each list or map."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: dict) -> int:
    ((kind, held),) = value.items()
    if kind == "M":
        return 3 + item_size(held)
    if kind == "L":
        return 3 + sum(map(value_size, held))
    return len(str(held).encode())


def dollars(counts: Counter[str]) -> float:
    return counts["read units"] * DOLLARS_PER_READ + counts["write units"] * DOLLARS_PER_WRITE


def handler(proxy: CountingProxy, engine: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            connection = http.client.HTTPConnection(engine, timeout=30)
            try:
                connection.request("POST", self.path, body, dict(self.headers))
                response = connection.getresponse()
                answer = response.read()
            finally:
                connection.close()
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            proxy.count(operation, json.loads(body), json.loads(answer or b"{}"))
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in ("content-length", "connection", "transfer-encoding", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
