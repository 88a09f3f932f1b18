"""For the platform: is the process alive, and can it serve?"""

from flask import Blueprint, current_app

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> dict[str, str]:
    """Answer as long as the process runs, without asking the storage."""
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> dict[str, str]:
    """Answer 200 if the storage works; StorageUnavailable makes it a 503."""
    current_app.extensions["session_storage"].ping()
    return {"status": "ok"}
