# Read by the `flask` command only; your own settings belong into .env.
FLASK_APP=app
FLASK_RUN_PORT=${PORT:-8000}
