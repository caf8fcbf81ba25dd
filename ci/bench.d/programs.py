"""What is measured, and where it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Programs:
    """The files that every measurement needs."""

    tfguard: Path
    terraform: Path
    engine: Path
    """Serves DynamoDB on loopback."""
    lease: Path
    """Runs a command under a lease of the dynamodb-lease crate; may be missing."""
    hello: Path
    """The configuration that is applied for nothing."""
