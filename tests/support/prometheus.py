"""A real Prometheus on a free port of this machine, and the pages that it scrapes."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from ops import prometheus_server
from tests.support.ports import reserve_port
from tests.support.stretched import series_name
from tests.support.waiting import eventually


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._at = 0.0

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the series of an instant query; an error of the query is an exception."""
        found: list[dict[str, Any]] = self._get("query", {"query": expr, "time": str(self._at)})["result"]
        return found

    def wait_for(self, expr: str) -> None:
        """Wait until a query has a result. All later queries are about that moment, whatever scrapes fail since."""

        def has_result() -> bool:
            self._at = time.time()
            return bool(self.query(expr))

        assert eventually(has_result), expr

    def scrapes(self, job: str, begin: float, end: float, step: int) -> list[dict[str, float]]:
        """Return the value of each series of a job, by its name and labels as in a query, at each step."""
        times = [begin + step * number for number in range(int((end - begin) // step) + 1)]
        parameters = {"query": f'{{job="{job}"}}', "start": str(begin), "end": str(end), "step": str(step)}
        found: list[dict[str, float]] = [{} for _ in times]
        for series in self._get("query_range", parameters)["result"]:
            metric = series["metric"].pop("__name__")
            for moment, value in series["values"]:
                found[round((moment - begin) / step)][series_name(metric, series["metric"])] = float(value)
        return found

    def label_values(self, label: str, series: str) -> list[str]:
        """Return the values of a label, as Grafana's label_values does."""
        values: list[str] = self._get(f"label/{label}/values", {"match[]": series})
        return values

    def reload(self) -> None:
        """Make it read its configuration and rules again."""
        urlopen(Request(f"{self.url}/-/reload", method="POST"), timeout=60).close()

    def _get(self, path: str, parameters: Mapping[str, str]) -> Any:
        with contextlib.closing(urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}", timeout=60)) as answer:
            return json.load(answer)["data"]


@contextlib.contextmanager
def served(pages: Mapping[str, list[bytes]]) -> Iterator[str]:
    """Serve at each path its pages in turn, from the first again after the last; give the server's address.

    Counters that begin anew are a restart to Prometheus: they grow, however many scrapes are lost on a loaded machine.
    """
    coming = {path: itertools.cycle(bodies) for path, bodies in pages.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = next(coming[urlsplit(self.path).path])
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            # The scrape may have given up.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def running_prometheus(folder: Path, jobs: Mapping[str, Mapping[str, str]], rules: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes each job's instances once a second, each at its address and path."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [
                    {"targets": [address], "labels": {"__metrics_path__": f"/{path}", "instance": instance}}
                    for instance, place in instances.items()
                    for address, path in [place.split("/", 1)]
                ],
            }
            for job, instances in jobs.items()
        ],
    }
    with prometheus_server.running_prometheus(folder, config, reserve_port(), "--web.enable-lifecycle") as url:
        yield Prometheus(url)
