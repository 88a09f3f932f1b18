"""The file .env, which holds the settings of one machine."""

import os
from pathlib import Path

from dotenv import dotenv_values

from .environment import ConfigurationError, Problem

ENV_FILE = Path(__file__).parent.parent / ".env"


def load() -> None:
    """Add to the environment what only .env has; refuse the .env of another stage."""
    try:
        found = dotenv_values(ENV_FILE)
        for name, value in found.items():
            if value is not None:
                os.environ.setdefault(name, value)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise refusal(what, 'sudo chown "$USER" .env') from None
    except ValueError:
        command = "iconv -f UTF-16 .env > utf8 && mv utf8 .env"
        raise refusal("is not UTF-8", command) from None
    stage, secret = os.environ.get("APP_ENV"), os.environ.get("SECRET", "")
    own = secret in ("", found.get("SECRET")) or secret.startswith("dev-")
    if stage == found.get("APP_ENV") == "development" and not own:
        what = "says development, but the environment has another stage's SECRET"
        command = "rm .env (on that stage) or unset SECRET (in development)"
        raise refusal(what, command)
    if not (stage or secret or os.environ.get("DYNO")):
        what = "is not set, and neither is SECRET, so this counts as production"
        raise refusal(what, "echo APP_ENV=development >> .env", "APP_ENV")


def refusal(what: str, command: str, name: str = ".env") -> ConfigurationError:
    """Return the exception that ends the start."""
    return ConfigurationError([Problem(name, what, command)])
