"""Settings: sources, and every problem at once."""

import argparse
from pathlib import Path

import pytest
from pydantic import ValidationError

from regard_service.app.cores import cpu_limit
from regard_service.app.settings import Settings, SettingsError, add_flags


def write(folder: Path, text: str) -> Path:
    file = folder / "regard.toml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(**layers: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.load(**{"environment": {}, **layers})  # type: ignore[arg-type]
    return caught.value.problems


def test_defaults_serve_the_shipped_models_on_loopback() -> None:
    settings = Settings.load(environment={})
    assert (settings.host, settings.grpc_port, settings.http_port) == ("127.0.0.1", 50051, 8080)
    assert [folder.name for folder in settings.model_directories] == ["zoo"]
    assert settings.models is None
    assert settings.preferred_models == ("everyday",)
    assert settings.execution_provider is None
    assert settings.graph_precision is None
    assert settings.num_workers == cpu_limit()


def test_flags_beat_environment_beats_file_beats_defaults(tmp_path: Path) -> None:
    file = write(tmp_path, "grpc_port = 1\nhttp_port = 2\nhealth_port = 3\n")
    environment = {"REGARD_HTTP_PORT": "12", "REGARD_HEALTH_PORT": "13", "HOME": "/nowhere"}
    settings = Settings.load(file, environment, {"health_port": "23", "host": None})
    assert (settings.grpc_port, settings.http_port, settings.health_port) == (1, 12, 23)
    assert settings.host == "127.0.0.1"


def test_lists_and_tables_can_stand_in_the_environment() -> None:
    environment = {
        "REGARD_MODEL_DIRECTORIES": "/a, /b",
        "REGARD_MODELS": "everyday,multi30k",
        "REGARD_DEFAULT_MODELS": "translation=multi30k",
        "REGARD_PREFERRED_MODELS": "multi30k, everyday",
        "REGARD_PROVIDER": "cpu",
        "REGARD_PRECISION": "int8",
        "REGARD_REFLECTION": "false",
    }
    settings = Settings.load(environment=environment)
    assert settings.model_directories == (Path("/a"), Path("/b"))
    assert settings.models == ("everyday", "multi30k")
    assert settings.default_models == {"translation": "multi30k"}
    assert settings.preferred_models == ("multi30k", "everyday")
    assert settings.execution_provider == "CPUExecutionProvider"
    assert settings.graph_precision == "int8"
    assert settings.reflection is False


def test_lists_and_tables_in_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, 'model_directories = ["/a"]\n[default_models]\ntranslation = "everyday"\n')
    settings = Settings.load(file, {})
    assert settings.model_directories == (Path("/a"),)
    assert settings.default_models == {"translation": "everyday"}


def test_every_problem_is_listed_with_its_place(tmp_path: Path) -> None:
    file = write(tmp_path, "grpc_prot = 1\nmax_queue = -1\n")
    found = problems(
        file=file,
        environment={"REGARD_HTTP_PORT": "many", "REGARD_DEFAULT_MODELS": "dreaming=everyday"},
        flags={"log_format": "yaml", "drain_timeout_s": "nan"},
    )
    text = "\n".join(found)
    assert len(found) == 6
    assert f"{file}: grpc_prot: there is no such setting; is 'grpc_port' meant?" in found
    assert f"{file}: max_queue: " in text
    assert "REGARD_HTTP_PORT: " in text
    assert "'many'" in text
    assert "REGARD_DEFAULT_MODELS[dreaming]: " in text
    assert "--log-format: " in text
    assert "--drain-timeout-s: " in text


def test_unknown_variables_are_errors_except_those_of_other_programs() -> None:
    environment = {
        "REGARD_SERVER": "localhost:50051",  # the client's
        "REGARD_SERVICE_HOST": "10.0.0.1",  # Kubernetes' for a Service named "regard"
        "REGARD_SERVICE_PORT_GRPC": "50051",
        "REGARD_PORT": "tcp://10.0.0.1:50051",
        "REGARD_PORT_50051_TCP_ADDR": "10.0.0.1",
        "REGARD_HEADLESS_SERVICE_PORT": "50051",
    }
    assert Settings.load(environment=environment).grpc_port == 50051
    assert problems(environment={"REGARD_GRPC_PROT": "1"}) == [
        "REGARD_GRPC_PROT: there is no such setting; is 'grpc_port' meant?"
    ]


@pytest.mark.parametrize("text", ["grpc_port = ", "\xff"])
def test_a_file_that_is_not_toml(tmp_path: Path, text: str) -> None:
    file = tmp_path / "regard.toml"
    file.write_bytes(text.encode("latin-1"))
    assert problems(file=file)[0].startswith(f"{file}: ")


def test_a_missing_file(tmp_path: Path) -> None:
    assert problems(file=tmp_path / "none.toml") == [f"{tmp_path / 'none.toml'}: No such file or directory"]


def test_ports_differ_unless_they_are_0() -> None:
    assert problems(flags={"grpc_port": 9, "http_port": 9}) == ["grpc_port, http_port and health_port must differ"]
    assert Settings.load(environment={}, flags={"grpc_port": 0, "http_port": 0}).http_port == 0


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().grpc_port = 1  # type: ignore[misc]


def test_every_setting_has_a_flag_and_a_description() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    flags = vars(parser.parse_args(["--grpc-port", "0", "--no-reflection", "--models", "a,b"]))
    assert flags.keys() == Settings.model_fields.keys()
    settings = Settings.load(environment={}, flags=flags)
    assert (settings.grpc_port, settings.reflection, settings.models) == (0, False, ("a", "b"))
    assert all(spec.description for spec in Settings.model_fields.values())
