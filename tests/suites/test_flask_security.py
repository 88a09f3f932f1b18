"""Flask-Security's own tests, which take minutes: `make suites` runs them."""

from tests.suites.compare import check


def test_flask_security_passes_but_for_known_differences(sessions: str) -> None:
    check("flask-security", sessions, 900)
