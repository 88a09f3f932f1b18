"""Refuse answers that would make a project that does not work, before it is made."""

import json
import re
import sys
import unicodedata

SLUG = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")


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
    slug = answers["project_slug"]
    if not SLUG.fullmatch(slug) or len(slug) > 50:
        return (
            f"project_slug {slug[:60]!a} is not a folder name for a project; use lowercase"
            " letters, digits and single hyphens, 50 at most, such as visit-counter."
        )
    if slug in reserved:
        return f"project_slug {slug!r} is a reserved name; choose another one."
    return None


if __name__ == "__main__":
    found = complaint(
        json.loads(r"""{{ cookiecutter | tojson }}"""),
        json.loads(r"""{{ _cookiecutter | default({}) | tojson }}"""),  # not from cruft
        json.loads(r"""{{ cookiecutter._reserved | tojson }}"""),
    )
    if found:
        sys.exit(found)
