"""A Django that does what it is told. Each line of standard input is Python, as a JSON string; each is
answered with a line {"value": ...}, what the last expression is worth, or {"raised": ...}, a trace.
"""

import ast
import json
import sys
import time
import traceback
import uuid
from unittest import mock

answers, sys.stdout = sys.stdout, sys.stderr

import django

django.setup()

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, login
from django.contrib.gis.geos import GEOSGeometry, Point
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.timezone import now, timedelta
from rest_framework.authtoken.models import Token
from swapper import load_model

User = load_model("openwisp_users", "User")
Group = load_model("openwisp_users", "Group")
Organization = load_model("openwisp_users", "Organization")
OrganizationUser = load_model("openwisp_users", "OrganizationUser")
Device = load_model("config", "Device")
Location = load_model("geo", "Location")
Command = load_model("connection", "Command")
DeviceConnection = load_model("connection", "DeviceConnection")
SessionStore = import_string(settings.SESSION_ENGINE + ".SessionStore")
BACKEND = settings.AUTHENTICATION_BACKENDS[0]


def fixed(name):
    """The id of what the seed, or a test, calls so."""
    return uuid.uuid5(uuid.NAMESPACE_URL, name)


def twin(of, name):
    """Another user with the rights of one, in groups that nobody else is in."""
    original = User.objects.get(username=of)
    made = User(username=name, email=f"{name}@example.org", is_staff=original.is_staff)
    made.is_superuser = original.is_superuser
    made.set_password("tester-" + name)
    made.save()
    made.user_permissions.set(original.user_permissions.all())
    for group in original.groups.all():
        other = Group.objects.create(name=f"{group.name} of {name}")
        other.permissions.set(group.permissions.all())
        made.groups.add(other)
    for row in OrganizationUser.objects.filter(user=original):
        OrganizationUser.objects.create(
            user=made, organization=row.organization, is_admin=row.is_admin
        )
    return made


def session(name, backend=BACKEND, age=None, **changes):
    """A cookie of a user, as logging in makes it, with changes to what the session holds."""
    request = HttpRequest()
    request.session = SessionStore()
    login(request, User.objects.get(username=name), backend=backend)
    for key, value in changes.items():
        request.session[key] = value
    if age is not None:
        request.session.set_expiry(age)
    request.session.save()
    return request.session.session_key


def expired(name):
    """A cookie of a session whose time is over."""
    if not settings.SESSION_ENGINE.endswith("signed_cookies"):
        return session(name, age=-1)
    with mock.patch("time.time", return_value=time.time() - 2 * settings.SESSION_COOKIE_AGE):
        return session(name)


def cookies():
    """A cookie of each user."""
    return {user.username: session(user.username) for user in User.objects.all()}


def token(name):
    """The user's token of REST."""
    return Token.objects.get_or_create(user=User.objects.get(username=name))[0].key


def location(name):
    return Location.objects.get(name=name)


def move(name, longitude, latitude, /, **fields):
    """A location's new place, saved as the admin does."""
    change(name, geometry=Point(longitude, latitude, srid=4326), **fields)


def change(name, /, **fields):
    row = location(name)
    for field, value in fields.items():
        setattr(row, field, value)
    row.save()


def device(name):
    return Device.objects.get(name=name)


def command(name, at, /, **fields):
    """A command that waits for its end, of which nothing is told yet; nothing runs it."""
    Command.objects.bulk_create(
        [
            Command(
                id=fixed(f"command {name}"),
                device=device(at),
                **{
                    "connection": DeviceConnection.objects.filter(device__name=at).first(),
                    "type": "custom",
                    "input": {"command": "echo hello"},
                    **fields,
                },
            )
        ]
    )
    return str(fixed(f"command {name}"))


def report(name, output, status="success"):
    """What a worker saves when a command has ended."""
    row = Command.objects.get(pk=fixed(f"command {name}"))
    row.status, row.output = status, output
    row.save()


def send(group, message, times=1):
    """Sends to a group of the channel layer, past all models."""

    async def burst():
        layer = get_channel_layer()
        for _ in range(times):
            await layer.group_send(group, message)

    async_to_sync(burst)()


def obey(code):
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<test>", "exec"), globals())
    if last is not None:
        return eval(compile(ast.Expression(last.value), "<test>", "eval"), globals())


for line in sys.stdin:
    try:
        answer = {"value": obey(json.loads(line))}
    except Exception:
        # One that was lost in a fault is not to be met again.
        connection.close_if_unusable_or_obsolete()
        answer = {"raised": traceback.format_exc()}
    print(json.dumps(answer, default=str), file=answers, flush=True)
