"""What a request may do with its session, as short programs for tests that try them all."""

from collections.abc import Callable
from itertools import product
from typing import Any

Program = Callable[[Any], object]  # it takes a Session, or the dict that stands for it
BEFORE: dict[str, Any] = {"a": 1, "b": 2, "list": [0], "n": 5}


def read(session: Any) -> object:
    return session.get("a")


def set_key(session: Any) -> None:
    session["a"] = 2


def set_another(session: Any) -> None:
    session["c"] = 3


def change_inside(session: Any) -> None:
    if "list" in session:
        session["list"].append(1)


def delete(session: Any) -> None:
    session.pop("b", None)


def delete_all(session: Any) -> None:
    for key in sorted(session):
        del session[key]


def increment(session: Any) -> int:
    if isinstance(session, dict):
        session["n"] = session.get("n", 0) + 1
        return int(session["n"])
    return int(session.increment("n"))


def flash(session: Any) -> None:
    """Add a message, as flask.flash does."""
    session["_flashes"] = [*session.get("_flashes", []), ("message", "Hello.")]


def clear(session: Any) -> None:
    session.clear()


def clear_and_set(session: Any) -> None:
    """Log in, as Flask's tutorial does."""
    session.clear()
    session["user"] = 7


def regenerate(session: Any) -> None:
    if not isinstance(session, dict):
        session.regenerate()


def regenerate_and_set(session: Any) -> None:
    """Log in and keep the cart."""
    regenerate(session)
    session["user"] = 7


OPERATIONS: dict[str, Program] = {
    operation.__name__: operation
    for operation in (
        read,
        set_key,
        set_another,
        change_inside,
        delete,
        delete_all,
        increment,
        flash,
        clear,
        clear_and_set,
        regenerate,
        regenerate_and_set,
    )
}


def in_turn(*names: str) -> Callable[[Any], list[object]]:
    """Return a program that does these operations one after the other."""

    def program(session: Any) -> list[object]:
        return [OPERATIONS[name](session) for name in names]

    return program


SINGLES = [(name,) for name in OPERATIONS]
PAIRS = list(product(OPERATIONS, repeat=2))
