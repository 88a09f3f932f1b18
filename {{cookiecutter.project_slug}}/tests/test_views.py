"""The pages: start reading here."""

import pytest
from flask.testing import FlaskClient

from app.views import ordinal

PAGE = {"Accept": "text/html"}


def test_counts_the_visits_of_each_visitor(client: FlaskClient) -> None:
    assert client.get("/").json == {"views": 1}
    assert client.get("/").json == {"views": 2}
    assert client.get("/").json == {"views": 3}
    other = client.application.test_client()
    assert other.get("/").json == {"views": 1}


def test_goes_on_from_what_the_session_holds(client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["views"] = 41
    assert client.get("/").json == {"views": 42}


def test_shows_a_page_to_browsers(client: FlaskClient) -> None:
    client.get("/")
    page = client.get("/", headers=PAGE)
    assert page.mimetype == "text/html"
    assert "2nd visit" in page.text


def test_start_over_forgets_the_visitor(client: FlaskClient) -> None:
    client.get("/")
    answer = client.post("/reset")
    assert (answer.status_code, answer.location) == (303, "/")
    assert client.get("/").json == {"views": 1}


def test_other_sites_cannot_start_over(client: FlaskClient) -> None:
    client.get("/")
    answer = client.post("/reset", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert client.get("/").json == {"views": 2}


def test_errors_are_pages_for_browsers_and_json_for_others(client: FlaskClient) -> None:
    page = client.get("/nowhere", headers=PAGE)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "There is no page at this address." in page.text
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.json) == (404, {"error": "Not Found"})


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (101, "101st"),
        (113, "113th"),
        (1_000, "1,000th"),
        (12_342, "12,342nd"),
    ],
)
def test_writes_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/style.css"])
def test_what_needs_no_session_sets_no_cookie(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
