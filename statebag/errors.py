"""Every error a user can meet, with a stable code.

A message says what happened, where, and what to do. ``retryable`` tells a
caller (and Temporal) whether the same call may succeed later; it is a property
of the class, never of the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "CODES",
    "BagConflict",
    "BagTooLarge",
    "InputRefused",
    "NodeFailed",
    "OffloadFailed",
    "PointerCorrupt",
    "PointerNotFound",
    "PointerRefused",
    "Problem",
    "ProviderUnavailable",
    "RunConflict",
    "RunFailed",
    "StateBagError",
    "StoreUnavailable",
    "Unserialisable",
]

CODES: Mapping[str, str] = {
    # The document.
    "DOCUMENT_NOT_JSON": "The workflow document is not JSON. Fix the syntax at the place named.",
    "DOCUMENT_NOT_OBJECT": "The workflow document must be one JSON object with `nodes` and `edges`.",
    "DOCUMENT_TOO_LARGE": "The document has more than 500 nodes, 5000 with those inside of others, or 1000 edges. Split it.",
    "FIELD_MISSING": "A required field is absent. Add it.",
    "FIELD_TYPE": "A field has the wrong JSON type. Give it the type named.",
    "FIELD_UNKNOWN": "A key has no effect. It is ignored, with this warning; correct or remove it.",
    "FIELD_VALUE": "A field's value is outside what is allowed. Use one of the values named.",
    "NODE_APART": "No edge leads to a node that is not the start. It runs in its place, with this warning.",
    "NODE_DUPLICATE": "Two nodes share an id. Rename one.",
    "NODE_TYPE_UNKNOWN": "The node type does not exist, or no installed package serves it.",
    "NODE_TYPE_UNSUPPORTED": "The node type belongs to the format but is not served. Replace it as the message says.",
    "EDGE_DANGLING": "An edge names a node that does not exist. Correct `source` or `target`.",
    "EDGE_TYPE_UNKNOWN": "The edge type does not exist. Use one of those named.",
    "EDGE_DUPLICATE": "Two edges join the same nodes. Remove one.",
    "GRAPH_CYCLE": "The edges form a cycle that nothing leads out of. Use a `loop` node, or a `route_condition` on the way.",
    "GRAPH_SHAPE": "The graph has a shape that can't be run. See the message.",
    "PAUSE_MISPLACED": "A pause is inside of a node that runs in one go. Ask before or behind that node.",
    "ROUTE_UNMATCHED": "No condition of a route holds, and it has no default. Add one.",
    "START_NODE_UNKNOWN": "`start_node` names no node, or a node that other nodes lead to.",
    "STRATEGY_UNKNOWN": "The strategy does not exist. Use one of those named.",
    "EXPRESSION_SYNTAX": "A condition is outside the expression language. Paths start with `$.`.",
    "TEMPLATE_SYNTAX": "A template is malformed. Use `{{ path }}` or `{% if %}…{% endif %}`.",
    "SCHEMA_INVALID": "A JSON Schema in the document is itself invalid.",
    # The execution input.
    "INPUT_NOT_JSON": "The input is not JSON. Fix the syntax at the place named.",
    "INPUT_NOT_OBJECT": "The input must be one JSON object.",
    "INPUT_CONFLICT": "Two sources were given for the same thing. Give one.",
    "INIT_INVALID_CONFIG": "No workflow document was given, or the one given can't be used.",
    # The bag and its store.
    "UNSERIALISABLE_FIELD": "A value is not JSON (NaN, bytes, a set, a key that is no text). Convert it first.",
    "BAG_TOO_LARGE": "The bag can't be brought under its limit by offloading. Make the fields named smaller.",
    "BAG_NEAR_LIMIT": "The bag is close to the size at which it is refused. Keep less in it, or in fewer, larger fields.",
    "BAG_MALFORMED": "The state data is not a bag of a known schema version.",
    "BAG_VERSION_CONFLICT": "Another action has already been applied to this version of the bag. Reload and retry.",
    "ACTION_UNKNOWN": "The state data manager has no such action.",
    "RESULT_INVALID": "An execution result breaks the contract. The problems say where.",
    "RESERVED_KEY": "A reserved key was written. It is dropped, with this warning.",
    "UNKNOWN_STATUS": "A segment reported a status that does not exist.",
    "COMPLETE_WITH_NEXT": "A segment reported COMPLETE although another follows; the run goes on, with this warning.",
    "CONTINUE_WITHOUT_NEXT": "A segment wants to continue but names no next segment.",
    "INVALID_EXECUTION_ORDER": "`execution_order` must be whole numbers, all of them or none.",
    "BRANCH_FAILED": "A branch failed and the run goes on without it, as its policy says; with this warning.",
    "BRANCH_LOST": "A branch was terminated, cancelled or timed out from outside. It counts as failed.",
    "AGGREGATION_FAILED": "More branches or chunks failed than the policy tolerates.",
    "OFFLOAD_FAILED": "A value could not be written to the store. The bag is unchanged; try again.",
    "POINTER_MALFORMED": "A pointer lacks a field or has a wrong one.",
    "POINTER_FORBIDDEN": "A pointer leads outside of its own execution.",
    "POINTER_NOT_FOUND": "The object behind a pointer does not exist. It was deleted, or the store is the wrong one.",
    "POINTER_CORRUPT": "The object behind a pointer is not what was written.",
    "STORE_UNAVAILABLE": "The store does not answer. Check it; the call is repeated.",
    "STORE_DENIED": "The store refuses access. Check credentials and permissions.",
    "SNAPSHOT_NOT_FOUND": "There is no snapshot of that id in this execution.",
    # Running.
    "NODE_FAILED": "A node raised an error. The message names the node and its cause.",
    "NODE_TIMEOUT": "A segment took longer than its nodes' `timeout_seconds`. It is tried again; raise the limit.",
    "ITEMS_DEPENDENCY": "Items of a map depend on what is not there, or on each other. See the message.",
    "ITEMS_FAILED": "Items of a map failed, as many as it tolerates; with this warning.",
    "CHUNK_LOST": "A chunk of a map was terminated, deleted or ran out of time. Its items count as failed; redrive them.",
    "DEPENDENCY_FAILED": "An item of a map was not run, since one that it depends on failed.",
    "TOLERANCE_EXCEEDED": "More items of a map failed than it tolerates. Mend the cause, and redrive the run.",
    "ITEMS_CHANGED": "A file of items was changed while it was read. Run again, and give a new version a new name.",
    "ITEMS_MALFORMED": "A file of items breaks its format. The message has the line or the item; correct it.",
    "ITEMS_UNREADABLE": "A file of items can't be read: there is none, access is refused, or it is of another format.",
    "ITEMS_LIMIT": "A list has more items than its node allows. Raise the node's limit, or shorten the list.",
    "EVALUATION_LIMIT": "An expression or template takes too many steps. Simplify it.",
    "CODE_SYNTAX": "The `code` of a node is not Python, or uses Python that the sandbox does not have. Rewrite it.",
    "CODE_FAILED": "The `code` of a node raised an error. The message has its line, type and text.",
    "CODE_IMPORT_REFUSED": "`code` imports a module that it may not have. Use those that the message lists.",
    "CODE_TIME_LIMIT": "`code` took longer than it may. Make it do less, or raise `timeout_seconds`.",
    "CODE_MEMORY_LIMIT": "`code` needs more memory than it may have. Keep less in memory at once.",
    "CODE_RECURSION_LIMIT": "Calls or values in `code` are nested too deep. Use a loop, or flatten the value.",
    "CODE_OUTPUT_LIMIT": "`code` changes or prints more than it may. Keep less in the state, and print less.",
    "CODE_CALL_LIMIT": "`code` asks for the time, or sleeps, too often. Sleep once, for longer.",
    "CODE_SANDBOX_FAILED": "The sandbox for `code` can't be started, or its process ended. See the message.",
    "ASSERTION_FAILED": "An `assert` node's condition is false.",
    "LLM_UNAVAILABLE": "The model's provider refuses or does not answer for now; the call is repeated.",
    "LLM_FAILED": "The model's provider rejects the call. See the message.",
    "LLM_NOT_INSTALLED": "LLM calls need the extra `statebag[llm]`, or mock mode.",
    "VISION_NO_MEDIA": "The inputs of a model call give no image and no video. Check the fields that they name.",
    "VISION_MEDIA_REFUSED": "An image or video is none, is too large, or is where neither provider nor worker may fetch it.",
    "VISION_MEDIA_UNAVAILABLE": "The storage of an image or video does not answer for now; the call is repeated.",
    "REACT_LIMIT": "A limit ended an agent before its answer, and its `on_limit` is `fail`. Raise the limit named.",
    "API_ADDRESS_REFUSED": "A call leads to an address, port or form of URL that it must not. See `STATEBAG_API_ALLOW`.",
    "API_FAILED": "A web service rejects the call. See the message, and the response in the details.",
    "API_RATE_LIMITED": "A web service asks to call later (429, 503); the call is repeated.",
    "API_REDIRECT_REFUSED": "A web service redirects to another host, or too often. Call the final address.",
    "API_REQUEST_INVALID": "What the templates of a call have become can't be sent. See the message.",
    "API_RESPONSE_TOO_LARGE": "A response is larger than the node's `max_response_bytes`. Ask for less, or raise it.",
    "API_RESPONSE_UNREADABLE": "A response is neither JSON nor text, or is not what it says that it is.",
    "API_TIMEOUT": "A response is not whole within the node's `timeout`; the call is repeated.",
    "API_UNAVAILABLE": "A web service has a fault for now (408, 500, 502, 504); the call is repeated.",
    "API_UNREACHABLE": "A web service is not found, does not answer or breaks off; the call is repeated.",
    "DB_FAILED": "The database rejects a query, or its result can't be kept. See the message.",
    "DB_NOT_CONFIGURED": "The worker has no such database connection, or must not use it. Set `STATEBAG_DB_…`.",
    "DB_READ_ONLY": "A query may write, and the node or the worker allows only reading.",
    "DB_TIMEOUT": "A query takes longer than the node's `timeout`; it is repeated.",
    "DB_TOO_MANY_ROWS": "A query gives more rows than the node's `max_rows`. Narrow it, or raise the limit.",
    "DB_UNAVAILABLE": "The database does not answer, or refuses for now; the query is repeated.",
    "PACKAGE_MISSING": "A node type needs an extra that is not installed. Install the one named.",
    "LOOP_LIMIT_EXCEEDED": "The run has executed more segments than its loop limit. Raise `max_loop_iterations`.",
    "HITP_TIMEOUT": "Nobody answered a pause in time.",
    "HITP_REJECTED": "A person rejected at a pause that names no node for it.",
    "RUN_FAILED": "The run failed; the cause is named.",
    "REDRIVE_REFUSED": "The run can't be taken up: it has succeeded, or ended before it had a bag.",
    "RUN_CANCELED": "The run was canceled.",
    "RUN_NOT_FOUND": "There is no such run in this namespace.",
    # Answers to pauses.
    "PAUSE_UNKNOWN": "The run is not waiting at such a pause.",
    "PAUSE_AMBIGUOUS": "The run waits at several pauses. Name one.",
    "PAUSE_ANSWERED": "The pause has been answered already.",
    "RESPONSE_INVALID": "The answer lacks a field, has a wrong one, or breaks the pause's schema.",
    # Idempotency.
    "DUPLICATE_EXECUTION": "A run with this idempotency key is going on.",
    "IDEMPOTENCY_CONFLICT": "The idempotency key was used with another input. Use a new key.",
    "IDEMPOTENCY_UNVERIFIED": "Whether the run is the only one could not be checked.",
    # Step Functions definitions.
    "ASL_NOT_JSON": "A definition file is not JSON. Fix the syntax at the place named.",
    "ASL_KEY_DUPLICATE": "An object of a definition has a key twice; only the last would count. Remove one.",
    "ASL_SHAPE": "A part of a definition has the wrong JSON type, or a `Type` that does not exist. See the message.",
    "ASL_FIELD_MISSING": "A state, machine, rule or retrier lacks a field that it needs. Add it.",
    "ASL_FIELD_UNKNOWN": "A definition has a field where the States Language has none. Correct or remove it.",
    "ASL_FIELD_VALUE": "A field of a definition has a value outside what is allowed. See the message.",
    "ASL_FIELD_CONFLICT": "Fields of a definition exclude each other. Keep one of them.",
    "ASL_QUERY_LANGUAGE": "A field belongs to the other query language, JSONPath or JSONata. Use its counterpart.",
    "ASL_NAME_DUPLICATE": "Two states of a definition share a name. Rename one.",
    "ASL_NAME_LENGTH": "The name of a state is longer than 80 characters, or empty. Choose another.",
    "ASL_TARGET_UNKNOWN": "A definition leads to a state that its machine does not have. Correct the name.",
    "ASL_STATE_UNREACHABLE": "Nothing leads to a state. Lead to it, or remove it.",
    "ASL_NO_END": "No state of a machine ends it. Give one `End`, or add a Succeed or Fail state.",
    "ASL_CHOICE_RULE": "A rule of a Choice state is malformed. See the message.",
    "ASL_RETRY": "A retrier can't work as written. See the message.",
    "ASL_ERROR_NAME": "An error name starts with `States.` and does not exist, or stands where it must not. See the message.",
    "ASL_MAP": "A Map state has a field that its mode does not allow. See the message.",
    "ASL_RESOURCE": "A `Resource` is no ARN of a function, an activity or a service integration, and no placeholder.",
    "ASL_INTEGRATION": "A call of a service lacks a parameter, has one too many, or waits in a way that the service can't.",
    "ASL_PATH_SYNTAX": "A path is no JSONPath, or of a form that its field does not allow. See the message.",
    "ASL_INTRINSIC": "An intrinsic function is malformed, unknown, or has the wrong number of arguments.",
    "ASL_TEMPLATE": "A key that ends in `.$` has a value that is neither a path nor an intrinsic function.",
    "ASL_PATH_UNRESOLVED": "A path reads what no way to its state provides. Correct it, or provide the value.",
    "ASL_PATH_UNCERTAIN": "A path reads what only some ways to its state provide; with this warning. Test it with `IsPresent`.",
    "DEPLOY_MISSING": "A file of a deployment is missing. Write the folder with `statebag asl emit`.",
    "DEPLOY_MISMATCH": "Two parts of a deployment don't fit each other. See the message.",
    "DEPLOY_STATES": "A machine to deploy has other states than its catalogue. See the message.",
    "DEPLOY_SIZE": "A file of a deployment is larger than the service takes. Make it smaller.",
    "TOOL_MISSING": "A tool that only this command needs is not installed. See the message.",
    "DEPLOY_EVENT": "An event of a machine has no rule that takes it. Correct the event or the rule.",
    "FOLDER_UNWRITABLE": "A folder can't be written to. Check its path, its permissions and the space left.",
    "FOLDER_OCCUPIED": "A folder to write to holds files of somebody else. Name an empty or a new one.",
    "ASL_SUSPECT": "A definition is accepted, but hardly does what is meant; with this warning. See the message.",
    # The surroundings.
    "SETTING_INVALID": "An environment variable has a value that can't be used.",
    "SERVER_UNREACHABLE": "No Temporal server answers at the address. Start one, or correct the address.",
    "NO_WORKER": "The server answers, but no worker of the run's task queue does. Start one: `python worker.py`.",
    "PORT_TAKEN": "Another program listens on the port. Stop it, or choose another port.",
    "CODEC_REQUEST_INVALID": "A request to the codec server breaks its protocol. See the message.",
    "CODEC_REQUEST_DENIED": "The codec server was asked without its token, or by a web page that it does not know. See the message.",
    "CODEC_TOO_LARGE": "A request to the codec server, or what it decodes to, is over a limit. Ask for less, or raise the limit named.",
    "FILE_UNREADABLE": "A file named on the command line can't be read.",
    "USAGE": "The command line is wrong. `--help` lists what there is.",
}
"""Code to meaning and remedy: the only list of codes, which the docs repeat and tests check."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with an input."""

    path: str
    """JSON path of the place, ``$`` for the whole."""
    code: str
    """A key of :data:`CODES`."""
    message: str
    """What is wrong there and what to do."""

    def to_json(self) -> dict[str, str]:
        """The problem as the command line prints it."""
        return {"path": self.path, "code": self.code, "message": self.message}


class StateBagError(Exception):
    """Base of all errors with a code.

    Args:
        message: What, where, what to do.
        code: A key of :data:`CODES`; the class's own where omitted.
        details: JSON values that a program can act on.
    """

    default_code: ClassVar[str] = "RUN_FAILED"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is not in statebag.errors.CODES; register it there")
        self.details: dict[str, Any] = dict(details or {})

    def to_json(self) -> dict[str, Any]:
        """``{"code", "message", "retryable"}`` and ``details`` where there are any."""
        body: dict[str, Any] = {"code": self.code, "message": self.message, "retryable": self.retryable}
        return body | ({"details": self.details} if self.details else {})


class InputRefused(StateBagError):
    """An input (document, execution input, answer, setting) was refused before anything happened."""

    default_code = "FIELD_VALUE"

    def __init__(self, problems: Sequence[Problem], *, what: str = "input") -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(
            f"{what} refused: {first.path}: {first.message}{more}",
            code=first.code,
            details={"problems": [p.to_json() for p in self.problems]},
        )


class Unserialisable(StateBagError):
    """A value is not JSON."""

    default_code = "UNSERIALISABLE_FIELD"


class BagTooLarge(StateBagError):
    """The ladder of offloading ended above the policy's limit."""

    default_code = "BAG_TOO_LARGE"


class BagConflict(StateBagError):
    """The bag has moved on since the caller read it."""

    default_code = "BAG_VERSION_CONFLICT"


class OffloadFailed(StateBagError):
    """A write to the store failed for good; the previous bag stays current."""

    default_code = "OFFLOAD_FAILED"
    retryable = True


class PointerRefused(StateBagError):
    """A pointer is malformed or leads outside of its execution."""

    default_code = "POINTER_FORBIDDEN"


class PointerNotFound(StateBagError):
    """The object behind a pointer does not exist."""

    default_code = "POINTER_NOT_FOUND"


class PointerCorrupt(StateBagError):
    """The object behind a pointer fails a check: size, hash, codec."""

    default_code = "POINTER_CORRUPT"


class StoreUnavailable(StateBagError):
    """The store does not answer, or answers that it is busy."""

    default_code = "STORE_UNAVAILABLE"
    retryable = True


class NodeFailed(StateBagError):
    """A node can't do its work with the data it got."""

    default_code = "NODE_FAILED"


class ProviderUnavailable(StateBagError):
    """An outside service refuses for now.

    ``details["retry_after_seconds"]`` is what the provider asks for, where it does.
    """

    default_code = "LLM_UNAVAILABLE"
    retryable = True


class RunConflict(StateBagError):
    """The run asked for collides with another one."""

    default_code = "IDEMPOTENCY_CONFLICT"


class RunFailed(StateBagError):
    """A run ended, or can't be acted on, for the reason in the code."""

    default_code = "RUN_FAILED"
