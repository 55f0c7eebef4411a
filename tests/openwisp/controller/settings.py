"""Settings of OpenWISP's controller.

OPENWISP_DATABASE   sqlite:///FILE (SpatiaLite) or postgres://USER@HOST/NAME (PostGIS), where HOST may be
                    the directory of a socket, percent-encoded
OPENWISP_CACHE      the URL of the cache, which holds the sessions too
OPENWISP_CHANNELS   the URLs of the channel layer's Redis, one or several
OPENWISP_PREFIX     what cached keys begin with: two databases with the same ids must not share them
OPENWISP_SETTINGS   a JSON object of more, each with its default where it is read below
"""

import json
import os
from urllib.parse import unquote, urlsplit

more = json.loads(os.environ.get("OPENWISP_SETTINGS", "{}"))

database = urlsplit(os.environ["OPENWISP_DATABASE"])
if database.scheme == "sqlite":
    DATABASES = {
        "default": {
            "ENGINE": "openwisp_utils.db.backends.spatialite",
            "NAME": unquote(database.path),
            "OPTIONS": {"timeout": 10},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.contrib.gis.db.backends.postgis",
            "NAME": database.path.lstrip("/"),
            "USER": database.username or "",
            "PASSWORD": unquote(database.password or ""),
            "HOST": unquote(database.netloc.rpartition("@")[2].partition(":")[0]),
            "PORT": str(database.port or ""),
        }
    }
SPATIALITE_LIBRARY_PATH = "mod_spatialite.so"

# No secret: this server ends with the tests.
SECRET_KEY = more.get(
    "secret_key", "only-for-the-tests-of-fleetwire-0123456789-0123456789"
)
SECRET_KEY_FALLBACKS = more.get("secret_key_fallbacks", [])
ALLOWED_HOSTS = more.get("allowed_hosts", ["*"])
AUTHENTICATION_BACKENDS = ["openwisp_users.backends.UsersAuthenticationBackend"]
USE_TZ = True
TIME_ZONE = "Europe/Rome"
LANGUAGE_CODE = "en-gb"
USE_I18N = False
STATIC_URL = "/static/"
SITE_ID = 1
AUTH_USER_MODEL = "openwisp_users.User"
ROOT_URLCONF = "controller.urls"
ASGI_APPLICATION = "controller.asgi.application"
EXTENDED_APPS = ("django_x509", "django_loci")
INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.gis",
    "django.contrib.sites",
    "openwisp_users.accounts",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "django_extensions",
    "openwisp_users",
    "openwisp_controller.config",
    "openwisp_controller.pki",
    "openwisp_controller.geo",
    "openwisp_controller.connection",
    "openwisp_controller.subnet_division",
    "openwisp_notifications",
    "openwisp_ipam",
    "openwisp_utils.admin_theme",
    "admin_auto_filters",
    "django.contrib.admin",
    "django.forms",
    "sortedm2m",
    "reversion",
    "leaflet",
    "flat_json_widget",
    "rest_framework",
    "rest_framework.authtoken",
    "rest_framework_gis",
    "django_filters",
    "drf_yasg",
    "channels",
    "import_export",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                "django.template.loaders.filesystem.Loader",
                "openwisp_utils.loaders.DependencyLoader",
                "django.template.loaders.app_directories.Loader",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "openwisp_utils.admin_theme.context_processor.menu_groups",
                "openwisp_notifications.context_processors.notification_api_settings",
            ],
        },
    }
]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "openwisp_utils.staticfiles.DependencyFinder",
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
OPENWISP_USERS_AUTH_API = True

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": os.environ["OPENWISP_CACHE"],
        "KEY_PREFIX": os.environ.get("OPENWISP_PREFIX", ""),
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            **more.get("cache_options", {}),
        },
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends." + more.get("sessions", "cache")
SESSION_CACHE_ALIAS = "default"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": {
            "core": "channels_redis.core.RedisChannelLayer",
            "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
        }[more.get("layer", "core")],
        "CONFIG": {
            # Otherwise redis-py gives up after the very seconds that the channel layer waits for a message.
            "hosts": [
                {"address": url, "socket_timeout": None}
                for url in os.environ["OPENWISP_CHANNELS"].split()
            ],
            **more.get("layer_config", {}),
        },
    }
}
CELERY_TASK_ALWAYS_EAGER = True
CELERY_BROKER_URL = "memory://"
# Test devices reject a wrong password at once; a command of a test ends in seconds.
OPENWISP_SSH_COMMAND_TIMEOUT = 10
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
