"""The sides that are compared: bare Terraform, and tfguard over each store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine import TABLE, Engine
from programs import Programs
from runs import REGION

STORES = ("local", "dynamodb")


@dataclass(frozen=True)
class Guard:
    """tfguard over one store, with one lock for all runs."""

    store: str
    program: Path
    options: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the tables show it."""
        return f"tfguard, {self.store}"

    def command(self, subcommand: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
        """The arguments after `--` reach the child as they are."""
        return [str(self.program), *self.options, *options, subcommand, "--", *arguments]


@contextmanager
def guard(programs: Programs, store: str, scratch: Path) -> Iterator[Guard]:
    """tfguard over `store`, whose DynamoDB engine lives as long as the context."""
    if store == "local":
        where = ("--store", store, "--local-dir", str(scratch / "locks"))
        terraform = ("--terraform-bin", str(programs.terraform))
        yield Guard(store, programs.tfguard, (*terraform, "--lock", "bench", *where))
        return
    with Engine(programs.engine) as engine:
        yield dynamodb_guard(programs, engine.url)


def dynamodb_guard(programs: Programs, url: str, table: str = TABLE) -> Guard:
    """tfguard over the engine that answers at `url`."""
    where = ("--store", "dynamodb", "--table", table, "--region", REGION, "--endpoint-url", url)
    terraform = ("--terraform-bin", str(programs.terraform))
    return Guard("dynamodb", programs.tfguard, (*terraform, "--lock", "bench", *where))


def bare_apply(programs: Programs, *arguments: str) -> list[str]:
    """What CI runs without tfguard."""
    return [str(programs.terraform), "apply", "-auto-approve", "-input=false", *arguments]
