"""The distributions contain what they should."""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str]]:
    """Return the names of the files in the source distribution and in the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(  # noqa: S603 - our own package
        [sys.executable, "-m", "hatchling", "build", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [source], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(source) as tar, zipfile.ZipFile(wheel) as archive:
        return {name.partition("/")[2] for name in tar.getnames()}, set(archive.namelist())


def test_the_source_distribution_has_guides_tests_and_contributor_kit(
    distributions: tuple[set[str], set[str]],
) -> None:
    source, _ = distributions
    guides = [path for path in (ROOT / "aiopresence/docs").rglob("*") if path.is_file()]
    assert {str(path.relative_to(ROOT)) for path in guides} <= source
    # The pictures are in the folder of the guides, so that a copy of it shows them.
    pictures = {"watch.svg", "dashboard-light.png"}
    assert {f"aiopresence/docs/pictures/{name}" for name in pictures} <= source
    assert {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"} <= source
    assert {"aiopresence/redis/tokens.lua", "aiopresence/web/index.html"} <= source
    assert {
        ".github/CONTRIBUTING.md",
        ".pre-commit-config.yaml",
        "tests/docs/test_examples.py",
    } <= source


def test_the_wheel_has_every_module_script_and_page_and_no_guides(
    distributions: tuple[set[str], set[str]],
) -> None:
    _, wheel = distributions
    files = [
        each for end in ("*.py", "*.lua", "*.html") for each in (ROOT / "aiopresence").rglob(end)
    ]
    ours = {name for name in wheel if ".dist-info/" not in name}
    assert ours == {*(str(path.relative_to(ROOT)) for path in files), "aiopresence/py.typed"}
    assert {"aiopresence/redis/tokens.lua", "aiopresence/web/index.html"} <= ours


def test_pre_commit_runs_the_checks_of_the_test_command() -> None:
    readme = (ROOT / "README.md").read_text()
    command = re.search(r"<!-- test command -->\n```sh\n(.*)\n```", readme)
    assert command is not None
    hooks = re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text())
    # Files are given by pre-commit; the test command names the folder.
    checks = {hook.removesuffix(" --force-exclude") for hook in hooks}
    steps = {step.removesuffix(" .") for step in command[1].split(" && ")}
    assert checks == {".venv/bin/ruff check", ".venv/bin/ruff format --check", ".venv/bin/mypy"}
    assert checks <= steps
