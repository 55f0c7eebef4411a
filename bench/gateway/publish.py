"""A Django that publishes moves through its channel layer. Reads lines from standard input:

cookie              answers with the session of a superuser
publish MESSAGES    sends so many to the group of all locations
"""

import asyncio
import json
import sys
import time

import django

django.setup()

from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest
from django.utils.module_loading import import_string
from swapper import load_model

User = load_model("openwisp_users", "User")
SessionStore = import_string(settings.SESSION_ENGINE + ".SessionStore")


def cookie():
    request = HttpRequest()
    request.session = SessionStore()
    login(request, User.objects.get(username="root"), backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.save()
    return request.session.session_key


def move(number):
    return {
        "id": "93b9b41c-26b1-4807-91f7-699786c9a2d9",
        "geometry": {"type": "Point", "coordinates": [12.5 + number / 1e4, 41.898903]},
        "address": "Via dè Città 1, Roma",
        "name": "bus-org1",
        "type": "outdoor",
        "is_mobile": True,
        "sent": time.time(),
    }


async def publish(messages):
    layer = get_channel_layer()
    for number in range(messages):
        message = {"type": "send_message", "message": move(number)}
        await layer.group_send("loci.mobile-location.common", message)


loop = asyncio.new_event_loop()
for line in sys.stdin:
    word, *arguments = line.split()
    if word == "cookie":
        answer = cookie()
    else:
        answer = loop.run_until_complete(publish(int(arguments[0])))
    print(json.dumps(answer), flush=True)
