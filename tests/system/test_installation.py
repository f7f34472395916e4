"""What `pip install` puts on a machine: a small client, one import name per wheel, no clash with a user's packages."""

import json
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.integration.fake_regard import FakeServer
from tests.system.installed import (
    FOLDERS,
    REPOSITORY,
    Environment,
    build_wheels,
    create_environment,
    plain_variables,
    wheel_files,
    wheel_metadata,
)

MAX_CLIENT_BYTES = 1_000_000
ZOO = REPOSITORY / "models" / "zoo"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
XLIFF = '<xliff version="2.0" srcLang="en" xmlns="urn:oasis:names:tc:xliff:document:2.0"><file id="f">{}</file></xliff>'
# A file of each format that has a library or a reader of its own, with one sentence in it.
FILES = {
    "a.txt": "{}",
    "a.md": "# {}\n\n| a |\n|---|\n| 1 |",
    "a.html": "<p>{}</p>",
    "a.srt": "1\n00:00:01,000 --> 00:00:02,000\n{}\n",
    "a.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n{}\n",
    "a.ass": "[Events]\nFormat: Layer, Start, End, Text\nDialogue: 0,0:00:01.00,0:00:02.00,{}\n",
    "a.po": 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "{}"\nmsgstr ""\n',
    "a.json": '{{"key": "{}"}}',
    "a.xlf": XLIFF.format('<unit id="u"><segment><source>{}</source></segment></unit>'),
    "a.ts": '<TS version="2.1"><context><message><source>{}</source></message></context></TS>',
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def client_alone(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Environment:
    return create_environment(tmp_path_factory.mktemp("client") / "venv", wheels, ["regard"])


@pytest.fixture(scope="module")
def without_zoo(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Environment:
    names = ["regard", "regard-service"]
    return create_environment(tmp_path_factory.mktemp("service") / "venv", wheels, names, extra="serve")


@pytest.fixture(scope="module")
def with_server(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Environment:
    names = ["regard", "regard-service", "regard-zoo"]
    return create_environment(tmp_path_factory.mktemp("server") / "venv", wheels, names, extra="serve")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a user's own packages, which fail when they are imported."""
    for name in ("models", "service", "export"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported the package of the user')\n")
    return tmp_path


@pytest.fixture(params=sorted(FOLDERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_wheel_has_one_import_name(wheels: dict[str, Path], name: str) -> None:
    top_level = {file.partition("/")[0] for file in wheel_files(wheels[name])}
    assert {each for each in top_level if not each.endswith(".dist-info")} == {name.replace("-", "_")}


def test_the_clients_wheel_is_small(wheels: dict[str, Path]) -> None:
    assert wheels["regard"].stat().st_size < MAX_CLIENT_BYTES


def test_every_wheel_has_its_licence_and_code_its_types(wheels: dict[str, Path], name: str) -> None:
    files = wheel_files(wheels[name])
    if name == "regard-zoo":  # each model's card states the terms of its data
        cards = {file.rpartition("licenses/")[2] for file in files if ".dist-info/licenses/" in file}
        assert cards == {f"{bundle.name}/README.md" for bundle in bundles()}
    else:
        assert any(file.endswith(".dist-info/licenses/LICENSE") for file in files)
        assert f"{name.replace('-', '_')}/py.typed" in files


def test_the_clients_wheel_has_the_pages_assets(wheels: dict[str, Path]) -> None:
    assets = {f"regard/html/view/{path.name}" for path in (REPOSITORY / "regard/html/view").iterdir()}
    assert assets <= set(wheel_files(wheels["regard"]))


def test_the_zoo_has_every_bundle_whole_and_no_checkpoint(wheels: dict[str, Path]) -> None:
    expected = {"regard_zoo/__init__.py"}
    for bundle in bundles():
        files = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["files"]
        expected |= {f"regard_zoo/{bundle.name}/{file}" for file in ("README.md", "manifest.json", *files)}
    assert {file for file in wheel_files(wheels["regard-zoo"]) if file.startswith("regard_zoo/")} == expected


def bundles() -> list[Path]:
    return sorted(path.parent for path in ZOO.glob("*/manifest.json"))


def test_distributions_require_each_other_in_the_version_that_is_built(wheels: dict[str, Path], name: str) -> None:
    for line in wheel_metadata(wheels[name]).requires or ():
        requirement = Requirement(line)
        if requirement.name in FOLDERS:
            other = wheel_metadata(wheels[requirement.name])
            assert requirement.specifier.contains(other.version), line
            assert requirement.extras <= set(other.metadata.get_all("Provides-Extra") or ()), line


def test_the_client_alone_calls_a_server_from_a_folder_with_packages_of_those_names(
    client_alone: Environment, project: Path
) -> None:
    assert client_alone.run("models", "--help", folder=project).returncode == 0
    with FakeServer() as server:
        done = client_alone.run("models", "--server", server.target, folder=project)
    assert (done.returncode, first_model(done.stdout)) == (0, "everyday*")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("serve",), "pip install '.[serve]' ./service ./models/zoo"),
        (("token", "web"), "pip install '.[serve]' ./service ./models/zoo"),
        (("export", "checkpoint"), "pip install '.[export]' ./export ./models ./service"),
    ],
)
def test_the_client_alone_names_the_command_that_installs_the_rest(
    client_alone: Environment, project: Path, arguments: tuple[str, ...], command: str
) -> None:
    done = client_alone.run(*arguments, folder=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.rstrip().endswith(command)


def test_without_the_zoo_serving_needs_it_or_other_bundles(without_zoo: Environment, project: Path) -> None:
    done = without_zoo.run("serve", folder=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no module regard_zoo" in done.stderr
    assert "--model-directories" in done.stderr
    done = without_zoo.run("serve", "--model-directories", str(project), "--http-port=-1", folder=project)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)  # of two settings the port alone is refused


def test_a_server_runs_in_a_folder_with_packages_of_those_names(with_server: Environment, project: Path) -> None:
    with served(with_server, project) as target:
        done = with_server.run("models", "--server", target, folder=project)
        assert (done.returncode, first_model(done.stdout)) == (0, "everyday*")
        done = with_server.run("translate", "Where is the library?", "--to", "de", "--server", target, folder=project)
        assert (done.returncode, done.stdout) == (0, "Wo ist die Bibliothek?\n")


def test_a_server_translates_every_kind_of_text_with_nothing_but_what_it_requires(
    with_server: Environment, project: Path
) -> None:
    """Each kind of text has libraries of its own, which the server imports when they are needed, or before."""
    sentence, translation = "Where is the library?", "Wo ist die Bibliothek?"
    write_files(project, sentence)
    names = [*FILES, "a.docx"]
    with served(with_server, project) as target:
        call = ("translate", "--server", target, "--to", "de-AT")
        done = with_server.run(*call, sentence, "--from", "auto", "--protect", "[0-9]{3}", folder=project)
        assert (done.returncode, done.stdout) == (0, f"{translation}\n"), done.stderr
        done = with_server.run(*call, f"<p>{sentence}</p>", "--format", "html", folder=project)
        assert (done.returncode, done.stdout) == (0, f"<p>{translation}</p>\n"), done.stderr
        done = with_server.run(*call, *names, "-o", "out", folder=project)
        assert done.returncode == 0, done.stderr
    for name in FILES:
        assert translation in (project / "out" / name).read_text(encoding="utf-8"), name
    with zipfile.ZipFile(project / "out" / "a.docx") as archive:
        assert translation in archive.read("word/document.xml").decode()


def write_files(folder: Path, sentence: str) -> None:
    """Writes a file of every format, with one sentence in it."""
    for name, content in FILES.items():
        (folder / name).write_text(content.format(sentence), encoding="utf-8")
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    with zipfile.ZipFile(folder / "a.docx", "w") as archive:
        part = f'<Override PartName="/word/document.xml" ContentType="{kind}"/>'
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{types}">{part}</Types>')
        body = f"<w:body><w:p><w:r><w:t>{sentence}</w:t></w:r></w:p></w:body>"
        archive.writestr("word/document.xml", f'<w:document xmlns:w="{WORD}">{body}</w:document>')


def first_model(table: str) -> str:
    """The name in the first row of what `regard models` prints."""
    return table.splitlines()[1].split()[0]


@contextmanager
def served(environment: Environment, folder: Path) -> Iterator[str]:
    """Runs `python -m regard serve` in a folder; yields where it listens."""
    command = environment.command("serve", "--models=everyday", "--grpc-port=0", "--http-port=0", "--log-format=json")
    with subprocess.Popen(command, cwd=folder, env=plain_variables(), stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            entries = (json.loads(line) for line in process.stderr)
            port = next((entry["grpc_port"] for entry in entries if "grpc_port" in entry), None)
            assert port is not None, f"the server ended with status {process.wait()}"
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
