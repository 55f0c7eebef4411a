"""Fills a migrated OpenWISP with what the tests look for. Ids are made of names, so that two databases
hold the same. The password of every user who has one is the name with "tester-" before it.
"""

import uuid

import django

django.setup()

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.contrib.auth.hashers import PBKDF2SHA1PasswordHasher, make_password
from django.contrib.auth.models import Permission
from django.contrib.gis.geos import Point, Polygon
from django.db import transaction
from django.utils.text import slugify
from django.utils.timezone import localdate, timedelta
from swapper import load_model

User = load_model("openwisp_users", "User")
Group = load_model("openwisp_users", "Group")
Organization = load_model("openwisp_users", "Organization")
OrganizationUser = load_model("openwisp_users", "OrganizationUser")
Device = load_model("config", "Device")
Config = load_model("config", "Config")
Location = load_model("geo", "Location")
DeviceLocation = load_model("geo", "DeviceLocation")
Credentials = load_model("connection", "Credentials")
DeviceConnection = load_model("connection", "DeviceConnection")

SSH = "openwisp_controller.connection.connectors.ssh.Ssh"
SNMP = "openwisp_controller.connection.connectors.openwrt.snmp.OpenWRTSnmp"
OPENWRT = "openwisp_controller.connection.connectors.openwrt.ssh.OpenWrt"

# What a dispatcher needs, and one permission (of templates) that only OpenWISP has.
DISPATCH = [
    "config.add_device",
    "config.change_device",
    "config.delete_device",
    "config.view_template",
    "connection.view_command",
    "geo.view_location",
]


def fixed(name):
    return uuid.uuid5(uuid.NAMESPACE_URL, name)


def saved(row):
    row.full_clean()
    row.save()
    return row


def permissions(names):
    found = []
    for name in names:
        app, codename = name.split(".")
        found.append(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return found


def organization(name):
    made = Organization(id=fixed(f"organization {name}"), name=name, slug=slugify(name))
    return saved(made)


def user(name, **fields):
    made = User(
        id=fixed(f"user {name}"),
        username=name,
        email=f"{name}@example.org",
        **{"is_staff": True, **fields},
    )
    made.set_password("tester-" + name)
    made.save()
    return made


def member(user, organization, is_admin):
    return saved(
        OrganizationUser(user=user, organization=organization, is_admin=is_admin)
    )


def device(name, organization, number, key=None):
    return saved(
        Device(
            id=fixed(f"device {name}"),
            name=name,
            organization=organization,
            mac_address="00:11:22:33:44:%02X" % number,
            key=key or f"key-of-{name}-0123456789",
            management_ip="127.0.0.1",
        )
    )


def credentials(name, organization, params, connector=SSH):
    return saved(
        Credentials(
            id=fixed(f"credentials {name}"),
            name=name,
            organization=organization,
            connector=connector,
            params=params,
        )
    )


def connection(device, credentials):
    return saved(
        DeviceConnection(
            id=fixed(f"connection {device.name} {credentials.name}"),
            device=device,
            credentials=credentials,
            update_strategy=OPENWRT,
        )
    )


def location(name, organization, geometry, **fields):
    return saved(
        Location(
            id=fixed(f"location {name}"),
            name=name,
            organization=organization,
            geometry=geometry,
            **{"type": "outdoor", "address": "Via dè Città 1, Roma", **fields},
        )
    )


def private_key():
    pem = Ed25519PrivateKey.from_private_bytes(b"fleetwire test: no secret at all").private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return pem.decode()


@transaction.atomic
def seed():
    metro = organization("Metro Transit")
    harbor = organization("Harbor")
    closed = organization("Closed Lines")
    people(metro, harbor, closed)
    things(metro, harbor, closed)
    closed.is_active = False
    closed.save()


def people(metro, harbor, closed):
    user("root", is_superuser=True)
    # The first member of an organization becomes its owner and a manager: nobody else is to.
    for owned in (metro, harbor, closed):
        member(user(f"owner-of-{owned.slug}"), owned, True)
    operator = user("operator")
    operator.groups.add(Group.objects.get(name="Operator"))
    member(operator, metro, True)
    dispatch = Group.objects.create(name="Dispatch")
    dispatch.permissions.set(permissions(DISPATCH))
    dispatcher = user("dispatcher", expiration_date=localdate() + timedelta(days=400))
    dispatcher.groups.add(dispatch)
    member(dispatcher, metro, True)
    member(dispatcher, harbor, True)
    given = permissions(DISPATCH)
    for name, fields, where, is_admin, rights in [
        ("member", {}, metro, False, given),
        ("visitor", {"is_staff": False}, metro, True, given),
        ("without-rights", {}, metro, True, []),
        ("retired", {"is_active": False}, metro, True, given),
        ("closed-manager", {}, closed, True, given),
    ]:
        made = user(name, **fields)
        made.user_permissions.set(rights)
        member(made, where, is_admin)
    for name, password in [
        ("passwordless", make_password(None)),
        ("old-hash", PBKDF2SHA1PasswordHasher().encode("tester-old-hash", "salt", 1000)),
    ]:
        user(name)
        User.objects.filter(username=name).update(password=password)


def things(metro, harbor, closed):
    buses = [device(f"bus-{n}", metro, n) for n in range(1, 13)]
    Config.objects.create(device=buses[0], backend="netjsonconfig.OpenWrt", config={})
    Device.objects.filter(pk=buses[0].pk).update(last_ip="10.0.0.1", notes="Línea 1")
    Device.objects.filter(pk=buses[11].pk).update(_is_deactivated=True)
    crane = device("crane-1", harbor, 21)
    device("tram-1", closed, 31)
    # OpenWISP takes such a key, which is easily guessed.
    device("weak", harbor, 41, key="too-short-a-key")
    password = {"username": "root", "password": "a-routers-password", "port": 2222}
    routers = credentials("routers", metro, password)
    keyed = credentials("cranes", harbor, {"username": "crane", "key": private_key()})
    shared = credentials("shared", None, {"username": "all", "password": "a-shared-password"})
    credentials("unused", None, {"username": "all", "password": "an-unused-password"})
    snmp = credentials("snmp", metro, {"community": "public", "agent": "x", "port": 161}, SNMP)
    for at, used in [
        (buses[0], routers),
        (buses[1], shared),
        (buses[2], snmp),
        (crane, keyed),
        (crane, shared),
    ]:
        connection(at, used)
    rome = Point(12.512124, 41.898903, srid=4326)
    for owner in (metro, harbor, closed):
        location(f"mobile-{owner.slug}", owner, rome, is_mobile=True)
        location(f"fixed-{owner.slug}", owner, Point(-3.7, 40.4, srid=4326))
    location("garage", metro, rome, type="indoor")
    location("nowhere", metro, None, is_mobile=True, address="")
    square = Polygon(((12, 41), (13, 41), (13, 42), (12, 41)), srid=4326)
    location("square", metro, square)
    for at, where in [(buses[0], "mobile-metro-transit"), (buses[1], "fixed-metro-transit")]:
        saved(
            DeviceLocation(
                content_object=at, location=Location.objects.get(name=where)
            )
        )


seed()