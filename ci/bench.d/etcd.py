"""etcd from Debian: from PATH, else its packages unpacked below target/, so that no service is installed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runs import Run, RunFailed
from work import wait_until

PACKAGES = ("etcd-server", "etcd-client")
ADVICE = f"install etcd and etcdctl, on Debian and Ubuntu `apt-get install {' '.join(PACKAGES)}`"


class NoEtcd(Exception):
    """Why there is none, and what to do."""


def obtain(folder: Path) -> Path:
    """The folder that has etcd and etcdctl; they are fetched into `folder` where the system has none."""
    on_path = shutil.which("etcd")
    if on_path and shutil.which("etcdctl"):
        return Path(on_path).parent
    programs = folder / "usr/bin"
    if not all((programs / name).exists() for name in ("etcd", "etcdctl")):
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise NoEtcd(f"they are not on PATH, and there is no apt-get to fetch them with: {ADVICE}")
        unpack(folder)
    return programs


def unpack(folder: Path) -> None:
    """Fetches the packages and takes them apart, for which nobody has to be root."""
    folder.mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "-q", "download", *PACKAGES]
    fetched = quietly(fetch, folder)
    if fetched.returncode != 0 and os.geteuid() == 0:
        # A fresh container knows of no packages yet.
        quietly(["apt-get", "-q", "update"], folder)
        fetched = quietly(fetch, folder)
    if fetched.returncode != 0:
        raise NoEtcd(f"`{' '.join(fetch)}` failed ({last_line(fetched.stderr)}): {ADVICE}")
    for package in folder.glob("*.deb"):
        unpacked = quietly(["dpkg-deb", "-x", str(package), str(folder)], folder)
        if unpacked.returncode != 0:
            raise NoEtcd(f"{package.name} cannot be unpacked ({last_line(unpacked.stderr)}): {ADVICE}")
        package.unlink()


def quietly(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


@contextmanager
def serving(programs: Path, scratch: Path) -> Iterator[str]:
    """One member on loopback, whose log is synced to the disk of the scratch directory."""
    client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    command = [str(programs / "etcd"), "--data-dir", str(scratch / "etcd")]
    command += ["--initial-cluster", f"default={peer}", "--initial-advertise-peer-urls", peer]
    command += ["--listen-peer-urls", peer, "--listen-client-urls", client, "--advertise-client-urls", client]
    with Run(command, scratch) as server:
        if not wait_until(lambda: answers(client), server):
            raise RunFailed(f"etcd did not start:\n{server.tail()}")
        yield client


def answers(url: str) -> bool:
    try:
        entries(url, "bench")
    except OSError:
        return False
    return True


def entries(url: str, lock: str) -> int:
    """How many hold the lock or wait for it: each has a key below its name."""
    # Of all names that begin with `LOCK/`, the end is the next character after the slash.
    first, end = (base64.b64encode(f"{lock}{last}".encode()).decode() for last in ("/", "0"))
    body = json.dumps({"key": first, "range_end": end, "count_only": True}).encode()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{url}/v3/kv/range", body, timeout=5) as response:
        return int(json.load(response).get("count", 0))


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
