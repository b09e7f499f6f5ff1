"""Other people's checks of definitions: two from npm, moto's grammar, and cfn-lint for the template around them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.aws.functions import ACCOUNT, REGION, function_arn
from tests.aws.served import as_grammar_wants
from tests.aws.tools import LAUNCHERS, NODE_MODULES, ask, conversing, program

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
RULE = "E3601"
"""cfn-lint's rule about what is inside of a state machine."""
FALSE_ALARMS = (
    # The service takes OutputPath on Succeed and Parameters on Parallel, and says so in its documentation; the schema
    # of the rule has forgotten both.
    ("Succeed", "OutputPath"),
    ("Parallel", "Parameters"),
)


class Validators:
    """Those that are kept running, because each takes a second to start."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self._node, self._moto = processes

    def validate_independently(self, definition: Mapping[str, Any]) -> list[str]:
        """What they find, each finding after the name of who has found it."""
        filled = fill(definition)
        found: list[str] = ask(self._node, {"definition": filled})
        return found + ask(self._moto, {"definition": as_grammar_wants(filled)})


@contextmanager
def running_validators(folder: Path) -> Generator[Validators]:
    """Started, and ended with the context."""
    node = ["node", str(LAUNCHERS / "validators.mjs")], {"NODE_MODULES": str(NODE_MODULES)}
    moto = [program("moto", "python"), str(LAUNCHERS / "moto_parser.py")], dict[str, str]()
    with ExitStack() as stack:
        yield Validators(
            [
                stack.enter_context(conversing(command, environment, folder / f"{number}.log"))
                for number, (command, environment) in enumerate((node, moto))
            ]
        )


def fill(definition: Mapping[str, Any], values: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The definition with ``${Name}`` replaced, by what the name says that it is where no value is given."""
    given = values or {}
    text = PLACEHOLDER.sub(lambda found: given.get(found[1], plausible(found[1])), json.dumps(definition))
    return json.loads(text)


def plausible(name: str) -> str:
    """A function's ARN for names that end so, a name for others."""
    return function_arn(name.removesuffix("Arn")) if name.endswith("Arn") else name.lower()


def placeholders_in(definition: Mapping[str, Any]) -> set[str]:
    """The names in ``${...}``."""
    return set(PLACEHOLDER.findall(json.dumps(definition)))


def as_resource(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as plain CloudFormation has it: no linter looks into AWS::Serverless::StateMachine."""
    properties: dict[str, Any] = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none", "Definition": dict(definition)}
    if names := placeholders_in(definition):
        properties["DefinitionSubstitutions"] = {name: plausible(name) for name in sorted(names)}
    return {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}


def lint_template(resources: Mapping[str, Mapping[str, Any]], folder: Path) -> list[str]:
    """What cfn-lint finds in a template of these resources, without its false alarms about definitions."""
    template = folder / "template.json"
    template.write_text(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}))
    command = [program("sam", "cfn-lint"), "--template", str(template), "--regions", REGION, "--format", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if not ran.stdout:
        raise RuntimeError(f"cfn-lint has said nothing: {ran.stderr}")
    found = [match for match in json.loads(ran.stdout) if not is_false_alarm(match, resources)]
    return [f"{each['Rule']['Id']} {'/'.join(map(str, each['Location']['Path']))}: {each['Message']}" for each in found]


def is_false_alarm(match: Mapping[str, Any], resources: Mapping[str, Any]) -> bool:
    """Whether the finding is that a field is there which may be there."""
    path: list[Any] = match["Location"]["Path"]
    if match["Rule"]["Id"] != RULE or "unexpected" not in match["Message"]:
        return False
    state: Any = resources
    for part in path[1:-1]:
        state = state[part]
    return (state.get("Type"), path[-1]) in FALSE_ALARMS
