"""What is found out about a stage, and the commands that put it right."""

import os
from typing import NamedTuple


class Finding(NamedTuple):
    """Status (ok, warning, error), subject, explanation, fixing command."""

    status: str
    subject: str
    text: str
    command: str = ""

    @property
    def advice(self) -> str:
        return self.text + (f"; fix it with: {self.command}" if self.command else "")


def refusal(*errors: Finding) -> SystemExit:
    """Return what ends the process: a sentence for each error, and no traceback."""
    return SystemExit("\n".join(f"{e.subject} {e.advice}" for e in errors))


def set_to(name: str, value: object) -> str:
    """Return the command that sets a variable on this host; without a value, unsets it."""
    heroku = "heroku config:" if os.environ.get("DYNO") else ""
    if value in ("", None):
        return f"{heroku}unset {name}"
    return f"{heroku}set {name}={value}" if heroku else f"export {name}={value}"
