"""The start of the command `kcl-flowlog`, and of `python -m kcl_flowlog`.

Captures the stop signals before anything that takes time is imported, so that `run` stops in order from its first
moment on. A signal that arrives while the interpreter itself starts still ends it; see
`kcl_flowlog.launcher.signals.held_back`.
"""

import os
import sys
from contextlib import ExitStack

from kcl_flowlog.launcher.signals import StopRequests, captured


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:2] == ["healthcheck"]:
        # Probes start it every few seconds; the command line would take twice the time.
        from kcl_flowlog.healthcheck import quick

        code = quick.run(sys.argv[2:], os.environ)
        if code is not None:
            sys.exit(code)
    requests = StopRequests()
    with ExitStack() as stack:
        # The other commands hold nothing that a stop would have to save: the default actions suit them.
        if sys.argv[1:2] == ["run"]:
            stack.enter_context(captured(requests.note, ends_process=True))
        from kcl_flowlog import cli

        cli.main(requests)


if __name__ == "__main__":
    main()
