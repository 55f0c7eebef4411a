"""Points what schemathesis makes up at things that are there.

Random identifiers name nothing, so that nearly every request would end at its 404. The file named by
FLEETWIRE_THINGS holds what the test has seeded; most requests are about that. The choice depends on the
request alone, so a run with the same seed is the same run.
"""

import json
import os
import random
import re
import zlib

import schemathesis

with open(os.environ["FLEETWIRE_THINGS"]) as file:
    THINGS = json.load(file)

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DEVICE = "/api/v1/controller/device/{id}/"


def kind_of(case):
    """Which of the things a path is about."""
    # What is deleted, or loses its key, is in nobody's way.
    is_hard = case.method.upper() == "DELETE" or "regenerate-key" in case.path
    doomed = "doomed_" if is_hard else ""
    if case.path.startswith((DEVICE + "connection/", DEVICE + "command/")):
        return doomed + "routers" if "{connection_id}" in case.path else "routers"
    if case.path.startswith(DEVICE):
        return "devices" if "location" in case.path else doomed + "devices"
    for noun in ("location", "credential", "user", "group", "organization"):
        if f"/{noun}/{{id}}/" in case.path:
            return f"{doomed}{noun}s"
    return "batches" if "/batch-command/{id}/" in case.path else None


@schemathesis.hook
def map_case(context, case):
    # Whose identifier is malformed or missing is to be told so.
    made_up = json.dumps([case.method, case.path, case.path_parameters, case.query, str(case.body)], default=str)
    chance = random.Random(zlib.crc32(made_up.encode()))
    name_things(case, chance)
    if isinstance(case.query, dict) and UUID.fullmatch(str(case.query.get("organization"))):
        case.query["organization"] = THINGS["organization"]
    if isinstance(case.body, dict) and chance.random() < 0.8:
        fill_in(case, case.body, chance)
    return case


def name_things(case, chance):
    kind = kind_of(case)
    parameters = case.path_parameters or {}
    if kind is None or not all(UUID.fullmatch(str(it)) for it in parameters.values()):
        return
    if chance.random() > 0.85 and "coordinates" not in case.path:
        return
    thing = chance.choice(THINGS[kind])
    parameters["id"] = thing["id"]
    for nested in ("connection", "command"):
        if f"{nested}_id" in parameters:
            parameters[f"{nested}_id"] = chance.choice(thing[f"{nested}s"])
    if "coordinates" in case.path and isinstance(case.query, dict) and "key" in case.query:
        if chance.random() < 0.8:
            case.query["key"] = thing["key"]


def fill_in(case, body, chance):
    """Names what is there in a body, where it names something of the right form."""
    for field, kind in (("credentials", "credentials"), ("location", "locations")):
        if UUID.fullmatch(str(body.get(field))):
            body[field] = chance.choice(THINGS[kind])["id"]
    places = body.get("organization_users")
    for nested in [body, *(places if isinstance(places, list) else [places])]:
        if isinstance(nested, dict) and UUID.fullmatch(str(nested.get("organization"))):
            nested["organization"] = THINGS["organization"]
    if case.path.endswith(("/login/", "/token/")) and chance.random() < 0.5:
        body.update(THINGS["login"])
    if "input" in body and isinstance(body.get("type"), str):
        body["type"], body["input"] = chance.choice(
            [
                (body["type"], body["input"]),
                ("custom", {"command": "uptime"}),
                ("custom", body["input"]),
                ("reboot", None),
                ("change_password", {"password": "a secret", "confirm_password": "a secret"}),
            ]
        )
        body.pop("connection", None)
