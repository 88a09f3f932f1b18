"""Django's sessions in its Redis cache, with the one middleware that they need."""

import os
from time import time_ns

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
        }
    },
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["SECRET"],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)


def index(request: HttpRequest) -> JsonResponse:
    request.session["views"] = request.session.get("views", 0) + 1
    return JsonResponse({"views": request.session["views"]})


def fill(request: HttpRequest, keys: int, size: int) -> JsonResponse:
    for number in range(keys):
        request.session[f"key {number}"] = "x" * size
    return JsonResponse({"keys": keys})


def read(request: HttpRequest) -> JsonResponse:
    text = request.session["key 0"]
    return JsonResponse({"begins": text[:20], "size": len(text)})


def change(request: HttpRequest, size: int) -> JsonResponse:
    request.session["key 0"] = text = str(time_ns()).ljust(size, "x")
    return JsonResponse({"begins": text[:20], "size": len(text)})


urlpatterns = [
    path("", index),
    path("fill/<int:keys>/<int:size>", fill),
    path("read", read),
    path("change/<int:size>", change),
]
app = get_wsgi_application()
