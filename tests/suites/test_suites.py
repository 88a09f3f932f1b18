"""What was written for Flask's sessions works on ours, by the projects' own tests."""

import pytest

from tests.suites.compare import check


@pytest.mark.parametrize(
    ("suite", "tests"),
    [("flask", 485), ("flask-login", 110), ("flask-wtf", 80), ("flask-dance", 195)],
)
def test_a_suite_passes_but_for_known_differences(
    suite: str, tests: int, sessions: str
) -> None:
    check(suite, sessions, tests)
