"""A template of CloudFormation as its resources, with the functions that our template uses: enough to compare them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

ACCOUNT, REGION = "123456789012", "eu-central-1"
_NO_VALUE = object()
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": _NO_VALUE,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
}
# The attribute Arn of a kind of resource, by the property that names it.
_ARNS = {
    "AWS::Kinesis::Stream": ("Name", f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{{}}"),
    "AWS::Logs::LogGroup": ("LogGroupName", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}:*"),
}


class _Loader(yaml.SafeLoader):
    pass


def _function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_scalar(node)}  # type: ignore[arg-type] # none of these functions has a mapping


_Loader.add_multi_constructor("!", _function)


class Template:
    """The resources of a template, with parameters."""

    def __init__(self, path: Path, **parameters: object) -> None:
        self._content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        defaults = {name: each.get("Default") for name, each in self._content["Parameters"].items()}
        self._values: Mapping[str, Any] = {**_PSEUDO, **defaults, **parameters}

    @property
    def names(self) -> set[str]:
        """The resources whose conditions hold."""
        resources = self._content["Resources"].items()
        return {name for name, each in resources if "Condition" not in each or self._holds(each["Condition"])}

    def properties(self, name: str) -> Any:
        """Return the properties of a resource, without functions."""
        return self._resolved(self._content["Resources"][name]["Properties"])

    def _holds(self, condition: str) -> bool:
        return bool(self._resolved(self._content["Conditions"][condition]))

    def _resolved(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self._resolved, node) if value is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, argument)
        resolved = {key: self._resolved(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        kind = self._content["Resources"][name]["Type"]
        return self.properties(name)[_ARNS[kind][0]] if kind in _ARNS else name

    def _arn(self, path: str) -> str:
        name = path.removesuffix(".Arn")
        kind = self._content["Resources"][name]["Type"]
        if kind not in _ARNS:
            return f"arn of {name}"
        key, pattern = _ARNS[kind]
        return pattern.format(self.properties(name)[key])

    def _if(self, argument: list[Any]) -> Any:
        return self._resolved(argument[1] if self._holds(argument[0]) else argument[2])

    def _sub(self, text: str) -> str:
        return re.sub(r"\$\{([\w:]+)\}", lambda found: str(self._ref(found[1])), text)

    def _equals(self, pair: list[Any]) -> bool:
        return bool(self._resolved(pair[0]) == self._resolved(pair[1]))

    def _not(self, argument: list[Any]) -> bool:
        return not self._resolved(argument[0])


_FUNCTIONS: Mapping[str, Callable[[Template, Any], Any]] = {
    "Ref": Template._ref,
    "GetAtt": Template._arn,
    "Sub": Template._sub,
    "If": Template._if,
    "Equals": Template._equals,
    "Not": Template._not,
}
