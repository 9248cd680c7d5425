"""The command line as a user meets it: exit codes, and one sentence for each mistake."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

import click
import pytest
from click.testing import CliRunner

from kcl_flowlog import __version__, cli
from kcl_flowlog.config import Config
from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.errors import ConfigError, GaveUp
from kcl_flowlog.launcher import instance
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.support.forked import Forked
from tests.support.paths import ROOT
from tests.support.sso import SsoPortal
from tests.support.waiting import PATIENCE


class Finished(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def mistake(self) -> str:
        """The only line on stderr, without `Error: `, of a command that ended with exit code 2."""
        assert (2, "") == (self.code, self.out), self.err
        assert self.err.startswith("Error: "), self.err
        assert 1 == self.err.count("\n"), self.err
        return self.err.removeprefix("Error: ").removesuffix("\n")


Run = Callable[..., Finished]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return a clean environment, with a Java that only tells its version."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    java.chmod(0o755)
    return {
        "PATH": f"{java.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "AWS_EC2_METADATA_DISABLED": "true",
        "KCL_FLOWLOG_STATE_DIR": str(tmp_path / "state"),
        "KCL_FLOWLOG_WEB_LISTEN_ADDRESS": "127.0.0.1:0",
    }


@pytest.fixture
def command(environ: dict[str, str]) -> Run:
    """Run a command in a forked process."""

    def run(*arguments: str, **more: str) -> Finished:
        with open(os.devnull, "rb") as nothing, TemporaryFile() as out, TemporaryFile() as err:
            streams = [file.fileno() for file in (nothing, out, err)]
            code = Forked("kcl_flowlog", streams, {**environ, **more}, arguments).wait(2 * PATIENCE)
            for file in (out, err):
                file.seek(0)
            return Finished(code, out.read().decode(), err.read().decode())

    return run


@pytest.fixture
def real_command(environ: dict[str, str]) -> Run:
    """Run a command as a user does, with the start of an interpreter, which takes longer than most commands."""

    def run(*arguments: str, **more: str) -> Finished:
        completed = subprocess.run(
            [sys.executable, "-m", "kcl_flowlog", *arguments],
            env={**environ, **more},
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        return Finished(completed.returncode, completed.stdout, completed.stderr)

    return run


STREAM = ("--stream", "flow-logs")
REGION = ("--region", "eu-west-1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "No stream: name the Kinesis stream with --stream NAME or KCL_FLOWLOG_STREAM."),
        (STREAM, "No AWS region; set --region or AWS_REGION."),
        (
            [*STREAM, "--region", "frankfurt"],
            "AWS has no region 'frankfurt'; check --region (an example is eu-central-1).",
        ),
        (
            [*STREAM, *REGION],
            "No AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the task,"
            " pod or instance a role.",
        ),
        (
            [*STREAM, "--flow-log-format", "version interface-id"],
            "--flow-log-format: 'version' is not of the form ${field-name}.",
        ),
        (
            [*STREAM, "--flow-log-format", "${version} interface-id"],
            "--flow-log-format: 'interface-id' is not of the form ${field-name}.",
        ),
        (
            [*STREAM, *REGION, "--java", "/bin/true"],
            "--java /bin/true does not run Java 11 or newer; check the path and run: /bin/true -version.",
        ),
        (
            [*STREAM, *REGION, "--kcl-property", "failoverTimeMilis=1"],
            "--kcl-property: the KCL has no property 'failoverTimeMilis', and would ignore it;"
            " did you mean 'failoverTimeMillis'?",
        ),
        (
            [*STREAM, *REGION, "--state-dir", "/dev/null"],
            "The state directory /dev/null can't be written (File exists); name another with --state-dir DIR.",
        ),
    ],
)
def test_a_mistake_of_the_user_is_one_sentence(command: Run, arguments: Sequence[str], sentence: str) -> None:
    """It stands alone on stderr, without a traceback, and the exit code is 2."""
    assert sentence == command("run", *arguments).mistake


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["run", "--straem", "x"], r"No such option:? '?--straem'?\.? .*--stream.*"),
        (["run", "--stream"], r"Option '--stream' requires an argument\."),
        (["run", "flow-logs"], r"Got unexpected extra argument \(flow-logs\)"),
        (["run", "two\nlines"], r"Got unexpected extra argument \(two lines\)"),
        (["walk"], r"No such command 'walk'\..*"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_sentence(
    arguments: list[str], pattern: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error that click finds looks like any other, without the usage."""
    monkeypatch.setattr(sys, "argv", ["kcl-flowlog", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()

    assert 2 == stopped.value.code
    assert re.fullmatch(rf"Error: {pattern}\n", capsys.readouterr().err)


def test_a_mistake_in_the_configuration_file_stops_the_start(command: Run, tmp_path: Path) -> None:
    """A misspelt key would silently not work."""
    path = tmp_path / "settings.yaml"
    path.write_text("stream: flow-logs\nregoin: eu-west-1\n")

    mistake = command("run", "--config.file", str(path)).mistake

    assert f"{path}, line 2: unknown key 'regoin'; did you mean 'region'?" == mistake


def test_a_mistake_in_a_variable_stops_the_start(command: Run) -> None:
    """The error names the variable."""
    mistake = command("run", *STREAM, KCL_FLOWLOG_STUCK_AFTER="soon").mistake

    assert "KCL_FLOWLOG_STUCK_AFTER: 'soon' is not a duration such as 10s, 5m or 24h." == mistake


def test_a_state_directory_in_use_stops_the_start(command: Run, tmp_path: Path) -> None:
    """Two instances can't share a state directory."""
    with StateDirectory(tmp_path / "state"):
        mistake = command("run", *STREAM, *REGION).mistake

    assert (
        f"The state directory {tmp_path}/state is in use by another kcl-flowlog;"
        " give each instance its own --state-dir."
    ) == mistake


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAWS]:
    """Run an AWS on this machine, with a stream."""
    with EmbeddedAWS() as running:
        running.client("kinesis").create_stream(StreamName="flow-logs", ShardCount=1)
        yield running


def test_a_stream_that_does_not_exist_stops_the_start(command: Run, aws: EmbeddedAWS) -> None:
    """The error names the stream and the region."""
    mistake = command("run", "--stream", "flow-log", **aws.environment()).mistake

    assert "Stream flow-log does not exist in eu-west-1; check --stream and --region." == mistake


def test_a_port_in_use_stops_the_start(command: Run, aws: EmbeddedAWS) -> None:
    """The error names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        mistake = command("run", *STREAM, "--web.listen-address", address, **aws.environment()).mistake

    assert f"Cannot listen on {address}: Address already in use; check --web.listen-address." == mistake


def test_a_replay_reads_the_subnets_from_ec2(command: Run, aws: EmbeddedAWS, tmp_path: Path) -> None:
    """As they are now, or from the file that `kcl-flowlog inventory` has written: then without any AWS."""
    ec2 = aws.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    interface_id = ec2.create_network_interface(SubnetId=subnet_id, PrivateIpAddress="10.7.1.5")["NetworkInterface"][
        "NetworkInterfaceId"
    ]
    file, inventory = tmp_path / "flows.log", str(tmp_path / "inventory.json")
    file.write_text(f"2 1 {interface_id} 10.7.1.5 8.8.8.8 1 2 6 3 400 1700000000 1700000060 ACCEPT OK\n")
    environ = {name: value for name, value in aws.environment().items() if "REGION" not in name}

    made = command("replay", "--output", "json", *REGION, str(file), **environ)
    written = command("inventory", *REGION, "--output", inventory, **environ)
    again = command("replay", "--output", "json", "--inventory", inventory, str(file))

    assert (0, [subnet_id]) == (made.code, list(json.loads(made.out)["subnets"])), made.err
    assert (0, 0, made.out) == (written.code, again.code, again.out), written.err + again.err


def test_a_replay_of_which_nothing_can_be_read_is_one_sentence(real_command: Run, tmp_path: Path) -> None:
    """And exit code 1, so that a script notices; the result is there all the same."""
    file = tmp_path / "flows.log"
    file.write_text("bad\n")

    ended = real_command("replay", "--no-inventory", str(file))

    assert (1, f"Error: Nothing could be read of {file} (field_count 1); --show malformed prints the lines.\n") == (
        ended.code,
        ended.err,
    )
    assert "malformed" in ended.out


def test_a_replay_without_ec2_says_what_to_do(command: Run, tmp_path: Path) -> None:
    """A saved inventory needs no AWS."""
    file = tmp_path / "flows.log"
    file.write_text("bad\n")

    mistake = command("replay", *REGION, "--log.level", "error", str(file)).mistake

    assert mistake.startswith("No AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")


class Refusing(BaseHTTPRequestHandler):
    """An EC2 that forbids everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_without_permission_to_list_subnets_the_instance_ends(real_command: Run, aws: EmbeddedAWS) -> None:
    """It ends in order, although its web server is already running."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as ec2:
        thread = threading.Thread(target=ec2.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        environ = {**aws.environment(), "AWS_ENDPOINT_URL_EC2": f"http://127.0.0.1:{ec2.server_port}"}
        ended = real_command("run", *STREAM, "--log.level", "error", **environ)
        ec2.shutdown()
        thread.join()

    assert "No permission to list the subnets; allow the action ec2:DescribeSubnets." == ended.mistake


def test_an_unreachable_aws_stops_the_start(command: Run, aws: EmbeddedAWS) -> None:
    """The error is about the network, not about credentials."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        environ = {**aws.environment(), "AWS_ENDPOINT_URL": nowhere}
        mistake = command("run", *STREAM, **environ).mistake

    assert mistake.startswith("Cannot reach Kinesis in eu-west-1 (")
    assert mistake.endswith("); check --region and the network.")


def test_an_sso_session_that_has_ended_stops_the_start(real_command: Run, aws: EmbeddedAWS, tmp_path: Path) -> None:
    """One sentence, instead of a daemon that starts again and again. botocore reads HOME when it is imported."""
    given = {name: value for name, value in aws.environment().items() if "KEY" not in name}
    with SsoPortal(lifetime=3600.0) as portal:
        user = portal.log_in(tmp_path / "home", expires="2020-01-01T00:00:00Z")
        mistake = real_command("run", *STREAM, **{**given, **user}).mistake

    assert mistake.startswith("Cannot get AWS credentials: The SSO session associated with this profile has expired")


Main = Callable[..., tuple[object, list[Config]]]


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Iterator[Main]:
    """Run the command line in this process; the instance only records its settings, or raises `error`."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    for name in os.environ:
        if name.startswith("KCL_FLOWLOG_"):
            monkeypatch.delenv(name)

    def main(*arguments: str, error: Exception | None = None) -> tuple[object, list[Config]]:
        seen = []

        def fake_run(config: Config, environ: Mapping[str, str], denials: BinaryIO, stop: object) -> None:
            seen.append(config)
            if error is not None:
                raise error

        monkeypatch.setattr(instance, "run", fake_run)
        monkeypatch.setattr(sys, "argv", ["kcl-flowlog", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, seen

    yield main
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (None, 0, ""),
        (ConfigError("Mend it."), 2, "Error: Mend it.\n"),
        (GaveUp("Tried enough."), 1, "Error: Tried enough.\n"),
        (GaveUp("Two\nlines, \x9b2J."), 1, "Error: Two\nlines, \\u009b2J.\n"),
        (click.ClickException("No \u202ename."), 1, "Error: No \\u202ename.\n"),
        (click.Abort(), 130, ""),
    ],
)
def test_the_exit_code_says_who_has_to_act(
    main: Main, capsys: pytest.CaptureFixture[str], error: Exception | None, code: int, message: str
) -> None:
    """0 after a signal, 2 if the user has to act, 1 if the launcher gave up, 130 after Ctrl-C before the start."""
    ended, _ = main("run", *STREAM, error=error)

    assert (code, message) == (ended, capsys.readouterr().err)


@pytest.mark.parametrize("flag", ["--log_deny", "--log-deny"])
def test_the_old_command_line_still_works(main: Main, capsys: pytest.CaptureFixture[str], flag: str) -> None:
    """--log_deny has its effect, and --shards is accepted with a warning."""
    code, (config,) = main("run", *STREAM, flag, "--shards", "4")

    assert (0, "flow-logs", "json") == (code, config.stream, config.log_deny)
    (warning,) = capsys.readouterr().err.splitlines()
    assert "level=warning" in warning
    assert "--shards is no longer needed" in warning


def test_a_misspelt_variable_is_a_warning(
    main: Main, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instance runs, and the log names the variable and the nearest name."""
    monkeypatch.setenv("KCL_FLOWLOG_STATEDIR", "/tmp/state")

    code, _ = main("run", *STREAM)

    assert 0 == code
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.endswith("variable=KCL_FLOWLOG_STATEDIR nearest=KCL_FLOWLOG_STATE_DIR")


def test_without_a_command_the_help_is_shown(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """`kcl-flowlog` alone lists the commands, and reports no error."""
    main()

    shown = "".join(capsys.readouterr())
    assert "Error" not in shown
    for name in ("run", "demo", "replay"):
        assert re.search(rf"^  {name} ", shown, re.MULTILINE)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_of_run_hides_old_options(flag: str) -> None:
    """It shows the settings, and not --shards."""
    shown = CliRunner().invoke(cli.cli, ["run", flag])

    assert 0 == shown.exit_code
    assert "--stream NAME" in shown.output
    assert "--shards" not in shown.output


@pytest.mark.parametrize("name", ["demo", "replay", "run"])
def test_each_command_has_help(name: str) -> None:
    """Also commands that are imported only when used."""
    shown = CliRunner().invoke(cli.cli, [name, "--help"])

    assert 0 == shown.exit_code
    assert f"Usage: cli {name} [OPTIONS]" in shown.output


def test_the_version_is_shown(main: Main, capsys: pytest.CaptureFixture[str]) -> None:
    """--version names the program, its version and the version of Python."""
    code, _ = main("--version")

    assert 0 == code
    assert capsys.readouterr().out.startswith(f"kcl-flowlog, version {__version__} (python 3.")
