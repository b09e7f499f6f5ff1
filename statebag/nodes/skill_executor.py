"""``skill_executor``: call a tool of a skill that the state has active."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, cast

from statebag.config import NODE_TYPE_ALIASES, WARNING_CODES, Container, Node, Router, normalise_type
from statebag.config.paths import print_path
from statebag.config.templates import check_templates, render, render_text, template_fields
from statebag.errors import NodeFailed, Problem, StateBagError
from statebag.nodes._base import NodeContext, NodeOutput, NodeType, Scope
from statebag.nodes._options import check_choice, check_text, missing
from statebag.nodes._scopes import Layered
from statebag.nodes._sequence import inside_of

__all__ = ["NODE_TYPES", "SkillExecutor"]

_REQUIRED: Final = {
    "skill_ref": "the skill's name in `active_skills` of the state",
    "tool_call": "the name of one of its tools",
}
_HANDLING: Final = ("fail", "skip", "retry")


class SkillExecutor:
    """Runs the node type that a tool names, with the tool's config and the inputs given here.

    The inputs are members of that config, and names that its templates can read.
    """

    name: ClassVar[str] = "skill_executor"
    outside: ClassVar[bool] = True

    def check(self, node: Node, path: str) -> Iterator[Problem]:
        """See :class:`~statebag.nodes.NodeType`."""
        config, path = node.config, f"{path}.config"
        for key, what in _REQUIRED.items():
            if config.get(key) is None:
                yield missing(f"{path}.{key}", what)
            yield from check_text(config, key, path)
            yield from check_templates(config.get(key), f"{path}.{key}")
        mapping = config.get("input_mapping")
        if mapping is not None and not isinstance(mapping, Mapping):
            yield Problem(path=f"{path}.input_mapping", code="FIELD_TYPE", message="must be an object.")
        else:
            yield from check_templates(mapping, f"{path}.input_mapping")
        yield from check_text(config, "output_key", path)
        yield from check_choice(config, "error_handling", path, _HANDLING)

    def reads(self, node: Node) -> frozenset[str] | None:
        """The skills, and what its inputs read; what the tool's templates read is not known before."""
        written = [node.config.get(key) for key in (*_REQUIRED, "input_mapping")]
        fields = template_fields(written)
        return None if fields is None else fields | {"active_skills"}

    def run(self, node: Node, scope: Scope, context: NodeContext) -> NodeOutput:
        """Call the tool.

        Raises:
            NodeFailed: there is no such skill, tool or node type, or the tool failed for good.
            StateBagError: it failed for now.
        """
        output_key = node.config.get("output_key") or f"{node.id}_result"
        try:
            return self._call(node, scope, context, output_key)
        except StateBagError as error:
            if error.retryable or node.config.get("error_handling") != "skip":
                raise
            entry = _entry(node, "FAILED") | {"error": {"code": error.code, "message": error.message}}
            changes = {output_key: None, f"{node.id}_skipped": True, f"{node.id}_error": error.message}
            return NodeOutput(changes=changes, logs=(entry,), step=self.name)

    def _call(self, node: Node, scope: Scope, context: NodeContext, output_key: str) -> NodeOutput:
        skill_ref = render_text(node.config["skill_ref"], scope)
        tool_name = render_text(node.config["tool_call"], scope)
        where = f"node `{node.id}`: tool `{tool_name}` of skill `{skill_ref}`"
        skill = _find_skill(node, skill_ref, scope)
        tool = _find_tool(skill, tool_name, where)
        inputs: dict[str, Any] = render(node.config.get("input_mapping") or {}, scope)
        handler = _find_handler(tool, context.types, where)
        config = {"output_key": output_key, **_object(tool.get("handler_config"), where), **_as_members(inputs)}
        if handler.name == "llm_chat" and skill.get("system_instructions"):
            config["system_prompt"] = "\n\n".join(
                part for part in (skill["system_instructions"], config.get("system_prompt")) if part
            )
        inner = Node(id=f"{node.id}_{tool_name}", type=handler.name, config=config)
        for problem in handler.check(inner, where):
            if problem.code not in WARNING_CODES:
                raise NodeFailed(f"{problem.path}: {problem.message}", code=problem.code)
        try:
            output = handler.run(inner, Layered(scope, inputs), inside_of(context, node.id))
        except StateBagError as error:
            if error.retryable:
                raise
            raise NodeFailed(
                f"{where} ({handler.name}): {error.message}", code=error.code, details=error.details
            ) from error
        changes = dict(output.changes)
        written_to = config["output_key"]
        if written_to in changes:
            changes[output_key] = changes[written_to]
        else:
            changes = {output_key: changes}
        entry = _entry(node, "COMPLETED") | {"skill_id": skill_ref, "tool_name": tool_name, "inputs": sorted(inputs)}
        return NodeOutput(
            changes=changes,
            logs=(*output.logs, entry),
            step=f"{self.name}:{tool_name}",
            unset=output.unset,
            warnings=output.warnings,
        )


NODE_TYPES: Final = (SkillExecutor(),)


def _entry(node: Node, status: str) -> dict[str, Any]:
    return {"type": "skill_execution", "node_id": node.id, "status": status}


def _find_skill(node: Node, ref: str, scope: Scope) -> Mapping[str, Any]:
    found = scope.get("active_skills")
    skills = cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}
    skill = skills.get(ref)
    if isinstance(skill, Mapping):
        return cast("Mapping[str, Any]", skill)
    raise NodeFailed(f"node `{node.id}`: skill `{ref}` is not active. {_known('Active are', skills)}")


def _find_tool(skill: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    written = skill.get("tool_definitions")
    tools = [cast("dict[str, Any]", tool) for tool in cast("list[Any]", written or []) if isinstance(tool, dict)]
    by_name = {str(tool.get("name")): tool for tool in tools}
    if name not in by_name:
        raise NodeFailed(f"{where} does not exist. {_known('Its tools are', by_name)}")
    return by_name[name]


def _known(text: str, names: Mapping[str, Any]) -> str:
    return f"{text} {', '.join(f'`{name}`' for name in names) or 'none'}."


def _find_handler(tool: Mapping[str, Any], types: Mapping[str, NodeType], where: str) -> NodeType:
    plain = normalise_type(str(tool.get("handler_type") or "operator"))
    handler = types.get(NODE_TYPE_ALIASES.get(plain, plain))
    if handler is None:
        message = f"{where} is handled by `{plain}`, and no installed node type serves that. Correct `handler_type`."
        raise NodeFailed(message, code="NODE_TYPE_UNKNOWN")
    if isinstance(handler, Container | Router | SkillExecutor):
        raise NodeFailed(
            f"{where} is handled by `{handler.name}`, which runs or chooses other nodes. Use another type."
        )
    return handler


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if value is None or isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value or {})
    raise NodeFailed(f"{where}: `handler_config` must be an object. Correct the skill.")


def _as_members(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as members of a config; one that looks like a template is named by one, lest data be rendered."""
    members: dict[str, Any] = {}
    for name, value in inputs.items():
        members[name] = value if not _has_markup(value) else "{{ " + print_path((name,)) + " }}"
    return members


def _has_markup(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(_has_markup(item) for item in cast("Mapping[str, Any]", value).values())
    return isinstance(value, list) and any(_has_markup(item) for item in cast("list[Any]", value))
