"""What an owner writes on the first day, in the places that the project's README names."""

from pathlib import Path

VIEW = '''

@bp.get("/hello")
def hello() -> str:
    """Greet the visitor."""
    return render_template("hello.html", greeting=current_app.config["GREETING"])
'''
TEMPLATE = """\
{% extends "base.html" %}
{% block title %}Hello{% endblock %}
{% block main %}
<h1>{{ greeting }}!</h1>
{% endblock %}
"""
TEST = """

def test_greets(app: Flask, client: FlaskClient) -> None:
    app.config["GREETING"] = "Good day"
    assert "Good day!" in client.get("/hello").text
"""
SETTING = '    env.add("GREETING", "Hello", Choice(["Hello", "Good day"]))\n'


def put(file: Path, old: str, new: str) -> None:
    """Replace the one place that has the old text."""
    text = file.read_text()
    assert text.count(old) == 1, (file, old)
    file.write_text(text.replace(old, new))


def add_a_page(project: Path) -> None:
    """A page with its template and its setting, and a test of it."""
    views, tests = project / "app/views.py", project / "tests/test_views.py"
    put(views, "import Blueprint, redirect", "import Blueprint, current_app, redirect")
    views.write_text(views.read_text() + VIEW)
    (project / "app/templates/hello.html").write_text(TEMPLATE)
    last = '    env.add("LOG_LEVEL", '
    put(project / "app/settings.py", last, SETTING + last)
    put(tests, "import pytest\n", "import pytest\nfrom flask import Flask\n")
    tests.write_text(tests.read_text() + TEST)


def add_a_blueprint(project: Path) -> None:
    """A file of its own for more pages, and a link to them on every page."""
    (project / "app/news.py").write_text(
        '"""The news."""\n\nfrom flask import Blueprint\n\n'
        'bp = Blueprint("news", __name__, url_prefix="/news")\n'
    )
    factory = project / "app/__init__.py"
    put(factory, "from . import views", "from . import news, views")
    register = "    app.register_blueprint(views.bp)\n"
    put(factory, register, register + register.replace("views", "news"))
    header = "</a></header>"
    put(
        project / "app/templates/base.html",
        header,
        '</a> <a href="/news">News</a></header>',
    )
