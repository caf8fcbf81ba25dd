"""What DynamoDB is asked: a proxy before the engine that counts requests and what they would cost."""

from __future__ import annotations

import http.client
import json
import math
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

WRITES = ("PutItem", "UpdateItem", "DeleteItem")
READS = ("GetItem", "BatchGetItem")
# What is charged, beside the requests.
READ_UNITS, WRITE_UNITS = "read units", "write units"


@dataclass(frozen=True)
class Prices:
    """Dollars for a million units."""

    writes: float
    reads: float

    def of(self, counts: Counter[str]) -> float:
        """Dollars for what was counted."""
        return (counts[READ_UNITS] * self.reads + counts[WRITE_UNITS] * self.writes) / 1e6


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

    def count(self, operation: str, request: dict, answer: dict, refused: bool = False) -> None:
        """Writes count for the size of the largest item seen: an update does not show its item. One whose
        condition does not hold is charged like any other."""
        with self._lock:
            self._counts[f"{operation}{' (refused)' if refused else ''} of {subject(request)}"] += 1
            if operation in WRITES:
                self._item_size = max(self._item_size, item_size(request.get("Item", {})))
                self._counts[WRITE_UNITS] += write_units(self._item_size)
            elif operation in READS:
                self._counts[READ_UNITS] += sum(read_sizes(operation, request, answer))

    def taken(self) -> Counter[str]:
        """The counts since the last call."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts


# On demand in us-east-1 since 2024-11-01, see https://aws.amazon.com/dynamodb/pricing/on-demand/.
LISTED = Prices(writes=0.625, reads=0.125)


def total(counts: Counter[str], operations: Sequence[str]) -> int:
    """How many of the requests were of these operations, whatever they were about."""
    return sum(count for what, count in counts.items() if what.split()[0] in operations)


def requests(counts: Counter[str]) -> str:
    """The requests, for people."""
    return ", ".join(f"{count} {what}" for what, count in counts.items() if " of " in what)


def subject(request: dict) -> str:
    """What a request is about, by the key of its item: a past run's is `tfguard:LOCK#RUN`."""
    tables = request.get("RequestItems", {}).values()
    keys = [key for table in tables if isinstance(table, dict) for key in table.get("Keys", [])]
    keys += [request.get("Key") or request.get("Item") or {}]
    names = [key["LockID"]["S"] for key in keys if "LockID" in key]
    if not names:
        return "the table"
    return "the history" if all("#" in name for name in names) else "the lock"


def read_sizes(operation: str, request: dict, answer: dict) -> Iterator[float]:
    """The units of every item that was asked for. One that is not there costs as much as a small one."""
    if operation == "GetItem":
        yield read_units(item_size(answer.get("Item", {})), request.get("ConsistentRead", False))
        return
    for name, table in request.get("RequestItems", {}).items():
        consistent = table.get("ConsistentRead", False)
        found = answer.get("Responses", {}).get(name, [])
        missing = len(table.get("Keys", [])) - len(found)
        for item in [*found, *({} for _ in range(missing))]:
            yield read_units(item_size(item), consistent)


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
            refused = response.status != HTTPStatus.OK
            proxy.count(operation, json.loads(body), json.loads(answer or b"{}"), refused)
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
