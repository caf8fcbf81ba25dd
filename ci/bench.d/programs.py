"""What is measured, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Programs:
    """The files that every measurement needs."""

    tfguard: Path
    terraform: Path
    engine: Path
    """Serves DynamoDB on loopback."""
    hello: Path
    """The configuration that is applied for nothing."""
    etcd: Path | None = None
    """The folder of etcd and etcdctl."""
    lease: Path | None = None
    """Runs a command under a lease of the dynamodb-lease crate."""
    absences: Mapping[str, str] = field(default_factory=dict)
    """Why a rival, by its name, is not there."""
