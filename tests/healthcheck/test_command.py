"""The command `kcl-flowlog healthcheck`: its options, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from kcl_flowlog import __main__
from kcl_flowlog.errors import Unhealthy
from kcl_flowlog.healthcheck import command, quick
from kcl_flowlog.healthcheck.probe import HEALTHY, READY, Question
from kcl_flowlog.setting import ENVIRONMENT_PREFIX
from tests.support.paths import ROOT
from tests.support.web import Serve

ADDRESS = "KCL_FLOWLOG_WEB_LISTEN_ADDRESS"
FILE = "KCL_FLOWLOG_CONFIG_FILE"
ALL = ("", 10514)

Environment = Mapping[str, str]


def slow_question(arguments: Sequence[str], environ: Environment, monkeypatch: pytest.MonkeyPatch) -> Question:
    """Return what the command line would ask."""
    asked: list[Question] = []

    def ask(question: Question) -> str:
        asked.append(question)
        return "healthy"

    monkeypatch.setattr(command, "ask", ask)
    result = CliRunner().invoke(command.healthcheck, list(arguments), env=environ, catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    return asked[0]


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ([], {}, Question(ALL, HEALTHY, 4.0)),
        (["--ready"], {}, Question(ALL, READY, 4.0)),
        (["--timeout", "500ms"], {}, Question(ALL, HEALTHY, 0.5)),
        (["--timeout=9", "--ready"], {}, Question(ALL, READY, 9.0)),
        (["--web.listen-address", "[::1]:9000"], {}, Question(("::1", 9000), HEALTHY, 4.0)),
        ([], {ADDRESS: "0.0.0.0:9000"}, Question(("0.0.0.0", 9000), HEALTHY, 4.0)),
        ([], {ADDRESS: ""}, Question(ALL, HEALTHY, 4.0)),
        (["--web.listen-address=:1"], {ADDRESS: ":2"}, Question(("", 1), HEALTHY, 4.0)),
        (["--web.listen-address", ":1", "--web.listen-address", ":2"], {}, Question(("", 2), HEALTHY, 4.0)),
        (["--config.file", "{file}"], {}, Question(("", 9), HEALTHY, 4.0, web_config_file=Path("web.yml"))),
        (["--config.file="], {FILE: "{file}"}, Question(ALL, HEALTHY, 4.0)),
        ([], {FILE: "{file}", ADDRESS: ":8"}, Question(("", 8), HEALTHY, 4.0, web_config_file=Path("web.yml"))),
        (
            ["--client-cert", "a", "--client-key=b", "--web.config.file", "c"],
            {"KCL_FLOWLOG_STUCK_AFTER": "soon", "KCL_FLOWLOG_STREAM": "other"},
            Question(ALL, HEALTHY, 4.0, Path("a"), Path("b"), Path("c")),
        ),
    ],
)
def test_quick_reads_what_the_command_line_reads(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: Sequence[str],
    environ: Environment,
    expected: Question,
) -> None:
    """An option overrides its variable, and that the file; settings of other parts don't matter."""
    file = tmp_path / "kcl-flowlog.yml"
    file.write_text("stream: flow-logs\nweb.listen-address: :9\nweb.config.file: web.yml\nkcl-property: [a=b, c=d]\n")
    arguments = [text.format(file=file) for text in arguments]
    environ = {name: text.format(file=file) for name, text in environ.items()}

    assert (expected, expected) == (
        quick.read_question(arguments, environ),
        slow_question(arguments, environ, monkeypatch),
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        (["--help"], {}, "Usage: "),
        (["--timeout"], {}, "Error: Option '--timeout' requires an argument."),
        (["--timeout", "soon"], {}, "Error: --timeout: 'soon' is not a duration such as 10s, 5m or 24h."),
        (["--timeout", "0"], {}, "Error: --timeout: '0' is less than the minimum of 100ms."),
        (["--web.listen-address", "here"], {}, "Error: --web.listen-address: 'here' is not an address"),
        ([], {ADDRESS: "here"}, f"Error: {ADDRESS}: 'here' is not an address of the form [HOST]:PORT."),
        (["--config.file", "/missing.yml"], {}, "Error: /missing.yml can't be read: No such file or directory."),
        (["--ready=yes"], {}, "Error: Option '--ready' does not take a value."),
        (["--raedy"], {}, "Error: No such option"),
        (["now"], {}, "Error: Got unexpected extra argument (now)"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    environ: Environment,
    said: str,
) -> None:
    """`quick` leaves it to the command line. The exit code is 1, as container engines reserve 2."""
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(sys, "argv", ["kcl-flowlog", "healthcheck", *arguments])

    with pytest.raises(SystemExit) as ended:
        __main__.main()

    printed = capsys.readouterr()
    assert quick.read_question(arguments, environ) is None
    assert (0 if arguments == ["--help"] else 1) == ended.value.code
    assert (printed.out + printed.err).startswith(said)


@pytest.mark.parametrize(("outcome", "code"), [("healthy", 0), (Unhealthy("Stuck \x1b."), 1)])
def test_the_exit_code_tells_the_outcome(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: str | Unhealthy, code: int
) -> None:
    """A word on stdout, or a sentence on stderr that no terminal obeys."""

    def ask(_: Question) -> str:
        if isinstance(outcome, Unhealthy):
            raise outcome
        return outcome

    monkeypatch.setattr(quick, "ask", ask)

    assert code == quick.run([], {})
    expected = ("", "Error: Stuck \\u001b.\n") if code else ("healthy\n", "")
    assert expected == tuple(capsys.readouterr())


def test_the_command_imports_no_large_library(serve: Serve, tls_config: Path) -> None:
    """Probes start it every few seconds. Over TLS it needs `ssl`."""
    program = (
        "import sys\n"
        "from kcl_flowlog import __main__\n"
        "try:\n"
        "    __main__.main()\n"
        "finally:\n"
        "    large = {'asyncio', 'boto3', 'click', 'email', 'h11', 'http', 'logging', 'prometheus_client', 'yaml'}\n"
        "    print(*sorted(large & set(sys.modules)), file=sys.stderr)\n"
    )
    port = serve().port
    arguments = ["healthcheck", "--web.listen-address", f"127.0.0.1:{port}"]

    answered = subprocess.run(
        [sys.executable, "-S", "-c", program, *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", ENVIRONMENT_PREFIX + "WEB_CONFIG_FILE": str(tls_config)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "healthy\n", "\n") == (answered.returncode, answered.stdout, answered.stderr)
