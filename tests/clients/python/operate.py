"""An operator's script, written for the REST API of OpenWISP: it logs in, lists devices, runs commands,
moves a location and reports where a device is. It knows neither fleetwire nor a particular server.

    operate.py BASE USER PASSWORD DEVICE LOCATION FOREIGN

DEVICE and LOCATION are names of things that the user manages, FOREIGN is the id of a device that the user
does not.
"""

import sys
import time

import requests

base, username, password, device_name, location_name, foreign = sys.argv[1:]
api = f"{base}/api/v1/controller"
http = requests.Session()
# Whatever the machine's proxy is: the servers are on it.
http.trust_env = False


def show(what, answer):
    """Prints a refusal: its status, and what is wrong with which field."""
    print(f"{what}: {answer.status_code}")
    for field, reasons in sorted(answer.json().items()):
        print(f"  {field}: {reasons}")


def get(path, **parameters):
    answer = http.get(f"{api}/{path}", params=parameters)
    answer.raise_for_status()
    return answer.json()


def everything(path):
    """All rows of a list, page by page."""
    page = get(path)
    yield from page["results"]
    while page["next"]:
        answer = http.get(page["next"])
        answer.raise_for_status()
        page = answer.json()
        yield from page["results"]


def run(device, command):
    """Runs a command and waits for its end."""
    answer = http.post(
        f"{api}/device/{device['id']}/command/",
        json={"type": "custom", "input": {"command": command}},
    )
    print("execute:", answer.status_code)
    answer.raise_for_status()
    command = answer.json()
    while command["status"] == "in-progress":
        time.sleep(0.2)
        command = get(f"device/{device['id']}/command/{command['id']}/")
    print("ended:", command["status"], command["type"])
    for line in command["output"].splitlines():
        print("  " + line)


show("no token", http.get(f"{api}/device/"))
show(
    "wrong password",
    http.post(f"{base}/api/v1/users/token/", data={"username": username, "password": "no"}),
)
answer = http.post(
    f"{base}/api/v1/users/token/", data={"username": username, "password": password}
)
answer.raise_for_status()
http.headers["Authorization"] = "Bearer " + answer.json()["token"]

devices = {device["name"]: device for device in everything("device/")}
print(len(devices), "devices:", ", ".join(sorted(devices)))
device = devices[device_name]
for field in ["id", "organization", "mac_address", "key", "last_ip", "management_ip", "notes"]:
    print(f"  {field}: {device[field]}")

run(device, "echo one; echo two")
run(device, "echo to the end; exit 3")
commands = list(everything(f"device/{device['id']}/command/"))
print("history:", [command["status"] for command in commands])

path = f"{api}/device/{device['id']}/command/"
show("no command", http.post(path, json={"type": "custom", "input": {"command": ""}}))
show("no such type", http.post(path, json={"type": "fly", "input": None}))
show("foreign device", http.get(f"{api}/device/{foreign}/"))
show("foreign command", http.post(f"{api}/device/{foreign}/command/", json={"type": "reboot", "input": None}))

location = next(row for row in everything("location/") if row["name"] == location_name)
print("location:", location["type"], location["is_mobile"], location["address"])
place = {"type": "Point", "coordinates": [9.190982, 45.464211]}
answer = http.patch(f"{api}/location/{location['id']}/", json={"geometry": place})
print("moved:", answer.status_code, answer.json()["geometry"])
print("read back:", get(f"location/{location['id']}/")["geometry"])
answer = http.post(
    f"{api}/location/",
    json={
        "name": "workshop",
        "organization": device["organization"],
        "type": "outdoor",
        "is_mobile": False,
        "address": "Vía Ñandú 1",
        "geometry": place,
    },
)
print("made:", answer.status_code, answer.json()["name"], answer.json()["geometry"])
made = answer.json()["id"]
print("removed:", http.delete(f"{api}/location/{made}/").status_code)
show("read after that", http.get(f"{api}/location/{made}/"))

# A device needs no token, only its key.
del http.headers["Authorization"]
path = f"{api}/device/{device['id']}/coordinates/"
feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [12.512124, 41.898903]}}
answer = http.put(path, params={"key": device["key"]}, json=feature)
print("reported:", answer.status_code, answer.json()["geometry"], answer.json()["properties"])
answer = http.get(path, params={"key": device["key"]})
print("is at:", answer.status_code, answer.json()["geometry"], answer.json()["properties"])
show("wrong key", http.put(path, params={"key": "x" * 32}, json=feature))
