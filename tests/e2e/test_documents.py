"""The documents' promises: every command is run, every example comes out, every link leads."""

import base64
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore import xform_name
from botocore.model import StructureShape

import transform
from local.core.server import ACCOUNT, Cloud
from local.demo import IDLE_SECONDS, call_script
from local.services.registry import SERVICES
from setup import names
from tests.emulator.test_readme import defined_tests
from tests.support.documents import (
    CONTRIBUTING,
    DOCUMENTS,
    OWN_TABLE,
    PROJECT,
    README,
    blocks,
    commands,
)
from tests.support.laptop_cloud import laptop

ROW = PROJECT / "docs" / "row.md"


class Run(NamedTuple):
    """How a command is run here: what is added to it, so that it ends soon and leaves nothing."""

    more: tuple[str, ...] = ()
    interrupted: bool = False  # once it has written its first file


# In this order, each once, on one laptop cloud; TMP is a folder that nothing is left of.
RUN = {
    "python setup": Run(),
    "python setup --check": Run(),
    "python data_generator.py": Run(("--orders", "12")),
    "python -m analytics.run": Run(),
    "python -m analytics.run revenue_by_day": Run(),
    "python -m analytics.run revenue_by_day --param region=EU --format csv": Run(),
    "python -m analytics.dashboard --open --watch 30": Run(("--out", "TMP/page.html"), True),
    "python -m operations.status": Run(),
    "python -m operations.verify --repair": Run(("--wait", "0")),
    "python -m operations.verify --gaps": Run(),
    "python -m operations.replay --dry-run": Run(),
    "python -m operations.replay": Run(),
    "python setup/deployer_policy.py > policy.json": Run(),
    "aws iam put-role-policy --role-name deployer --policy-name sales-cdc "
    "--policy-document file://policy.json": Run(),
    "python setup/operator_policy.py > operator.json": Run(),
    "aws iam put-role-policy --role-name operator --policy-name sales-cdc "
    "--policy-document file://operator.json": Run(),
    "python setup/05_lambda.py --zip-only build/lambda.zip": Run(),
    "aws lambda create-function --function-name sales-cdc-transform --runtime python3.13 "
    "--handler lambda_function.lambda_handler --timeout 60 --memory-size 512 "
    "--role arn:aws:iam::123456789012:role/sales-cdc-lambda-us-east-1 "
    "--zip-file fileb://build/lambda.zip": Run(),
    "aws lambda wait function-active-v2 --function-name sales-cdc-transform": Run(),
    "aws lambda update-function-code --function-name sales-cdc-transform "
    "--zip-file fileb://build/lambda.zip": Run(),
    "aws lambda wait function-updated-v2 --function-name sales-cdc-transform": Run(),
}

# What another test runs, or all that it comes to.
MAKE, SERVE, DEMO = (
    "e2e/test_documents.py::test_make_runs_what_is_written_without_it",
    "e2e/test_documents.py::test_a_served_cloud_is_found_by_the_lines_it_prints",
    "e2e/test_demo.py::test_the_demo_verifies_the_lake",
)
SELECT = "e2e/test_documents.py::test_contributing_selects_existing_tests"
TEST_SELECTIONS = [command for command in commands(CONTRIBUTING) if command.startswith("pytest ")]
HELD = {
    **dict.fromkeys(TEST_SELECTIONS, SELECT),
    **dict.fromkeys(("make demo", "make test", "make lint", "pytest"), MAKE),
    **dict.fromkeys(("python -m local --empty", "python -m local --serve"), SERVE),
    **dict.fromkeys(("python -m local", "python -m analytics.dashboard"), DEMO),
    **dict.fromkeys(
        commands(OWN_TABLE),
        "e2e/test_own_table.py::test_the_lake_equals_a_table_that_knows_nothing_of_sales",
    ),
    "pip install -r requirements.txt": "e2e/test_documents.py::test_what_is_required_is_installed",
    "python -m local --nemesis 7": (
        "emulator/nemesis/test_nemesis.py::test_only_poisoned_and_inflated_items_differ"
    ),
    "python setup/teardown.py": "setup/test_teardown.py::test_the_data_is_kept_by_default",
}


@pytest.fixture(scope="module")
def statuses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, int]]:
    """How each command ended: all were run in their order, while the cloud moved."""
    folder = tmp_path_factory.mktemp("commands")
    with pytest.MonkeyPatch.context() as patched, laptop(*SERVICES) as cloud:
        patched.setenv("BROWSER", "true")  # Opens nothing, and succeeds.
        yield {command: ended(cloud, command, RUN[command], folder) for command in RUN}


def ended(cloud: Cloud, command: str, how: Run, folder: Path) -> int:
    """Run a command as the documents have it, and return its exit status."""
    made_ready(cloud, command)
    line, _, file = command.partition(" > ")
    words = [*shlex.split(line), *(word.replace("TMP", str(folder)) for word in how.more)]
    if words[0] == "aws":
        return asked_of_aws(cloud, words[1:], folder)
    if file:
        script = [sys.executable, *words[1:]]
        with (folder / file).open("w") as out:
            return subprocess.run(script, cwd=PROJECT, stdout=out, check=False).returncode
    if how.interrupted:
        return interrupted(cloud, words[1:], Path(words[-1]))
    status = call_script(cloud, *words[1:])
    cloud.run_until_idle()
    return status


def made_ready(cloud: Cloud, command: str) -> None:
    """Make what the documents say must be there, or must not."""
    if "put-role-policy" in command:
        role = re.search(r"--role-name (\S+)", command)[1]
        cloud.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    if "create-function" in command:
        cloud.client("lambda").delete_function(FunctionName=names.FUNCTION)


def interrupted(cloud: Cloud, words: list[str], file: Path) -> int:
    """Return how a script ends that is interrupted once it has written its file: 0 if politely."""
    script = subprocess.Popen([sys.executable, *words], cwd=PROJECT)
    while not file.exists() and script.poll() is None:
        if not cloud.tick():
            time.sleep(IDLE_SECONDS)
    script.send_signal(signal.SIGINT)
    return {130: 0}.get(script.wait(30), 1)


def asked_of_aws(cloud: Cloud, words: list[str], folder: Path) -> int:
    """Ask AWS what a command of its CLI would; an option that the service lacks raises."""
    service, operation, *rest = words
    client = boto3.client(service)
    waiter = client.get_waiter(rest.pop(0).replace("-", "_")) if operation == "wait" else None
    name = (
        waiter.config.operation
        if waiter
        else client.meta.method_to_api_mapping[operation.replace("-", "_")]
    )
    shape = client.meta.service_model.operation_model(name).input_shape
    given = parameters(shape, dict(zip(rest[::2], rest[1::2], strict=True)), folder)
    if waiter:
        waiter.wait(**given)
    else:
        getattr(client, operation.replace("-", "_"))(**given)
    return 0


def parameters(shape: StructureShape, options: dict[str, str], folder: Path) -> dict[str, Any]:
    """Return an operation's parameters, as the CLI makes them of its options."""
    members = {f"--{xform_name(name, '-')}": name for name in shape.members}
    given: dict[str, Any] = {}
    for option, text in options.items():
        value = content(text, folder)
        if option == "--zip-file" and "Code" in shape.members:  # A convenience of the CLI's own.
            given["Code"] = {"ZipFile": value}
            continue
        member = members[option]
        given[member] = int(value) if shape.members[member].type_name == "integer" else value
    return given


def content(text: str, folder: Path) -> str | bytes:
    """Return what an option holds, or the file that it names."""
    if text.startswith("fileb://"):
        return (PROJECT / text.removeprefix("fileb://")).read_bytes()
    if text.startswith("file://"):
        return (folder / text.removeprefix("file://")).read_text()
    return text


@pytest.mark.parametrize("command", RUN)
def test_a_command_of_the_documents_does_what_they_say(
    statuses: Mapping[str, int], command: str
) -> None:
    assert statuses[command] == 0


def test_no_command_of_the_documents_is_left_out() -> None:
    told = {command for document in DOCUMENTS for command in commands(document)}
    assert told == RUN.keys() | HELD.keys()


def test_what_is_held_elsewhere_is_held() -> None:
    for reference in HELD.values():
        file, _, test = reference.partition("::")
        assert test in defined_tests(file), reference


def test_make_runs_what_is_written_without_it() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    recipes = dict(re.findall(r"^(\w+): .*\n\t(.*)$", makefile, re.MULTILINE))
    assert recipes["demo"] == "@$(VENV)/bin/python -m local"
    assert recipes["test"] == "@$(VENV)/bin/python -m pytest"
    assert "ruff check ." in recipes["lint"]


@pytest.mark.parametrize("command", TEST_SELECTIONS)
def test_contributing_selects_existing_tests(command: str) -> None:
    pytest_args = [*shlex.split(command)[1:], "--collect-only", "-p", "no:cacheprovider"]
    process = subprocess.run(
        [sys.executable, "-m", "pytest", *pytest_args],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout


def test_what_is_required_is_installed() -> None:
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    pinned = [line.split()[0].split("==") for line in lines if "==" in line]
    assert [(name, version(name)) for name, _ in pinned] == [(name, pin) for name, pin in pinned]


def test_a_served_cloud_is_found_by_the_lines_it_prints() -> None:
    asks = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    serve = [sys.executable, "-m", "local", "--empty"]
    with subprocess.Popen(serve, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as served:
        shell = "".join(printed_lines(served))
        found = subprocess.run(
            ["bash", "-c", f'{shell} "$0" -c "$1"', sys.executable, asks],
            capture_output=True,
            text=True,
            check=False,
        )
        served.send_signal(signal.SIGINT)
    assert (found.stdout, served.returncode) == (f"{ACCOUNT}\n", 130), found.stderr


def printed_lines(served: "subprocess.Popen[str]") -> Iterator[str]:
    """Yield the lines for another terminal that a served cloud prints."""
    for line in served.stdout or ():
        if line.startswith(("export ", "unset ")):
            yield line
        if line.startswith("export NO_PROXY="):
            return


def test_the_row_of_the_documents_is_the_row_of_the_change_before_it() -> None:
    change, row = [block.text for block in blocks(ROW)]
    data = base64.b64encode(change.encode()).decode()
    (result,) = transform.transform_batch({"records": [{"recordId": "r", "data": data}]}).records
    made = json.loads(base64.b64decode(result["data"]))
    assert list(made.items()) == list(json.loads(row).items())
    assert f"lake/dt={result['metadata']['partitionKeys']['dt']}/" in ROW.read_text("utf-8")


def anchors(document: Path) -> set[str]:
    """Return what a link into a document may name: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        leads_to = (document.parent / file).resolve() if file else document
        assert leads_to.exists(), target
        assert not anchor or anchor in anchors(leads_to), target


# What the documents name although it is only there once something has run.
MADE = {
    "dashboard.html",
    "build/verified.json",
    "build/lambda.zip",
    "policy.json",
    "athena.properties",
}
NAMED = re.compile(
    r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|sql|txt|json|html|svg|zip|properties)|(?:[a-z_]+/)+)`"
)
FOLDERS = {"lake/", "errors/", "replayed/", "queries/"}  # of the bucket


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_file_that_is_named_exists(document: Path) -> None:
    places = (PROJECT, document.parent, PROJECT / "setup", PROJECT / "tests")
    for name in set(NAMED.findall(document.read_text("utf-8"))) - MADE - FOLDERS:
        assert any((place / name).exists() for place in places), name


@pytest.mark.parametrize("step", re.findall(r"`(\d\d_\w+)`", README.read_text("utf-8")))
def test_every_step_that_the_readme_names_is_a_script(step: str) -> None:
    assert (PROJECT / "setup" / f"{step}.py").exists()


def test_the_readme_has_every_step() -> None:
    steps = sorted(path.stem for path in (PROJECT / "setup").glob("[0-9][0-9]_*.py"))
    assert re.findall(r"^\| `(\d\d_\w+)` \|", README.read_text("utf-8"), re.MULTILINE) == steps
