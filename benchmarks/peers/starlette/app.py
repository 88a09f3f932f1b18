"""Starlette with starsessions in Redis, as its documentation begins."""

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starsessions import SessionAutoloadMiddleware, SessionMiddleware
from starsessions.stores.redis import RedisStore


async def index(request: Request) -> JSONResponse:
    request.session["views"] = request.session.get("views", 0) + 1
    return JSONResponse({"views": request.session["views"]})


app = Starlette(
    routes=[Route("/", index)],
    middleware=[
        Middleware(
            SessionMiddleware,
            store=RedisStore(os.environ["REDIS_URL"]),
            cookie_https_only=False,
            lifetime=14 * 24 * 60 * 60,
        ),
        Middleware(SessionAutoloadMiddleware),
    ],
)
