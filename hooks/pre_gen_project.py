"""Refuse answers that would make a project that does not work, before it is made."""

import json
import re
import sys
import unicodedata
from importlib.metadata import PackageNotFoundError, version

# The oldest cookiecutter that asks our questions, and knows a yes from a no.
OLDEST = "2.2.3"
SLUG = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")

YES_OR_NO = {"true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0"}


def outdated(found: str) -> str | None:
    """Return a sentence if that is the version of a cookiecutter which is too old."""
    if [int(n) for n in re.findall(r"\d+", found)[:3]] >= [
        int(n) for n in OLDEST.split(".")
    ]:
        return None
    return (
        f"cookiecutter {found} is too old for this template, which needs {OLDEST} or newer;"
        " get it with: pip install --upgrade cookiecutter"
    )


def complaint(
    answers: dict[str, str], given: dict[str, str], reserved: list[str]
) -> str | None:
    """Return a sentence about the first answer that cannot work, or None.

    `given` has the answers as they came: cookiecutter renders those of the command line.
    `reserved` are folder names that Windows, git or Python's imports keep for themselves.
    """
    for question, longest in ("project_name", 100), ("description", 300):
        answer = answers[question]
        texts = answer, given.get(question, "")
        if any("{" + mark in text for text in texts for mark in ("{", "%", "#")):
            return f"{question} has template marks such as two braces; leave them out."
        if not answer.strip():
            return f"{question} is empty; give it at least one word."
        if len(answer) > longest:
            return f"{question} has {len(answer)} characters; use {longest} at most."
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in answer):
            return f"{question} has a line break or control character; leave it out."
    # Before 2.7, cookiecutter leaves an answer of the command line as it is.
    if str(answers["init_git"]).strip().lower() not in YES_OR_NO:
        return f"init_git is {answers['init_git']!r}; answer yes or no."
    slug = answers["project_slug"]
    if not SLUG.fullmatch(slug) or len(slug) > 50:
        return (
            f"project_slug {slug[:60]!a} is not a folder name for a project; use lowercase"
            " letters, digits and single hyphens, 50 at most, such as visit-counter."
        )
    if slug in reserved:
        return f"project_slug {slug!r} is a reserved name; choose another one."
    return None


def installed() -> str:
    """Return the version of the cookiecutter that runs this."""
    try:
        return version("cookiecutter")
    except PackageNotFoundError:  # it runs in a way of its own, and is hardly that old
        return OLDEST


if __name__ == "__main__":
    found = outdated(installed()) or complaint(
        json.loads(r"""{{ cookiecutter | tojson }}"""),
        json.loads(r"""{{ _cookiecutter | default({}) | tojson }}"""),  # not from cruft
        json.loads(r"""{{ cookiecutter._reserved | tojson }}"""),
    )
    if found:
        sys.exit(found)
