"""The visit counter."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from .sessions import session
from .web import prefers_html

bp = Blueprint("views", __name__)


@bp.get("/")
def index() -> ResponseReturnValue:
    """Count this visit, and show the count as a page or as JSON."""
    # HEAD shows nobody the count, so it is no visit: monitors and link checkers send it.
    is_visit = request.method != "HEAD"
    views = session.increment("views") if is_visit else session.get("views", 0)
    if not prefers_html(request):
        return {"views": views}
    return render_template("index.html", views=views, ordinal=ordinal(views))


@bp.post("/reset")
def reset() -> ResponseReturnValue:
    """Forget the visitor."""
    session.clear()
    return redirect(url_for("views.index"), 303)


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st, 113th, 1,000th, …"""
    if number % 100 in (11, 12, 13):
        return f"{number:,}th"
    return f"{number:,}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
