"""Every setting, one line each: its type, its name, its default and what it must be.

A variable of the environment overrides .env. A new line is a new setting, which the app
finds in `app.config`:

    env.text("GREETING", "Hello", most=40)
"""

from .web.environment import Settings

DAY = 24 * 60 * 60  # seconds

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
    env.number("REDIS_TLS_VERIFY", 0 if env.on_heroku else 1, least=0, most=1)
    env.file("REDIS_CA_CERT")
    env.number("SESSION_IDLE_TIMEOUT", 14 * DAY)
    env.number("SESSION_LIFETIME", 90 * DAY)
    env.number("TRUSTED_PROXIES", 1 if env.on_heroku else 0, least=0, most=10)
    env.hosts("TRUSTED_HOSTS")
    env.number("PORT", 8000, most=65535)
    env.number("WEB_CONCURRENCY", 2 if env.production else 1, most=256)
    env.number("WEB_THREADS", 4, most=1000)
    env.one_of("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")
    if env["REDIS_URL"] == "memory://":
        env["WEB_CONCURRENCY"] = 1  # processes do not share memory
    env["HEADERS"] = HEADERS | (HSTS if env.production else {})
    return env
