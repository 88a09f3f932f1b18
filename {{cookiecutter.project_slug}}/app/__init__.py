"""The app: create_app() puts it together."""

from flask import Flask

from . import views
from .sessions import ServerSideSessionInterface, Storage
from .settings import load_settings, signing_secrets
from .web import (
    checks,
    errors,
    headers,
    health,
    logs,
    places,
    protection,
    proxies,
    static_files,
)
from .web.environment import ConfigurationError
from .web.storage import check_processes, open_storage, session_hint


def create_app(storage: Storage | None = None) -> Flask:
    """Return the app. It keeps sessions in `storage`, or else where REDIS_URL says.

    Raises ConfigurationError, which names the setting that is wrong.
    """
    try:
        settings = load_settings(own_storage=storage is not None)
    except ConfigurationError as error:
        return checks.app_to_report(error)
    logs.configure(settings.log_level)
    if storage is None:
        storage = open_storage(settings)
    check_processes(storage)
    app = Flask(__name__)
    app.config.from_mapping(settings.for_flask())
    secrets = signing_secrets(settings)
    app.config["SECRET_KEY"] = secrets[0]
    app.config["SECRET_KEY_FALLBACKS"] = list(secrets[1:])
    app.config["SESSION_HINT"] = session_hint(settings, storage)
    app.extensions["session_storage"] = storage
    sessions = app.session_interface = ServerSideSessionInterface(
        storage,
        secrets,
        idle_timeout=settings.idle_timeout,
        lifetime=settings.lifetime,
        show_outage=errors.show_error,
    )
    places.init_app(app, settings.threads)
    errors.init_app(app)
    protection.init_app(app, settings)
    proxies.init_app(app, settings)
    headers.init_app(app, settings)
    static_files.init_app(app)
    app.register_blueprint(views.bp)
    app.register_blueprint(health.bp)
    checks.init_app(app, settings, storage)
    sessions.check_cookie(app)
    return app
