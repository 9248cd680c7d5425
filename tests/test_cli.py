"""The command line as a user meets it: exit codes, and one sentence for each mistake."""

import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from kcl_flowlog import __version__, cli
from kcl_flowlog.demo.aws import EmbeddedAWS
from kcl_flowlog.errors import ConfigError, GaveUp
from kcl_flowlog.launcher import instance
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.support.paths import ROOT


class Finished:
    """How a command ended: its exit code, and its stderr without the prefix of an error."""

    def __init__(self, completed):
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    @property
    def mistake(self):
        """The sentence about a mistake of the user, which stands alone on stderr."""
        assert (self.code, self.out) == (2, ""), self.err
        assert self.err.startswith("Error: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("Error: ").removesuffix("\n")


@pytest.fixture
def command(tmp_path):
    """Run the real command in an environment of its own."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    java.chmod(0o755)
    environ = {
        "PATH": f"{java.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "AWS_EC2_METADATA_DISABLED": "true",
        "KCL_FLOWLOG_STATE_DIR": str(tmp_path / "state"),
        "KCL_FLOWLOG_WEB_LISTEN_ADDRESS": "127.0.0.1:0",
    }

    def run(*arguments, **more):
        return Finished(
            subprocess.run(
                [sys.executable, "-m", "kcl_flowlog", *arguments],
                env={**environ, **more},
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
        )

    return run


STREAM = ("--stream", "flow-logs")
REGION = ("--region", "eu-west-1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "No stream: name the Kinesis stream with --stream NAME or KCL_FLOWLOG_STREAM."),
        (STREAM, "No AWS region: name it with --region REGION or AWS_REGION."),
        (
            [*STREAM, "--region", "frankfurt"],
            "AWS has no region 'frankfurt'; name yours with --region, such as eu-central-1.",
        ),
        (
            [*STREAM, *REGION],
            "No AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the task,"
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
        ([*STREAM, *REGION, "--java", "/bin/true"], "--java /bin/true is not a Java of version 11 or newer."),
        (
            [*STREAM, *REGION, "--kcl-property", "failoverTimeMilis=1"],
            "--kcl-property: the KCL has no property 'failoverTimeMilis', and would ignore it;"
            " did you mean 'failoverTimeMillis'?",
        ),
        (
            [*STREAM, *REGION, "--state-dir", "/dev/null"],
            "The state directory /dev/null can't be written (File exists); give another with --state-dir DIR.",
        ),
    ],
)
def test_a_mistake_of_the_user_is_one_sentence(command, arguments, sentence):
    """Without a traceback, alone on stderr, and with exit code 2."""
    assert command("run", *arguments).mistake == sentence


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
def test_a_mistake_in_the_command_line_itself_is_one_sentence_too(arguments, pattern, monkeypatch, capsys):
    """What click finds is told as everything else is, without the usage before it."""
    monkeypatch.setattr(sys, "argv", ["kcl-flowlog", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert re.fullmatch(rf"Error: {pattern}\n", capsys.readouterr().err)


def test_an_unknown_key_of_the_file_is_told_with_its_line(command, tmp_path):
    """A misspelt setting in the file stops the start."""
    path = tmp_path / "settings.yaml"
    path.write_text("stream: flow-logs\nregoin: eu-west-1\n")
    assert command("run", "--config.file", str(path)).mistake == (
        f"{path}, line 2: unknown key 'regoin'; did you mean 'region'?"
    )


def test_a_state_directory_in_use_is_told(command, tmp_path):
    """A second instance on the same directory does not start."""
    with StateDirectory(tmp_path / "state"):
        mistake = command("run", *STREAM, *REGION).mistake
    assert mistake == (
        f"The state directory {tmp_path}/state is in use by another kcl-flowlog;"
        " give each instance its own --state-dir."
    )


@pytest.fixture(scope="module")
def aws():
    """An AWS on this machine, with one stream."""
    with EmbeddedAWS() as running:
        running.client("kinesis").create_stream(StreamName="flow-logs", ShardCount=1)
        yield running


def test_a_stream_that_does_not_exist_is_told(command, aws):
    """A mistyped stream is told at once, with the region that was looked at."""
    assert command("run", "--stream", "flow-log", **aws.environment()).mistake == (
        "There is no stream 'flow-log' in region eu-west-1; check --stream and --region."
    )


def test_a_port_in_use_is_told(command, aws):
    """A second instance on the same port does not start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        mistake = command("run", *STREAM, "--web.listen-address", address, **aws.environment()).mistake
    assert mistake == f"--web.listen-address '{address}' can't be listened on: Address already in use."


def test_a_replay_asks_ec2_for_the_subnets(command, aws, tmp_path):
    """Without --inventory they are read as they are now."""
    ec2 = aws.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    interface_id = ec2.create_network_interface(SubnetId=subnet_id, PrivateIpAddress="10.7.1.5")["NetworkInterface"][
        "NetworkInterfaceId"
    ]
    file = tmp_path / "flows.log"
    file.write_text(f"2 1 {interface_id} 10.7.1.5 8.8.8.8 1 2 6 3 400 1700000000 1700000060 ACCEPT OK\n")

    made = command("replay", "--output", "json", str(file), **aws.environment())

    assert (made.code, list(json.loads(made.out)["subnets"])) == (0, [subnet_id]), made.err


def test_a_replay_without_ec2_says_what_to_do(command, tmp_path):
    """Nothing of AWS is needed with a saved inventory."""
    file = tmp_path / "flows.log"
    file.write_text("bad\n")

    made = command("replay", *REGION, "--log.level", "error", str(file))

    assert made.mistake == (
        "The subnets could not be read from EC2; give an inventory that was saved: --inventory FILE."
    )


class Refusing(BaseHTTPRequestHandler):
    """EC2 that permits nothing."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_an_inventory_that_is_forbidden_is_told(command, aws):
    """Without permission to list the subnets the instance ends, though its web server already answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as ec2:
        thread = threading.Thread(target=ec2.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        environ = {**aws.environment(), "AWS_ENDPOINT_URL_EC2": f"http://127.0.0.1:{ec2.server_port}"}
        ended = command("run", *STREAM, "--log.level", "error", **environ)
        ec2.shutdown()
        thread.join()
    assert ended.mistake == "EC2 does not permit to list the subnets; allow the action ec2:DescribeSubnets."


def test_an_unreachable_aws_is_told(command, aws):
    """A network that leads nowhere is told as such, and not as bad credentials."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        environ = {**aws.environment(), "AWS_ENDPOINT_URL": nowhere}
        mistake = command("run", *STREAM, **environ).mistake
    assert mistake.startswith("Kinesis can't be reached in region eu-west-1 (")
    assert mistake.endswith("); check --region and the network.")


@pytest.fixture
def run(monkeypatch):
    """Run the command line in this process, with a launcher that only notes what it gets or raises."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    for name in os.environ:
        if name.startswith("KCL_FLOWLOG_"):
            monkeypatch.delenv(name)

    def run(*arguments, error=None):
        seen = []

        def fake(config, environ, denials):
            seen.append(config)
            if error is not None:
                raise error

        monkeypatch.setattr(instance, "run", fake)
        monkeypatch.setattr(sys, "argv", ["kcl-flowlog", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, seen

    yield run
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (None, 0, ""),
        (ConfigError("Mend it."), 2, "Error: Mend it.\n"),
        (GaveUp("Tried enough."), 1, "Error: Tried enough.\n"),
    ],
)
def test_the_exit_code_tells_whose_move_it_is(run, capsys, error, code, told):
    """0 when asked to stop, 2 for the user's move, 1 when the launcher gave up."""
    assert run("run", *STREAM, error=error)[0] == code
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("flag", ["--log_deny", "--log-deny"])
def test_the_old_command_line_still_works(run, capsys, flag):
    """--log_deny is understood, and --shards accepted with a word that it is no longer needed."""
    code, (config,) = run("run", *STREAM, flag, "--shards", "4")
    assert (code, config.stream, config.log_deny) == (0, "flow-logs", True)
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 1
    assert "level=warning" in warnings[0]
    assert "--shards is no longer needed" in warnings[0]


def test_without_a_command_the_help_is_shown():
    """A bare `kcl-flowlog` tells what there is, and only that."""
    bare = subprocess.run(
        [sys.executable, "-m", "kcl_flowlog"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    shown = bare.stdout + bare.stderr
    assert "Error" not in shown
    for name in ("run", "demo"):
        assert re.search(rf"^  {name} ", shown, re.MULTILINE)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_hides_what_is_no_longer_needed(flag):
    """The help of `run` shows the settings, and not the old --shards."""
    shown = CliRunner().invoke(cli.cli, ["run", flag])
    assert shown.exit_code == 0
    assert "--stream NAME" in shown.output
    assert "--shards" not in shown.output


def test_the_version_is_told():
    """--version names the product, its version and the Python it runs on."""
    shown = CliRunner().invoke(cli.cli, ["--version"]).output
    assert shown.startswith(f"kcl-flowlog, version {__version__} (python 3.")
