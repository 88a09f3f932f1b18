"""Django's sessions in its Redis cache, with the one middleware that they need."""

import os

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


urlpatterns = [path("", index)]
app = get_wsgi_application()
