"""Write what is deployed to AWS into a folder, from which ``sam build`` works as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import statebag
from asl_compat.machines import definitions
from asl_compat.model import parse_definition, print_definition
from asl_compat.sam import Architecture, Generation, layer_makefile, print_template, samconfig, test_input
from statebag.canonical import parse_json, sha256_hex
from statebag.errors import StateBagError

__all__ = ["LISTING", "emit"]

LISTING = ".emitted.json"
"""Has the hashes of what was written, so that the next time nothing of anybody else's is touched."""
_BUILT = ".aws-sam"
"""What ``sam build`` writes beside it."""
_YOURS = frozenset({"samconfig.toml"})
"""What may be changed."""
_HERE = Path(__file__).parent
_README = """\
# Smart StateBag on AWS

Written by `statebag asl emit`. Edit nothing but `samconfig.toml`: the next time the rest is replaced, or, where it was
changed, refused.

| | |
| --- | --- |
| `statemachines/` | the definitions of the two machines, and of the two before them |
| `template.yaml`, `samconfig.toml` | the stack, for the stages `default` (dev) and `production` |
| `src/`, `dependencies/` | code of the functions, and the layer with the packages that they need |
| `test_input.json` | an input to try a deployed machine with |

```
statebag check .                                   # before anything is deployed
sam build                                          # needs make and Python 3.12
sam deploy                                         # or: sam deploy --config-env production
aws stepfunctions start-execution --input file://test_input.json \\
  --state-machine-arn "$(aws stepfunctions list-state-machines \\
    --query "stateMachines[?name=='WorkflowOrchestrator-dev'].stateMachineArn" --output text)"
```

To go back, where what is wrong is

- a function: machines call its alias `live`, so that moving that is enough, and is done at once. The versions:
  `aws lambda list-versions-by-function --function-name StateDataManager-dev`
  `aws lambda update-alias --function-name StateDataManager-dev --name live --function-version N`
- a definition: `statebag asl emit . --machines legacy` (the machines before v3; `--machines v3` is the way back), or write
  this folder with the version of statebag before; then `sam build` and `sam deploy`: 5 minutes. Executions that run keep
  the definition that they began with.
- a deployment that is under way: `aws cloudformation cancel-update-stack --stack-name statebag-dev`
"""


def emit(folder: Path, *, architecture: Architecture = "x86_64", machines: Generation = "v3") -> list[Path]:
    """Write the folder, and remove what an earlier call has written and this one does not.

    ``samconfig.toml`` stays as it is where it was changed: ``sam deploy --guided`` keeps its answers there.

    Args:
        folder: A new one, an empty one, or one that an earlier call has written.
        architecture: What the functions run on.
        machines: Which ones the template deploys. The definitions of all are there.

    Returns:
        The files, sorted. Their bytes are the same each time.

    Raises:
        StateBagError: ``FOLDER_OCCUPIED``: the folder has files that no call of this has written, or that were
            changed since. ``FOLDER_UNWRITABLE``.
    """
    files = dict(_files(architecture, machines))
    hashes = {name: sha256_hex(data) for name, data in sorted(files.items())}
    files[LISTING] = (json.dumps({"files": hashes}, indent=1) + "\n").encode()
    try:
        there = _look(folder, hashes)
        for name in sorted(there.keys() - files.keys()):
            (folder / name).unlink()
        for name, data in files.items():
            path = folder / name
            if name not in there or not there[name]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    except OSError as cause:
        text = f"{folder}: can't be written: {cause.strerror or cause}. Check its path, its permissions and the space left."
        raise StateBagError(text, code="FOLDER_UNWRITABLE") from cause
    return sorted(folder / name for name in files)


def _look(folder: Path, new: Mapping[str, str]) -> Mapping[str, bool]:
    """The files that are there, each with whether it stays as it is; only what is inside of the folder is told.

    Raises:
        StateBagError: ``FOLDER_OCCUPIED``.
    """
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise _occupied(folder, "it is a file", [])
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    ours = {
        name: path for name, path in there.items() if not name.startswith(f"{_BUILT}/") and "__pycache__" not in name
    }
    known = _read_listing(folder / LISTING, folder) if ours.pop(LISTING, None) else {}
    hashes = {name: sha256_hex(path.read_bytes()) for name, path in ours.items()}
    changed = {name for name, found in hashes.items() if found not in (known.get(name), new.get(name))}
    foreign = sorted(changed - known.keys())
    if foreign:
        raise _occupied(folder, f"not written by this command: {_some(foreign)}", foreign)
    edited = sorted(changed - _YOURS)
    if edited:
        raise _occupied(folder, f"changed since they were written: {_some(edited)}", edited)
    return {name: name in changed for name in hashes}


def _read_listing(path: Path, folder: Path) -> Mapping[str, str]:
    try:
        return dict(parse_json(path.read_bytes())["files"])
    except (ValueError, TypeError, KeyError) as cause:
        raise _occupied(folder, f"{LISTING} is not what this command writes", [LISTING]) from cause


def _occupied(folder: Path, what: str, files: Sequence[str]) -> StateBagError:
    text = f"{folder}: {what}. Move them away, or name an empty or a new folder."
    return StateBagError(text, code="FOLDER_OCCUPIED", details={"files": list(files[:100])})


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _files(architecture: Architecture, machines: Generation) -> Iterator[tuple[str, bytes]]:
    for name, definition in definitions().items():
        yield f"statemachines/{name}", print_definition(parse_definition(definition)).encode()
    yield "template.yaml", print_template(architecture, machines).encode()
    yield "samconfig.toml", samconfig().encode()
    yield "test_input.json", (json.dumps(test_input(), indent=2) + "\n").encode()
    yield "README.md", _README.encode()
    yield "dependencies/Makefile", layer_makefile(architecture).encode()
    yield "dependencies/requirements.txt", (_HERE / "sam" / "requirements.txt").read_bytes()
    packages: Mapping[str, Path] = {"statebag": Path(statebag.__path__[0]), "asl_compat": _HERE}
    for package, root in packages.items():
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if path.is_file() and "__pycache__" not in inside.parts and inside.parts[0] != "app":
                yield f"src/{package}/{inside.as_posix()}", path.read_bytes()
