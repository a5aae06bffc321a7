"""The documents: every command runs, every example is correct, every link has a target."""

import base64
import io
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.model import StructureShape

import transform
from local.core.server import ACCOUNT, Cloud
from local.demo import IDLE_SECONDS
from local.services.registry import SERVICES
from setup import names
from tests.emulator.test_readme import defined_tests
from tests.support.documents import (
    CONTRIBUTING,
    DBT_EXAMPLE,
    DOCUMENTS,
    OWN_TABLE,
    README,
    blocks,
    commands,
)
from tests.support.laptop_cloud import aws, laptop
from tests.support.paths import PROJECT
from tests.support.scripts import call_script
from tests.support.whole_chain import create_pipeline

ROW = PROJECT / "docs" / "row.md"
Outcome = tuple[int, str]  # An exit status and the output.
MAX_SECONDS = 120  # for a script to write its first output

# All run in this order, on one laptop cloud, after setup.
COMMANDS = (
    "python setup --check",
    "python data_generator.py",
    "python -m analytics.run",
    "python -m analytics.run revenue_by_day",
    "python -m analytics.run revenue_by_day --param region=EU --format csv",
    "python -m operations.rates examples/rates.csv --currency EUR",
    "python -m analytics.run revenue_in_reporting_currency --param period=week",
    "python -m analytics.check",
    "python -m analytics.check --days 2 --publish",
    "python -m analytics.dashboard --open --watch 30",
    "python -m operations.compact --dry-run",
    "python -m operations.compact",
    "python -m operations.status",
    "python -m operations.verify --repair",
    "python -m operations.verify --gaps",
    "python -m operations.replay --dry-run",
    "python -m operations.replay",
    "python -m operations.restore --dry-run",
    "python -m operations.restore",
    "python setup/deployer_policy.py > policy.json",
    "aws iam put-role-policy --role-name deployer --policy-name sales-cdc "
    "--policy-document file://policy.json",
    "python setup/operator_policy.py > operator.json",
    "aws iam put-role-policy --role-name operator --policy-name sales-cdc "
    "--policy-document file://operator.json",
    "python setup/05_lambda.py --zip-only build/lambda.zip",
    "aws lambda create-function --function-name sales-cdc-transform --runtime python3.13 "
    "--handler lambda_function.lambda_handler --timeout 60 --memory-size 512 "
    "--role arn:aws:iam::123456789012:role/sales-cdc-lambda-us-east-1 "
    "--zip-file fileb://build/lambda.zip",
    "aws lambda wait function-active-v2 --function-name sales-cdc-transform",
    "aws lambda update-function-code --function-name sales-cdc-transform "
    "--zip-file fileb://build/lambda.zip",
    "aws lambda wait function-updated-v2 --function-name sales-cdc-transform",
)
# Options that make a command short, or let it write into the test's FOLDER.
EXTRA_OPTIONS = {
    "python data_generator.py": ("--orders", "12"),
    "python -m analytics.dashboard --open --watch 30": ("--out", "FOLDER/page.html"),
    "python -m operations.verify --repair": ("--wait", "0"),
}
# These run until they are interrupted, here once they have written the file of their last option.
ENDLESS_COMMANDS = {"python -m analytics.dashboard --open --watch 30"}

# Commands that other tests run, or whose parts they check.
TEST_SELECTIONS = [command for command in commands(CONTRIBUTING) if command.startswith("pytest ")]
TEST_BY_COMMAND = {
    "python setup/key_policy.py": "setup/test_own_key.py::test_the_keys_policy_names_its_services",
    "python -m operations.plan --changes-per-day 33000 --item-bytes 600 --items 1000000 "
    "--questions-per-day 10": "operations/test_plan.py::test_the_command_prints_the_plan",
    **dict.fromkeys(
        TEST_SELECTIONS, "e2e/test_documents.py::test_contributing_selects_existing_tests"
    ),
    **dict.fromkeys(
        ("make demo", "make test", "make lint", "pytest", ". .venv/bin/activate"),
        "e2e/test_documents.py::test_make_runs_the_documented_commands",
    ),
    **dict.fromkeys(
        ("python -m local --empty", "python -m local --serve"),
        "e2e/test_documents.py::test_printed_variables_select_the_cloud",
    ),
    **dict.fromkeys(
        (
            "python -m local",
            "python setup",
            "python setup/10_glue.py --crawl",
            "python -m analytics.dashboard",
        ),
        "e2e/test_demo.py::test_the_demo_verifies_the_lake",
    ),
    **dict.fromkeys(
        commands(OWN_TABLE), "e2e/test_own_table.py::test_the_lake_equals_the_adopted_table"
    ),
    "pip install -r requirements.txt": (
        "e2e/test_documents.py::test_required_versions_are_installed"
    ),
    "python -m local --nemesis 7": (
        "emulator/nemesis/test_nemesis.py::test_only_poisoned_and_inflated_items_differ"
    ),
    **dict.fromkeys(
        commands(DBT_EXAMPLE), "emulator/athena/test_dbt.py::test_dbt_builds_the_example"
    ),
    "python setup/teardown.py": "setup/test_teardown.py::test_the_data_is_kept_by_default",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Outcome]]:
    """The exit statuses and outputs of the commands, after all of them have run in order."""
    folder = tmp_path_factory.mktemp("commands")
    with pytest.MonkeyPatch.context() as patch, laptop(*SERVICES) as cloud:
        patch.setenv("BROWSER", "true")  # The command `true` opens nothing and succeeds.
        patch.chdir(PROJECT)
        create_pipeline()
        yield {command: run_documented(cloud, command, folder) for command in COMMANDS}


def run_documented(cloud: Cloud, command: str, folder: Path) -> Outcome:
    """Run a command of the documents, and return its exit status and output."""
    prepare(cloud, command)
    command_line, _, output_name = command.partition(" > ")
    extra_options = EXTRA_OPTIONS.get(command, ())
    program, *args = shlex.split(command_line)
    args += [option.replace("FOLDER", str(folder)) for option in extra_options]
    if program == "aws":
        call_aws(args, folder)
        return 0, ""
    if command in ENDLESS_COMMANDS:
        return run_and_interrupt(cloud, args, output_path=Path(args[-1])), ""
    sink = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(sink), redirect_stderr(sink):
        status = call_script(cloud, *args)
    sink.seek(0)
    output = sink.read()
    if output_name:
        (folder / output_name).write_text(output)
    cloud.run_until_idle()
    return status, output


def prepare(cloud: Cloud, command: str) -> None:
    """Create or delete the resource that the documents expect to exist or not to exist."""
    if role := re.search(r"put-role-policy --role-name (\S+)", command):
        cloud.client("iam").create_role(RoleName=role[1], AssumeRolePolicyDocument="{}")
    if "create-function" in command:
        cloud.client("lambda").delete_function(FunctionName=names.FUNCTION)


def run_and_interrupt(cloud: Cloud, args: list[str], output_path: Path) -> int:
    """Interrupt a script once it has written its output; return 0 if it ends with status 130."""
    process = subprocess.Popen([sys.executable, *args], cwd=PROJECT)
    deadline = time.monotonic() + MAX_SECONDS
    while not output_path.exists() and process.poll() is None and time.monotonic() < deadline:
        if not cloud.tick():
            time.sleep(IDLE_SECONDS)
    process.send_signal(signal.SIGINT)
    return 0 if process.wait(30) == 130 else 1


def call_aws(args: list[str], folder: Path) -> None:
    """Make the call of an AWS CLI command with boto3; an option that does not exist raises."""
    service, cli_operation, *options = args
    client: Any = aws(service)  # A client of any service.
    if cli_operation == "wait":
        waiter = client.get_waiter(options.pop(0).replace("-", "_"))
        operation = waiter.config.operation
        call = waiter.wait
    else:
        method = cli_operation.replace("-", "_")
        operation = client.meta.method_to_api_mapping[method]
        call = getattr(client, method)
    shape = client.meta.service_model.operation_model(operation).input_shape
    values = dict(zip(options[::2], options[1::2], strict=True))
    call(**api_params(shape, values, folder))


# Parameters of any operation.
def api_params(shape: StructureShape, options: dict[str, str], folder: Path) -> dict[str, Any]:
    """Return the parameters that the AWS CLI derives from its options."""
    member_by_option = {f"--{xform_name(name, '-')}": name for name in shape.members}
    params: dict[str, Any] = {}
    for option, text in options.items():
        value = option_value(text, folder)
        if option == "--zip-file" and "Code" in shape.members:  # The CLI's own shorthand.
            params["Code"] = {"ZipFile": value}
            continue
        member = member_by_option[option]
        is_integer = shape.members[member].type_name == "integer"
        params[member] = int(value) if is_integer else value
    return params


def option_value(text: str, folder: Path) -> str | bytes:
    """Return the value of an option, or the content of the file that it names."""
    if text.startswith("fileb://"):
        return (PROJECT / text.removeprefix("fileb://")).read_bytes()
    if text.startswith("file://"):
        return (folder / text.removeprefix("file://")).read_text()
    return text


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_documented_commands_succeed(outcomes: Mapping[str, Outcome], command: str) -> None:
    status, output = outcomes[command]
    assert status == 0, output


def test_every_documented_command_is_tested() -> None:
    documented = {command for document in DOCUMENTS for command in commands(document)}
    assert documented == {*COMMANDS, *TEST_BY_COMMAND}


def test_the_tests_of_other_commands_exist() -> None:
    for reference in TEST_BY_COMMAND.values():
        file, _, test = reference.partition("::")
        assert test in defined_tests(file), reference


def test_make_runs_the_documented_commands() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    recipes = dict(re.findall(r"^(\w+): .*\n\t(.*)$", makefile, re.MULTILINE))
    assert "VENV   := .venv\n" in makefile
    assert recipes["demo"] == "@$(VENV)/bin/python -m local"
    assert recipes["test"] == "@$(VENV)/bin/python -m pytest"
    assert "ruff check ." in recipes["lint"]


@pytest.mark.slow
def test_contributing_selects_existing_tests() -> None:
    arguments = [argument for command in TEST_SELECTIONS for argument in shlex.split(command)[1:]]
    selections = [argument for argument in arguments if argument.startswith("tests/")]
    options = ["--collect-only", "-n", "0", "-p", "no:cacheprovider"]
    process = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, *options],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    assert selections
    for selection in selections:
        assert f"\n{selection}" in f"\n{process.stdout}"


def test_required_versions_are_installed() -> None:
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    requirements = [line.split()[0] for line in lines if "==" in line]
    pinned = [re.sub(r"\[.*\]", "", text).split("==") for text in requirements]
    assert {name: version(name) for name, _ in pinned} == dict(pinned)


@pytest.mark.slow
def test_printed_variables_select_the_cloud() -> None:
    code = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    serve = [sys.executable, "-m", "local", "--empty"]
    with subprocess.Popen(serve, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as server:
        shell_lines = "".join(printed_shell_lines(server))
        script = subprocess.run(
            ["bash", "-c", f'{shell_lines} "$0" -c "$1"', sys.executable, code],
            capture_output=True,
            text=True,
            check=False,
        )
        server.send_signal(signal.SIGINT)
    assert (script.stdout, server.returncode) == (f"{ACCOUNT}\n", 130), script.stderr


def printed_shell_lines(server: "subprocess.Popen[str]") -> Iterator[str]:
    """Yield the lines that a served cloud prints for another terminal."""
    for line in server.stdout or ():
        if line.startswith(("export ", "unset ")):
            yield line
        if line.startswith("export NO_PROXY="):
            return


def test_the_example_row_matches_its_change() -> None:
    change, expected_row = (block.text for block in blocks(ROW))
    data = base64.b64encode(change.encode()).decode()
    (result,) = transform.transform_batch({"records": [{"recordId": "r", "data": data}]}).records
    row = json.loads(base64.b64decode(result["data"]))
    assert list(row.items()) == list(json.loads(expected_row).items())
    assert f"lake/dt={result['metadata']['partitionKeys']['dt']}/" in ROW.read_text("utf-8")


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, in GitHub's spelling."""
    headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_link_has_a_target(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


# Files that exist only after a command has run.
GENERATED_FILES = {
    "dashboard.html",
    "build/verified.json",
    "build/lambda.zip",
    "policy.json",
    "athena.properties",
    "analytics/views/current_readings.sql",
}
FILE_NAME = re.compile(
    r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|sql|txt|json|html|svg|zip|properties)|(?:[a-z_]+/)+)`"
)
BUCKET_FOLDERS = {
    "lake/",
    "tables/",
    "rates/",
    "errors/",
    "replayed/",
    "queries/",
    "backfills/",
    "lake-id/",
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_named_file_exists(document: Path) -> None:
    folders = (PROJECT, document.parent, PROJECT / "setup", PROJECT / "tests")
    file_names = set(FILE_NAME.findall(document.read_text("utf-8")))
    for name in file_names - GENERATED_FILES - BUCKET_FOLDERS:
        assert any((folder / name).exists() for folder in folders), name


@pytest.mark.parametrize("step", re.findall(r"`(\d\d_\w+)`", README.read_text("utf-8")))
def test_every_named_step_is_a_script(step: str) -> None:
    assert (PROJECT / "setup" / f"{step}.py").exists()


def test_the_readme_lists_every_step() -> None:
    steps = sorted(path.stem for path in (PROJECT / "setup").glob("[0-9][0-9]_*.py"))
    assert re.findall(r"^\| `(\d\d_\w+)` \|", README.read_text("utf-8"), re.MULTILINE) == steps
