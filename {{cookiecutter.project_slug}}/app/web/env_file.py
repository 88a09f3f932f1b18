"""The file .env, which holds the settings of one machine."""

import logging
import os
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from .environment import ConfigurationError, Declare, Finding, Settings

ENV_FILE = Path(__file__).parents[2] / ".env"


def load(declare: Declare) -> Settings:
    """Return the settings, from the environment and .env."""
    if os.environ.get("PYTHON_DOTENV_DISABLED", "").lower() not in ("1", "true", "yes"):
        add_to_environment(read())
    return Settings(declare, os.environ)


def add_to_environment(found: dict[str, str]) -> None:
    """Add what only .env has; refuse the .env of another stage."""
    for name, value in found.items():
        os.environ.setdefault(name, value)
    stage, secret = os.environ.get("APP_ENV", ""), os.environ.get("SECRET", "")
    own = secret in ("", found.get("SECRET")) or secret.startswith("dev-")
    if stage.lower() == "development" and stage == found.get("APP_ENV") and not own:
        what = "says development, but the environment has another stage's SECRET"
        raise refusal(what, "rm .env (on that stage) or unset SECRET (in development)")


def read() -> dict[str, str]:
    """Return what .env sets; raise ConfigurationError if any line sets nothing."""
    try:
        text = ENV_FILE.read_text("utf-8-sig", errors="replace")
    except (FileNotFoundError, IsADirectoryError):  # some keep an environment in .env/
        return {}
    except OSError as error:
        what, command = f"cannot be read ({error.strerror})", 'sudo chown "$USER" .env'
        raise refusal(what, command) from None
    if "\0" in text or "\ufffd" in text:
        raise refusal("is not UTF-8", "iconv -f UTF-16 .env > utf8 && mv utf8 .env")
    wrong: list[int] = []  # lines

    def note(warning: logging.LogRecord) -> bool:
        wrong.append(int(warning.getMessage().split()[-1]))
        return False

    log = logging.getLogger("dotenv.main")
    log.addFilter(note)
    found = dotenv_values(stream=StringIO(text))
    log.removeFilter(note)
    lines = [line.partition("#")[0].split()[-1:] for line in text.splitlines()]
    wrong += [lines.index([n]) + 1 for n, value in found.items() if value is None]
    if wrong:
        number = min(
            wrong
        )  # or later: python-dotenv counts the empty lines before, too
        number += next(
            i for i, line in enumerate(text.splitlines()[number - 1 :]) if line.strip()
        )
        what = f"does not say NAME=value in line {number}"
        raise refusal(what, '"${EDITOR:-vi}" .env')
    return {name: value or "" for name, value in found.items()}


def refusal(what: str, command: str) -> ConfigurationError:
    return ConfigurationError(Finding("error", ".env", what, command))
