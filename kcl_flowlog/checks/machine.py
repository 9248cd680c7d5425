"""Checks of this machine: settings, Java, jars, state directory, port, web config, peers and proxy.

Changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from kcl_flowlog.checks.result import FAIL, OK, WARN, Finding
from kcl_flowlog.checks.world import World
from kcl_flowlog.counting.formats import parse_option
from kcl_flowlog.inventory.accounts import source_readers
from kcl_flowlog.launcher import kcl_properties
from kcl_flowlog.launcher.file_system import doubtful_file_system
from kcl_flowlog.launcher.instance import java_way_out
from kcl_flowlog.launcher.state_directory import StateDirectory, take_lock
from kcl_flowlog.peers.fleet import Fleet
from kcl_flowlog.web.listening import listen
from kcl_flowlog.web.web_config_keeper import WebConfigKeeper

_MEGABYTE = 1024 * 1024
# For the ledger and its write-ahead log.
_LEAST_FREE = 64 * _MEGABYTE


def settings(world: World) -> Iterator[Finding]:
    """Region, stream, roles, formats and properties fit together."""
    config = world.config
    for text in config.flow_log_format:
        parse_option(text)
    kcl_properties.check_extra(config.kcl_property)
    kcl_properties.check_consumer(config.kcl_property, world.stream.arn, world.stream.name)
    source_readers(config, world.aws)
    yield OK, f"stream {world.stream}, application {config.application}, region {world.aws.region}"


def java(world: World) -> Iterator[Finding]:
    """There is a Java that is new enough, and it takes the options."""
    found = world.find_java(world.config.java, world.environ)
    complaint = world.complaint_of_java([found.command, *world.config.java_options, "-version"])
    if complaint:
        yield FAIL, f"{found.command} refuses --java-options ({complaint[:200]}); correct them"
    else:
        yield OK, f"Java {found.version}, {found.command}"


def jars(world: World) -> Iterator[Finding]:
    """The jars of the KCL are complete and unchanged."""
    found = world.find_jars()
    yield OK, f"KCL {found.kcl} of amazon-kclpy {found.kclpy}"


def proxy(world: World) -> Iterator[Finding]:
    """The daemon can go the way to AWS that boto3 goes."""
    state = StateDirectory(world.config.state_dir)
    java_way_out(world.config, world.aws, world.stream, state)
    yield OK, "launcher and daemon go the same way to AWS"


def web_config(world: World) -> Iterator[Finding]:
    """The web config and its certificates can be read."""
    config = world.config
    active = WebConfigKeeper(str(config.web_config_file or "")).current()
    if active.config.users or active.context is not None:
        yield OK, f"{config.web_config_file} protects the pages"
    else:
        yield OK, "none: the pages are open to everybody who reaches the port"
    for key, sentence in active.shortfalls:
        yield WARN, f"{config.web_config_file}, {key}: {sentence}"


def peers(world: World) -> Iterator[Finding]:
    """The files for asking other instances can be read."""
    config = world.config
    if not config.peers or not config.who:
        yield OK, "none: /who asks no other instance"
        return
    Fleet.of(config).check()
    yield OK, "the files for asking them can be read"


def port(world: World) -> Iterator[Finding]:
    """The port is free."""
    listener = listen(*world.config.web_listen_address)
    with listener:
        yield OK, f"port {listener.getsockname()[1]} is free"


def state_directory(world: World) -> Iterator[Finding]:
    """The state directory is on a disk, may be written, and no other instance uses it."""
    path = world.config.state_dir.absolute()
    existing = next(place for place in (path, *path.parents) if place.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield FAIL, f"{existing} can't be written by this user; correct its rights, or name another with --state-dir"
        return
    doubtful = doubtful_file_system(existing)
    if doubtful:
        yield WARN, f"{existing} is on {doubtful}, which may not keep what is written; prefer a local disk"
    lock = path / "lock"
    if lock.exists():
        with lock.open("rb") as file:
            take_lock(file, path)
    free, wanted = world.free(existing), _LEAST_FREE + 2 * world.config.dead_letter_limit
    if free < wanted:
        outcome = FAIL if free < _LEAST_FREE else WARN
        yield outcome, f"{existing} has {free // _MEGABYTE} MiB free; make room for {wanted // _MEGABYTE} MiB"
    elif not doubtful:
        yield OK, f"{path}, {free // _MEGABYTE} MiB free"
