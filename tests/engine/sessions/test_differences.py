"""Each difference between these sessions and Flask's own, shown on both."""

import json
import secrets
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from app import create_app
from app.sessions import MemoryStorage
from flask import Flask, Response, session, stream_with_context
from flask.sessions import session_json_serializer
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from tests.engine.sessions.conftest import contents, put

View = Callable[[], Any]


class Visitor:
    """A client with a cookie jar, whose requests run what the test passes."""

    def __init__(self, app: Flask) -> None:
        self.views: list[View] = []
        app.add_url_rule("/do", "do", self.do)
        app.testing = True
        self.client = app.test_client()

    def do(self) -> Any:
        answer = self.views.pop()()
        return "" if answer is None else answer

    def get(self, view: View) -> TestResponse:
        self.views.append(view)
        return self.client.get("/do")


@pytest.fixture
def ours() -> Visitor:
    """A visitor of this app."""
    return Visitor(create_app(storage=MemoryStorage()))


@pytest.fixture
def flasks() -> Visitor:
    """A visitor of an app with Flask's own sessions."""
    app = Flask("flasks")
    app.config.from_mapping(SECRET_KEY="a secret")
    return Visitor(app)


def test_the_cookie_holds_no_data(ours: Visitor, flasks: Visitor) -> None:
    reader = URLSafeTimedSerializer("any key", serializer=session_json_serializer)
    for visitor, held in (ours, None), (flasks, {"a": 1}):
        visitor.get(put(a=1))
        cookie = visitor.client.get_cookie("session")
        assert cookie
        assert reader.loads_unsafe(cookie.value)[1] == held
        with visitor.client.session_transaction() as session:
            assert session["a"] == 1


def test_the_cookie_is_sent_once_with_max_age_only(
    ours: Visitor, flasks: Visitor
) -> None:
    def permanent() -> None:
        session["a"] = session.get("a", 0) + 1
        session.permanent = True

    first, then = ours.get(permanent), ours.get(permanent)
    assert "Max-Age" in first.headers["Set-Cookie"]
    assert "Expires" not in first.headers["Set-Cookie"]
    assert "Set-Cookie" not in then.headers
    first, then = flasks.get(permanent), flasks.get(permanent)
    assert "Max-Age" not in first.headers["Set-Cookie"]
    assert "Expires" in then.headers["Set-Cookie"]


def test_permanent_does_not_change_the_cookie(ours: Visitor, flasks: Visitor) -> None:
    assert "Max-Age" in ours.get(put(a=1)).headers["Set-Cookie"]
    assert "Expires" not in flasks.get(put(a=1)).headers["Set-Cookie"]


def test_keys_are_texts(ours: Visitor, flasks: Visitor) -> None:
    def number() -> None:
        session[1] = "one"  # type: ignore[index]

    with pytest.raises(TypeError, match="session keys are strings, not 1"):
        ours.get(number)
    flasks.get(number)
    assert flasks.get(contents).json == {"1": "one"}


def test_keys_are_valid_unicode(ours: Visitor, flasks: Visitor) -> None:
    def half_a_character() -> None:
        session["\ud83d"] = 1

    with pytest.raises(TypeError, match=r"session\['\\ud83d'\] cannot be stored"):
        ours.get(half_a_character)
    flasks.get(half_a_character)
    assert flasks.get(lambda: str(len(session))).text == "1"


def test_it_is_a_mapping_but_no_dict(ours: Visitor, flasks: Visitor) -> None:
    """So there are no operators, nor what only dicts can be used for."""
    uses: list[Callable[[Any], object]] = [
        lambda own: own | {"b": 2},
        lambda own: {"b": 2} | own,
        lambda own: [*reversed(own)],
        lambda own: own.fromkeys("a"),
        lambda own: json.dumps(own),
        lambda own: deepcopy(own),
    ]

    def use() -> str:
        own = session._get_current_object()  # type: ignore[attr-defined]
        works = [isinstance(own, dict)]
        for attempt in uses:
            try:
                works.append(bool(attempt(own)))
            except (TypeError, AttributeError):
                works.append(False)
        return str(set(works))

    for visitor, works in (ours, "{False}"), (flasks, "{True}"):
        visitor.get(put(a=1))
        assert visitor.get(use).text == works
        assert visitor.get(contents).json == {"a": 1}


def test_the_order_is_that_of_the_storage(ours: Visitor, flasks: Visitor) -> None:
    """Of MemoryStorage, here: new keys come last. Flask sorts them."""

    def order() -> str:
        return "".join(session)

    def move() -> str:
        session["b"] = session.pop("b")
        return order()

    for visitor, orders in (ours, ["ba", "ba"]), (flasks, ["ab", "ab"]):
        visitor.get(put(b=1, a=1))
        assert [visitor.get(order).text, visitor.get(move).text] == orders


def test_repr_shows_no_data(ours: Visitor, flasks: Visitor) -> None:
    for visitor, shown in (ours, False), (flasks, True):
        visitor.get(put(secret="hidden"))
        text = visitor.get(lambda: str([session["secret"], session])).text
        assert ("secret" in text) is shown


def test_new_says_whether_there_is_no_session_yet(
    ours: Visitor, flasks: Visitor
) -> None:
    for visitor, new in (ours, "[True, False]"), (flasks, "[False, False]"):
        before = visitor.get(lambda: str(session.new)).text
        visitor.get(put(a=1))
        after = visitor.get(lambda: str(session.new)).text
        assert f"[{before}, {after}]" == new


@pytest.mark.filterwarnings("ignore:The 'session' cookie is too large")
def test_the_data_may_be_large(ours: Visitor, flasks: Visitor) -> None:
    for visitor, fits in (ours, True), (flasks, False):
        visitor.get(put(a=secrets.token_hex(5000)))
        cookie = visitor.client.get_cookie("session")
        assert cookie
        assert (len(cookie.value) < 4093) is fits  # what browsers keep


def test_changes_inside_a_value_are_noticed(ours: Visitor, flasks: Visitor) -> None:
    for visitor, kept in (ours, ["pen"]), (flasks, []):
        visitor.get(put(cart=[]))
        visitor.get(lambda: session["cart"].append("pen"))
        assert visitor.get(lambda: session["cart"]).json == kept


def test_modified_only_tells(ours: Visitor, flasks: Visitor) -> None:
    """It says whether there is something to save; setting it has no effect."""

    def modify() -> str:
        session.modified = True
        return str(session.modified)

    assert ours.get(modify).text == "False"
    assert flasks.get(modify).text == "True"
    with ours.client, flasks.client:
        for visitor, modified in (ours, False), (flasks, True):
            visitor.get(put(a=1))
            assert session.modified is modified  # it has been saved


def test_a_page_that_uses_it_is_not_cached(ours: Visitor, flasks: Visitor) -> None:
    sent = ours.get(put(a=1)).headers["Cache-Control"]
    assert sent == "private, no-store"
    assert "Cache-Control" not in flasks.get(put(a=1)).headers


def test_a_page_that_does_not_use_it_does_not_vary(
    ours: Visitor, flasks: Visitor
) -> None:
    def log_in() -> None:
        session["user"] = 1
        session.permanent = True

    for visitor in ours, flasks:
        visitor.get(log_in)
    assert "Cookie" not in ours.get(lambda: "").vary
    assert "cookie" in flasks.get(lambda: "").vary


def test_who_has_no_cookie_has_none_to_delete(ours: Visitor, flasks: Visitor) -> None:
    assert "Set-Cookie" not in ours.get(lambda: session.clear()).headers
    assert "Set-Cookie" in flasks.get(lambda: session.clear()).headers


def test_removing_the_last_key_leaves_the_cookie(
    ours: Visitor, flasks: Visitor
) -> None:
    for visitor, left in (ours, True), (flasks, False):
        visitor.get(put(a=1))
        visitor.get(lambda: [session.pop("a")])
        assert bool(visitor.client.get_cookie("session")) is left
        assert visitor.get(contents).json == {}


def test_what_cannot_be_stored_names_its_key(ours: Visitor, flasks: Visitor) -> None:
    with pytest.raises(TypeError, match=r"session\['a'\] cannot be stored"):
        ours.get(put(a=object()))
    with pytest.raises(TypeError, match="Object of type object is not JSON"):
        flasks.get(put(a=object()))


def test_a_stream_changes_nothing_once_it_is_sent(
    ours: Visitor, flasks: Visitor
) -> None:
    """The same on both, except for `increment`, which takes effect at once."""

    def stream() -> Response:
        return Response(stream_with_context(changes() for _ in range(1)))

    def changes() -> str:
        session["a"] = 2
        if increment := getattr(session, "increment", None):
            increment("n")
        return ""

    for visitor, then in (ours, {"a": 1, "n": 1}), (flasks, {"a": 1}):
        visitor.get(put(a=1))
        visitor.get(stream)
        assert visitor.get(contents).json == then
