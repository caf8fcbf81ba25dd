"""The DynamoDB engine on loopback, with the lock table in it."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path

from runs import REGION, RunFailed, environment

TABLE = "tfguard-bench"


class Engine(AbstractContextManager):
    """Runs until the context ends; it serves until its standard input is closed."""

    def __init__(self, program: Path):
        self._process = subprocess.Popen(
            [str(program)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RunFailed(f"{program} ended with {self._process.wait()} before it served.")
        self.create_table(TABLE, "LockID")

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def create_table(self, name: str, key: str, expiry: str | None = None) -> None:
        """A table paid per request, whose items expire by the attribute `expiry`."""
        table = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        }
        self._call("CreateTable", table)
        if expiry:
            specification = {"AttributeName": expiry, "Enabled": True}
            self._call("UpdateTimeToLive", {"TableName": name, "TimeToLiveSpecification": specification})

    def _call(self, operation: str, body: dict) -> None:
        # The engine wants to see a signature, and does not check it.
        credential = f"bench/20260101/{REGION}/dynamodb/aws4_request"
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
        }
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=10):
            pass
