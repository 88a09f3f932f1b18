"""gunicorn's own access log, with the request's id."""

accesslog = "-"
access_log_format = (
    '%(h)s "%(m)s %(U)s" %(s)s %(b)s %(D)s request_id=%({x-request-id}o)s'
)
