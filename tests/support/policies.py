"""Whether a policy of IAM allows a request, for actions and resources as this product uses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from tests.support.ec2 import client_error

ACCOUNT = "123456789012"
# Everybody may ask who he is.
_FREE = "sts:GetCallerIdentity"

Policy = Mapping[str, Any]


class Request(NamedTuple):
    """An action on a resource; the resource is empty if the request does not name it, as in GetRecords."""

    action: str
    resource: str
    region: str


def requests_of(service: str, operation: str, body: bytes | Mapping[str, Any], region: str) -> list[Request]:
    """Return what a call needs; `operation` is empty if the body, a form, names it."""
    if not operation or isinstance(body, Mapping):
        form = body if isinstance(body, Mapping) else dict(parse_qsl(body.decode()))
        return [Request(f"{service}:{form['Action']}", str(form.get("RoleArn", "*")), region)]
    content = json.loads(body or b"{}")
    needed = [operation, *(["TagResource"] if content.get("Tags") else [])]
    return [Request(f"{service}:{each}", _resource(service, content, region), region) for each in needed]


def _resource(service: str, content: Mapping[str, str], region: str) -> str:
    if service == "logs":
        return f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{content['logGroupName']}"
    if service == "dynamodb":
        index = f"/index/{content['IndexName']}" if "IndexName" in content else ""
        return f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/{content['TableName']}{index}"
    if "StreamName" in content:
        return f"arn:aws:kinesis:{region}:{ACCOUNT}:stream/{content['StreamName']}"
    return content.get("ConsumerARN") or content.get("StreamARN") or ""


def is_allowed(policy: Policy, request: Request) -> bool:
    """Say whether a statement of the policy allows a request."""
    return request.action == _FREE or any(_fits(statement, request) for statement in policy["Statement"])


def without(policy: Policy, action: str, resource: str) -> Policy:
    """Return a policy that does not allow an action on a resource, and all else as before."""
    kept = []
    for statement in policy["Statement"]:
        is_meant = resource in _texts(statement["Resource"])
        actions = [each for each in statement["Action"] if not (is_meant and each == action)]
        kept.append({**statement, "Action": actions})
    return {**policy, "Statement": kept}


def _fits(statement: Mapping[str, Any], request: Request) -> bool:
    regions = statement.get("Condition", {}).get("StringEquals", {}).get("aws:RequestedRegion")
    return (
        request.action in _texts(statement["Action"])
        and (not request.resource or any(fnmatchcase(request.resource, text) for text in _texts(statement["Resource"])))
        and (regions is None or request.region in _texts(regions))
    )


def _texts(value: str | list[str]) -> Iterator[str]:
    yield from [value] if isinstance(value, str) else value


class Guard:
    """Judges each request of boto3's sessions by a policy: the own, or by the role that a session has assumed."""

    def __init__(self) -> None:
        self.own: Policy = {"Statement": []}
        self.of_roles: dict[str, Policy] = {}
        self.asked: set[tuple[str, str]] = set()
        self.errors: dict[str, str] = {}
        """The code of the error that an operation fails with."""
        self.changes: dict[str, Callable[[Any], object]] = {}
        """What changes the answer of an operation."""

    def watch(self, session: Any, role: str) -> Any:
        """Return a session after its requests are watched."""

        def change(model: Any, parsed: Any, **_: Any) -> None:
            self.changes.get(model.name, lambda _: None)(parsed)

        def judge(model: Any, params: Mapping[str, Any], request_signer: Any, **_: Any) -> None:
            service = model.service_model.endpoint_prefix
            if model.name in self.errors:
                raise client_error(self.errors[model.name], "Because.", model.name)
            for request in requests_of(service, model.name, params["body"], request_signer.region_name):
                self.asked.add((request.action, request.resource))
                if not is_allowed(self.of_roles[role] if role else self.own, request):
                    code = "UnauthorizedOperation" if service == "ec2" else "AccessDeniedException"
                    raise client_error(code, f"Not authorized to perform {request.action}.", model.name)

        session.events.register("before-call", judge)
        session.events.register("after-call", change)
        # To make a client takes far longer than to use it.
        make, made = session.client, {}

        def client(service: str, region_name: str, **settings: Any) -> Any:
            if (service, region_name) not in made:
                made[service, region_name] = make(service, region_name=region_name, **settings)
            return made[service, region_name]

        session.client = client
        return session
