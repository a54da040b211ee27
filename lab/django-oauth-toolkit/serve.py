"""django-oauth-toolkit in the smallest Django project that mounts it as its documentation shows.

usage: serve.py PORT open|default

`open` switches dynamic client registration on for everybody; `default` leaves every setting as shipped. The login page
is Django's own view, the consent page the product's; one user (alice, alice-pass). Client secrets and the password are
hashed with MD5 here: the hashers that Django ships take a third of a second of one core for each registration.
"""

import secrets
import sys

import django
from django.conf import settings
from django.core.management import call_command

PORT, MODE = int(sys.argv[1]), sys.argv[2]
LOGIN = """<!doctype html><html lang="en"><title>Sign in</title>
<form method="post">{% csrf_token %}{{ form.as_p }}<input type="hidden" name="next" value="{{ next }}">
<button>Sign in</button></form>"""
OPEN = {"DCR_ENABLED": True, "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.AllowAllDCRPermission",)}

settings.configure(
    SECRET_KEY=secrets.token_urlsafe(48), ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, USE_TZ=True,
    LOGIN_URL="/login/", STATIC_URL="/static/", PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", SILENCED_SYSTEM_CHECKS=["security"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "lab.sqlite3", "OPTIONS": {
        "timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                    "django.contrib.messages", "oauth2_provider"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware",  # as `startproject` lists them
                "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware",
                "django.middleware.clickjacking.XFrameOptionsMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {
        "loaders": [("django.template.loaders.locmem.Loader", {"registration/login.html": LOGIN}),
                    "django.template.loaders.app_directories.Loader"],
        "context_processors": ["django.template.context_processors.request",
                               "django.contrib.auth.context_processors.auth"]}}],
    OAUTH2_PROVIDER=OPEN if MODE == "open" else {})
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  (these need the settings)
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.servers.basehttp import WSGIRequestHandler  # noqa: E402
from django.urls import include, path  # noqa: E402

try:
    from oauth2_provider.urls import metadata_urlpatterns

    discovery = [path("", include((metadata_urlpatterns, "oauth2_provider"), namespace="oauth2_provider_metadata"))]
except ImportError:  # releases before 3.4.0 have neither metadata nor registration
    from before_dcr import urlpatterns as discovery

urlpatterns = [
    *discovery,
    path("login/", LoginView.as_view()),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]

if __name__ == "__main__":
    # head and body go out one after the other, and without this the second waits 40 ms for the first to be acknowledged
    WSGIRequestHandler.disable_nagle_algorithm = True
    call_command("migrate", verbosity=0)
    get_user_model().objects.create_user("alice", "alice@client.example", "alice-pass")
    call_command("runserver", f"127.0.0.1:{PORT}", use_reloader=False, skip_checks=True)
