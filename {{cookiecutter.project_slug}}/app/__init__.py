"""The app: create_app() puts it together."""

from flask import Flask

from . import views, web
from .sessions import ServerSideSessionInterface, Storage
from .settings import load_settings


def create_app(storage: Storage | None = None) -> Flask:
    """Return the app. It keeps sessions in `storage`, or else where REDIS_URL says.

    A wrong setting ends the process (SystemExit), with a sentence for each.
    """
    app = Flask(__name__)
    web.init_app(app, load_settings(), storage)

    # Yours: blueprints, extensions, app.config["..."] = ...
    app.register_blueprint(views.bp)

    sessions = app.session_interface = ServerSideSessionInterface(
        app.extensions["session_storage"],
        [app.config["SECRET_KEY"], *app.config["SECRET_KEY_FALLBACKS"]],
        idle_timeout=app.config["SESSION_IDLE_TIMEOUT"],
        lifetime=app.config["SESSION_LIFETIME"],
        show_outage=web.show_error,
    )
    sessions.check_cookie(app)
    return app
