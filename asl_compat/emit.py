"""Write what is deployed to AWS into a folder, from which ``sam build`` works as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import statebag
from asl_compat.machines import definitions
from asl_compat.model import parse_definition, print_definition
from asl_compat.sam import print_template, samconfig, test_input
from statebag.canonical import parse_json
from statebag.errors import StateBagError

__all__ = ["LISTING", "emit"]

LISTING = ".emitted.json"
"""Lists what was written, so that the next time nothing of anybody else's is touched."""
_BUILT = ".aws-sam"
"""What ``sam build`` writes beside it."""
_HERE = Path(__file__).parent
_README = """\
# Smart StateBag on AWS

Written by `statebag asl emit`. Don't edit: the next time replaces it.

| | |
| --- | --- |
| `statemachines/` | the definitions of the two machines |
| `template.yaml`, `samconfig.toml` | the stack, for the stages `default` (dev) and `production` |
| `src/`, `dependencies/` | code of the functions, and the layer with the packages that they need |
| `test_input.json` | an input to try a deployed machine with |

```
statebag check .                                   # before anything is deployed
sam build                                          # needs Python 3.12
sam deploy                                         # or: sam deploy --config-env production
aws stepfunctions start-execution --input file://test_input.json \\
  --state-machine-arn "$(aws stepfunctions list-state-machines \\
    --query "stateMachines[?name=='WorkflowOrchestrator-dev'].stateMachineArn" --output text)"
```
"""


def emit(folder: Path) -> list[Path]:
    """Write the folder, and remove what an earlier call has written and this one does not.

    Returns:
        The files, sorted. Their bytes are the same each time.

    Raises:
        StateBagError: ``FOLDER_OCCUPIED``: the folder has files that no call of this has written.
    """
    files = dict(_files())
    files[LISTING] = (json.dumps({"files": sorted(files)}, indent=1) + "\n").encode()
    earlier = _look(folder)
    for name in sorted(earlier - files.keys()):
        (folder / name).unlink(missing_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return sorted(folder / name for name in files)


def _look(folder: Path) -> set[str]:
    """What an earlier call has written there."""
    if not folder.exists():
        return set()
    listing = folder / LISTING
    known: set[str] = set()
    if listing.is_file():
        known = {LISTING, *parse_json(listing.read_bytes())["files"]}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    foreign = sorted(name for name in there - known if not name.startswith(f"{_BUILT}/") and "__pycache__" not in name)
    if not folder.is_dir() or foreign:
        named = ", ".join(foreign[:3]) + (" …" if len(foreign) > 3 else "") if foreign else "it is a file"
        text = f"{folder}: holds what was not written by this command: {named}. Name an empty or a new folder."
        raise StateBagError(text, code="FOLDER_OCCUPIED", details={"files": foreign[:100]})
    return known


def _files() -> Iterator[tuple[str, bytes]]:
    for name, definition in definitions().items():
        yield f"statemachines/{name}", print_definition(parse_definition(definition)).encode()
    yield "template.yaml", print_template().encode()
    yield "samconfig.toml", samconfig().encode()
    yield "test_input.json", (json.dumps(test_input(), indent=2) + "\n").encode()
    yield "README.md", _README.encode()
    yield "dependencies/requirements.txt", (_HERE / "sam" / "requirements.txt").read_bytes()
    packages: Mapping[str, Path] = {"statebag": Path(statebag.__path__[0]), "asl_compat": _HERE}
    for package, root in packages.items():
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if path.is_file() and "__pycache__" not in inside.parts and inside.parts[0] != "app":
                yield f"src/{package}/{inside.as_posix()}", path.read_bytes()
