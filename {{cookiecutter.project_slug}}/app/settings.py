"""Every setting, one line each: its name, its default, and what it must be.

A variable of the environment overrides .env. A new line is a new setting, which the app
finds in `app.config`. Any of click's types will do; without one, it is a text:

    env.add("GREETING", "Hello")
"""

from click import Choice, IntRange, Path

from .web.environment import Settings

DAY = 24 * 60 * 60  # seconds
LOG_LEVELS = "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"

# What every answer tells browsers, unless a view says otherwise. A font or a script from
# another host needs its place in the Content-Security-Policy.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
}
# Keeps browsers on https for a year (RFC 6797); they ignore it if it comes by http.
HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def load_settings() -> Settings:
    """Return the settings by their names; `errors` says what is wrong with them."""
    env = Settings()
    env.secret("SECRET", why="it signs the cookies")
    env.secrets("SECRET_FALLBACKS")
    env.redis_url("REDIS_URL")
    env.add("REDIS_TLS_VERIFY", 0 if env.on_heroku else 1, IntRange(0, 1))
    env.add("REDIS_CA_CERT", "", Path(exists=True))
    env.add("SESSION_IDLE_TIMEOUT", 14 * DAY, IntRange(1, 2**31))
    env.add("SESSION_LIFETIME", 90 * DAY, IntRange(1, 2**31))
    env.add("TRUSTED_PROXIES", 1 if env.on_heroku else 0, IntRange(0, 10))
    env.hosts("TRUSTED_HOSTS")
    env.add("PORT", 8000, IntRange(1, 65535))
    env.add("WEB_CONCURRENCY", 2 if env.production else 1, IntRange(1, 256))
    env.add("WEB_THREADS", 4, IntRange(1, 1000))
    env.add("LOG_LEVEL", "INFO", Choice(LOG_LEVELS, case_sensitive=False))
    if env["REDIS_URL"] == "memory://":
        env["WEB_CONCURRENCY"] = 1  # processes do not share memory
    env["HEADERS"] = HEADERS | (HSTS if env.production else {})
    env["MAX_CONTENT_LENGTH"] = 1024 * 1024  # bytes of a request's body
    env["SESSION_COOKIE_SAMESITE"] = "Lax"
    return env
