"""The file .env, which holds the settings of one machine."""

import os
from io import StringIO
from logging import getLogger
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import NoReturn

from dotenv import dotenv_values

ENV_FILE = Path(__file__).parents[2] / ".env"


def load() -> None:
    """Add to the environment what only .env has; refuse the .env of another stage."""
    if os.environ.get("PYTHON_DOTENV_DISABLED", "").lower() in ("1", "true", "yes"):
        return
    found = read()
    for name, value in found.items():
        os.environ.setdefault(name, value)
    stage, secret = os.environ.get("APP_ENV", ""), os.environ.get("SECRET", "")
    own = secret in ("", found.get("SECRET")) or secret.startswith("dev-")
    if stage.lower() == "development" and stage == found.get("APP_ENV") and not own:
        what = "says development, but the environment has another stage's SECRET"
        refuse(what, "rm .env (on that stage) or unset SECRET (in development)")


def read() -> dict[str, str]:
    """Return what .env sets; refuse it if a line sets nothing."""
    try:
        text = ENV_FILE.read_text("utf-8-sig", errors="replace")
    except (FileNotFoundError, IsADirectoryError):  # some keep an environment in .env/
        return {}
    except OSError as error:
        refuse(f"cannot be read ({error.strerror})", 'sudo chown "$USER" .env')
    if "\0" in text or "\ufffd" in text:
        refuse("is not UTF-8", "iconv -f UTF-16 .env > utf8 && mv utf8 .env")
    log, warnings = getLogger("dotenv.main"), BufferingHandler(1000)
    log.addHandler(warnings)
    found = dotenv_values(stream=StringIO(text))
    log.removeHandler(warnings)
    wrong = [warning.getMessage() for warning in warnings.buffer]
    if wrong or None in found.values():
        what = f"has a line that sets nothing ({'; '.join(wrong) or 'without ='})"
        refuse(what, '"${EDITOR:-vi}" .env')
    return {name: value or "" for name, value in found.items()}


def refuse(what: str, fix: str) -> NoReturn:
    raise SystemExit(f".env {what}; fix it with: {fix}")
