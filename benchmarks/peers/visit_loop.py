"""Visits the app of this folder again and again, in one thread and without a server.

Prints the microseconds of CPU that a visit takes, the best of some batches. Its arguments:
the path, and whether the visitor is `known`, or `new` at each visit.
"""

import json
import os
import sys
import time
from typing import Any

import app as found
from werkzeug.test import create_environ

BATCHES, VISITS = 20, 250

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {0})  # Redis has the other core, if there is one
path, kind = sys.argv[1:]
app = found.create_app() if hasattr(found, "create_app") else found.app
environ = create_environ(path)


def visit() -> tuple[Any, bytes]:
    """Return the answer's head, as the app gives it to a server, and its body."""
    heads: list[Any] = []
    body = app.wsgi_app(environ.copy(), lambda *head: heads.append(head))
    answer = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return heads[-1], answer


(_, headers), _ = visit()
cookie = dict(headers).get("Set-Cookie", "").partition(";")[0]
if kind == "known":
    environ["HTTP_COOKIE"] = cookie
best = float("inf")
for batch in range(BATCHES + 1):  # the first one is to warm up
    began = time.process_time()
    for _ in range(VISITS):
        (status, _), answer = visit()
        assert status == "200 OK", status
    if batch:
        best = min(best, time.process_time() - began)
if cookie:
    views = json.loads(answer)["views"]
    expected = (BATCHES + 1) * VISITS + 1 if kind == "known" else 1
    assert views == expected, f"{views} visits counted instead of {expected}"
print(best / VISITS * 1e6)
