# Only the `flask` command reads this file; your own settings belong in .env.
FLASK_APP=app
FLASK_RUN_PORT=${PORT:-8000}
