"""The file .env, which holds the settings of one machine."""

import os
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from .environment import ConfigurationError, Finding

ENV_FILE = Path(__file__).parents[2] / ".env"


def load() -> None:
    """Add to the environment what only .env has; refuse the .env of another stage."""
    text = read()
    found = dotenv_values(stream=StringIO(text))
    for name, value in found.items():
        os.environ.setdefault(name, value or "")
    stage, secret = os.environ.get("APP_ENV", ""), os.environ.get("SECRET", "")
    own = secret in ("", found.get("SECRET")) or secret.startswith("dev-")
    if stage.lower() == "development" and stage == found.get("APP_ENV") and not own:
        what = "says development, but the environment has another stage's SECRET"
        command = "rm .env (on that stage) or unset SECRET (in development)"
        raise refusal(what, command)
    if not (stage or secret or os.environ.get("DYNO")):
        what = "is not set, and neither is SECRET, so this counts as production"
        raise refusal(what, "echo APP_ENV=development >> .env", "APP_ENV")


def read() -> str:
    """Return the text of .env, in which every line has been checked."""
    try:
        text = ENV_FILE.read_text("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):  # some keep an environment in .env/
        return ""
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise refusal(what, 'sudo chown "$USER" .env') from None
    except ValueError:
        text = "\0"
    if "\0" in text:
        command = "iconv -f UTF-16 .env > utf8 && mv utf8 .env"
        raise refusal("is not UTF-8", command)
    for line in parse_stream(StringIO(text)):
        if line.error or (line.key and line.value is None):
            part = line.original.string
            empty = part[: len(part) - len(part.lstrip())].count("\n")
            what = f"does not say NAME=value in line {line.original.line + empty}"
            raise refusal(what, '"${EDITOR:-vi}" .env')
    return text


def refusal(what: str, command: str, name: str = ".env") -> ConfigurationError:
    """Return the exception that ends the start."""
    return ConfigurationError(Finding("error", name, what, command))
