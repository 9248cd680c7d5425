"""Writes the bill of materials as CycloneDX 1.6: `python ops/sbom.py --checkout DIRECTORY [--image RELEASE]`.

What is locked is what is shipped, so it reads the lock of the libraries and the coordinates and checksums of the KCL's
jars. Inside an image it adds what else is there: Python, Java and Debian's packages. The same files give the same
bytes; the time is that of SOURCE_DATE_EPOCH, or left out.

Needs nothing but Python, as the image has no other library when it is made. Ends with an error for a lock that it can't
read: a line that it skipped would be a library that nobody looks after.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

Component = dict[str, Any]

_NAME = "kcl-flowlog"
# The library whose build fetches the jars.
_KCLPY = "amazon-kclpy"
_LOCKED = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+?))? \\")
_MARKER = re.compile(r"python_full_version (?P<operator><|==|>=) '(?P<version>[\d.]+?)(?:\.\*)?'")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda here, there: here < there,
    "==": lambda here, there: here[: len(there)] == there,
    ">=": lambda here, there: here >= there,
}


def bill(checkout: Path, python: tuple[int, ...], image: tuple[Component, ...] = ()) -> dict[str, Any]:
    """Return the document for a version of Python; `image` is what an image has besides."""
    version = re.findall(r'^__version__ = "(.*)"', (checkout / "kcl_flowlog" / "__init__.py").read_text(), re.MULTILINE)
    product = _component("application", _NAME, version[0], "pypi")
    libraries = dict(_libraries((checkout / "requirements" / "run.txt").read_text(), python))
    jars = list(_jars(checkout))
    users: dict[str, list[str]] = {product["bom-ref"]: []}
    users |= {found["bom-ref"]: [] for found, _ in libraries.values()}
    references = {_NAME: product["bom-ref"], **{name: found["bom-ref"] for name, (found, _) in libraries.items()}}
    for found, used_by in libraries.values():
        for name in used_by:
            users[references[name]].append(found["bom-ref"])
    users[references[_KCLPY]] += [jar["bom-ref"] for jar in jars]
    users[product["bom-ref"]] += [each["bom-ref"] for each in image]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {**_time(), "lifecycles": [{"phase": "build"}], "component": product},
        "components": [*(found for found, _ in libraries.values()), *jars, *image],
        "dependencies": [{"ref": ref, "dependsOn": sorted(used)} for ref, used in users.items()],
    }
    return {**document, "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(document)).urn}


def image_parts(java_release: Path) -> tuple[Component, ...]:
    """Return Python, Java and Debian's packages as this machine has them, which is the image."""
    java = re.findall(r'^JAVA_VERSION="(.*)"', java_release.read_text(), re.MULTILINE)[0]
    command = ["dpkg-query", "--show", "--showformat=${Package} ${Version} ${Architecture}\\n"]
    packages = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return (
        _component("platform", "python", platform.python_version(), "generic"),
        _component("platform", "openjdk", java, "generic"),
        *(_debian(*line.split()) for line in packages),
    )


def _debian(name: str, version: str, architecture: str) -> Component:
    return _component("library", name, version, "deb/debian", f"?arch={architecture}")


def _libraries(lock: str, python: tuple[int, ...]) -> Iterator[tuple[str, tuple[Component, list[str]]]]:
    """Yield each library that this Python gets, by its name, with the names of those that need it."""
    for block in re.split(r"^(?=[^\s#])", lock, flags=re.MULTILINE)[1:]:
        found = _LOCKED.match(block)
        if found is None:
            sys.exit(f"The lock has a line that is no library: {block.splitlines()[0]}")
        if found["marker"] is None or _holds(found["marker"], python):
            used_by = re.findall(r"#(?: via|  ) ([\w.-]+)", block)
            yield found["name"], (_component("library", found["name"], found["version"], "pypi"), used_by)


def _holds(marker: str, python: tuple[int, ...]) -> bool:
    found = _MARKER.fullmatch(marker)
    if found is None:
        sys.exit(f"The lock has a condition that is not known: {marker}")
    return _COMPARE[found["operator"]](python, tuple(map(int, found["version"].split("."))))


def _jars(checkout: Path) -> Iterator[Component]:
    """Yield the jars with their checksums."""
    (checksums,) = (checkout / "properties").glob("kcl-jars-*.sha256")
    (coordinates,) = (checkout / "requirements").glob("kcl-jars-*.maven")
    sums = {name: digest for digest, name in map(str.split, checksums.read_text().splitlines())}
    for line in coordinates.read_text().splitlines()[1:]:
        group, name, version = line.split(":")
        jar = _component("library", name, version, f"maven/{group}")
        yield {**jar, "group": group, "hashes": [{"alg": "SHA-256", "content": sums.pop(f"{name}-{version}.jar")}]}
    if sums:
        sys.exit(f"{coordinates} lacks {', '.join(sums)}")


def _component(kind: str, name: str, version: str, place: str, qualifiers: str = "") -> Component:
    purl = f"pkg:{place}/{name}@{quote(version, safe='.-~')}{qualifiers}"
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _time() -> dict[str, str]:
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    return {"timestamp": datetime.fromtimestamp(int(seconds), timezone.utc).isoformat()} if seconds else {}


def main() -> None:
    """Write the document to stdout."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkout", type=Path, required=True, help="directory with requirements and properties")
    parser.add_argument(
        "--image", type=Path, metavar="RELEASE", help="add what this image has; the release file of Java"
    )
    options = parser.parse_args()
    image = image_parts(options.image) if options.image else ()
    print(json.dumps(bill(options.checkout, sys.version_info[:3], image), indent=2))


if __name__ == "__main__":
    main()
