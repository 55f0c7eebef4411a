"""Makes sessions.json: sessions as the real Django and django-redis write them, for the unit tests of src/openwisp/session/.

Run it with the Python of `make openwisp`, in the root of the repository:
target/openwisp/venv/bin/python tests/openwisp/sessions.py >tests/openwisp/sessions.json
"""

import datetime
import decimal
import json
import sys
import uuid
from types import SimpleNamespace
from unittest import mock

from django.conf import settings

KEY, FALLBACK, OTHER = "the key of the sessions", "its fallback", "a key of somebody else"
settings.configure(SECRET_KEY=KEY, SECRET_KEY_FALLBACKS=[FALLBACK], SESSION_ENGINE="django.contrib.sessions.backends.db")

import django  # noqa: E402

django.setup()

from django.contrib.auth.base_user import AbstractBaseUser  # noqa: E402
from django.contrib.sessions.backends import db, signed_cookies  # noqa: E402
from django.core.cache.backends.redis import RedisSerializer  # noqa: E402
from django.utils.safestring import mark_safe  # noqa: E402
from django_redis.compressors.zlib import ZlibCompressor  # noqa: E402
from django_redis.serializers.json import JSONSerializer  # noqa: E402
from django_redis.serializers.pickle import PickleSerializer  # noqa: E402

NOW = 1_795_000_000
USER = SimpleNamespace(pk=uuid.UUID("6fc57d18-6b71-4e5e-abde-9f586ef69689"), password="pbkdf2_sha256$1000000$salt$aGFzaA==")
LOGIN = {
    "_auth_user_id": str(USER.pk),
    "_auth_user_backend": "openwisp_users.backends.UsersAuthenticationBackend",
    "_auth_user_hash": AbstractBaseUser._get_session_auth_hash(USER),
}


def cookie(session):
    store = signed_cookies.SessionStore()
    store._session_cache = session
    return store._get_session_key()


def rich():
    """A session with everything that a session may hold."""
    shared, loop = ["shared"], []
    loop.append((loop, shared))
    zone = datetime.timezone(datetime.timedelta(hours=2))
    return {
        "nothing": None,
        "bools": [True, False],
        "numbers": [0, 255, 256, -1, 2**31, -(2**70), 2**2048, 0.5],
        "texts": ["", "ä€😀", "long" * 64],
        "bytes": [b"", b"\x00\xff", b"long" * 64],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "sets": [set(), {1}, frozenset({2})],
        "dicts": [{}, {1: 2, None: 3, (1, 2): 4}],
        "shared": [shared, shared, loop],
        "many": [0] * 1001,
        "times": [
            datetime.datetime(2026, 11, 24, 10, 15, 0, 5),
            datetime.datetime(2026, 11, 24, tzinfo=datetime.timezone.utc),
            datetime.datetime(2026, 11, 24, tzinfo=zone),
            datetime.date(2026, 11, 24),
            datetime.time(10, 15),
            datetime.timedelta(days=1),
        ],
        "others": [decimal.Decimal("1.5"), uuid.uuid5(USER.pk, "other"), mark_safe("<b>")],
        # Beside another user, who is not logged in.
        "inner": {"_auth_user_id": str(uuid.uuid5(USER.pk, "inner"))},
        **LOGIN,
        "_session_expiry": 600,
    }


def main():
    with mock.patch("time.time", return_value=NOW + 0.75):
        vectors = {"key": KEY, "fallback": FALLBACK, "now": NOW, "user": str(USER.pk), "password": USER.password}
        vectors["cache"] = cache = {}
        for protocol in 2, 3, 4, 5:
            serializer = PickleSerializer({"PICKLE_VERSION": protocol})
            cache[f"pickle {protocol}"] = value = serializer.dumps(LOGIN)
            cache[f"pickle {protocol}, zlib"] = ZlibCompressor({}).compress(value)
            cache[f"pickle {protocol}, rich"] = serializer.dumps(rich())
        cache["django's own"] = RedisSerializer().dumps(LOGIN)
        value = JSONSerializer({}).dumps(LOGIN)
        cache["json"] = value
        cache["json, zlib"] = ZlibCompressor({}).compress(value)
        vectors["cache"] = {name: value.hex() for name, value in cache.items()}
        long = LOGIN | {"more": ["more " * 20, 0.5, None, {}]}
        vectors["database"] = {}
        vectors["cookie"] = {}
        for name, session in {"login": LOGIN, "compressed": long, "empty": {}}.items():
            vectors["database"][name] = db.SessionStore().encode(session)
            vectors["cookie"][name] = cookie(session)
        for name, key in {"fallback": FALLBACK, "other key": OTHER}.items():
            with mock.patch.object(settings, "SECRET_KEY", key):
                session = LOGIN | {"_auth_user_hash": AbstractBaseUser._get_session_auth_hash(USER)}
                vectors["database"][name] = db.SessionStore().encode(session)
                vectors["cookie"][name] = cookie(session)
    json.dump(vectors, sys.stdout, indent=1)
    print()


main()
