"""The page of figures: ci/bench writes what is between its markers, people write the words around them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


class NoPlace(Exception):
    """The page has no markers, or not one pair of them, for what is to be written."""


def begin(name: str) -> str:
    return f"<!-- ci/bench {name} -->"


def end(name: str) -> str:
    return f"<!-- end of ci/bench {name} -->"


def replaced(text: str, name: str, content: str) -> str:
    """`text` with `content` between the markers of `name`."""
    if text.count(begin(name)) != 1 or text.count(end(name)) != 1:
        raise NoPlace(f"there have to be one `{begin(name)}` and one `{end(name)}`.")
    pattern = re.compile(re.escape(begin(name)) + ".*?" + re.escape(end(name)), re.DOTALL)
    whole = f"{begin(name)}\n{content.strip()}\n{end(name)}"
    shown, places = pattern.subn(lambda _: whole, text)
    if places != 1:
        raise NoPlace(f"`{end(name)}` stands before `{begin(name)}`.")
    return shown


def check(page: Path, names: Iterable[str]) -> None:
    """Whether there will be a place for everything, before it takes time to find out."""
    try:
        text = page.read_text()
        for name in names:
            replaced(text, name, "")
    except (NoPlace, OSError) as problem:
        raise NoPlace(f"nothing can be written to {page}: {problem}") from problem


def write(page: Path, name: str, content: str) -> None:
    """Replaces the content of `name` in the file `page`."""
    page.write_text(replaced(page.read_text(), name, content))
