"""Starlette with starsessions in Redis, as its documentation begins."""

import os
from time import time_ns

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


async def fill(request: Request) -> JSONResponse:
    for number in range(request.path_params["keys"]):
        request.session[f"key {number}"] = "x" * request.path_params["size"]
    return JSONResponse({"keys": request.path_params["keys"]})


async def read(request: Request) -> JSONResponse:
    text = request.session["key 0"]
    return JSONResponse({"begins": text[:20], "size": len(text)})


async def change(request: Request) -> JSONResponse:
    text = str(time_ns()).ljust(request.path_params["size"], "x")
    request.session["key 0"] = text
    return JSONResponse({"begins": text[:20], "size": len(text)})


app = Starlette(
    routes=[
        Route("/", index),
        Route("/fill/{keys:int}/{size:int}", fill),
        Route("/read", read),
        Route("/change/{size:int}", change),
    ],
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
