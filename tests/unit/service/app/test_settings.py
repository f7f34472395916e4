"""Settings: sources, and every problem at once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from regard_service.app.cores import cpu_limit
from regard_service.app.flags import FlagParser
from regard_service.app.settings import Settings, SettingsError


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
    assert problems(flags={"grpc_port": 9, "http_port": 9}) == ["grpc_port and http_port must differ (both are 9)"]
    assert problems(flags={"health_port": 8080}) == ["http_port and health_port must differ (both are 8080)"]
    assert Settings.load(environment={}, flags={"grpc_port": 0, "http_port": 0}).http_port == 0


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"drain_delay_s": 60}, "drain_delay_s must be at most drain_timeout_s (they are 60 and 30)"),
        ({"default_deadline_s": 900}, "default_deadline_s must be at most max_deadline_s (they are 900 and 600)"),
    ],
)
def test_a_time_that_another_one_cuts_is_refused(flags: dict[str, object], problem: str) -> None:
    assert problems(flags=flags) == [problem]


def test_the_file_is_no_setting() -> None:
    assert problems(environment={"REGARD_CONFIG": "a.toml"}) == [
        "REGARD_CONFIG: there is no such setting; --config FILE names the file"
    ]


def test_addresses_may_stand_among_allowed_hosts() -> None:
    settings = Settings.load(environment={"REGARD_ALLOWED_HOSTS": "a.example,127.0.0.1,[::1],*"})
    assert settings.allowed_hosts == ("a.example", "127.0.0.1", "[::1]", "*")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().grpc_port = 1  # type: ignore[misc]


def test_every_setting_has_a_flag_and_a_description() -> None:
    flags = vars(FlagParser().parse_args(["--grpc-port", "0", "--no-reflection", "--models", "a,b"]))
    assert flags.pop("config") is None
    assert flags.keys() == Settings.model_fields.keys()
    settings = Settings.load(environment={}, flags=flags)
    assert (settings.grpc_port, settings.reflection, settings.models) == (0, False, ("a", "b"))
    assert all(spec.description for spec in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        *[
            (f"{name} = 1e300", f"{name}: must be at most 2147483 (it is 1e+300)")
            for name in ("max_connection_age_s", "max_connection_idle_s", "keepalive_s", "max_deadline_s")
        ],
        ('max_slots = "many"', "max_slots: must be a whole number, without a unit (it is 'many')"),
        ("max_slots = 3.5", "max_slots: must be a whole number (it is 3.5)"),
        ("max_slots = true", "max_slots: must not be true or false (it is true)"),
        ("max_slots = 0", "max_slots: must be at least 1 (it is 0)"),
        ("max_queue = 2024-01-01", "max_queue: must be a whole number (it is 2024-01-01)"),
        ('max_message_bytes = "32MB"', "max_message_bytes: must be a whole number, without a unit (it is '32MB')"),
        ('max_deadline_s = "10s"', "max_deadline_s: must be a number, without a unit (it is '10s')"),
        ("max_deadline_s = inf", "max_deadline_s: must be a finite number (it is inf)"),
        ("max_deadline_s = 0", "max_deadline_s: must be above 0 (it is 0)"),
        ('http_api = "maybe"', "http_api: must be true or false (it is 'maybe')"),
        ("http_api = 3", "http_api: must be true or false (it is 3)"),
        (
            'default_models = "everyday"',
            "default_models: must be TASK=NAME, such as translation=everyday (it is 'everyday')",
        ),
        ('default_models = ["a"]', "default_models: must be a table, such as {translation = \"NAME\"} (it is ['a'])"),
        (
            '[default_models]\ntranslate = "a"',
            "default_models[translate]: must be 'translation', 'summarization', 'captioning', 'encoding', "
            "'classification', 'mask_filling', 'detection' or 'answering' (it is {'translate': 'a'})",
        ),
        ("[default_models]\ntranslation = 3", "default_models[translation]: must be a text (it is {'translation': 3})"),
        ("model_directories = []", "model_directories: must not be empty (it is [])"),
        ("model_directories = 3", 'model_directories: must be a list, such as ["a", "b"] (it is 3)'),
        ("model_directories = [3]", "model_directories[0]: must be a path (it is [3])"),
        ('models = ","', "models: must not be empty (it is ',')"),
        ("tokens_file = 3", "tokens_file: must be a path (it is 3)"),
        ('host = ""', "host: must not be empty (it is '')"),
        ("host = 3", "host: must be a text (it is 3)"),
        ('provider = "gpu"', "provider: must be 'auto', 'cpu' or 'cuda' (it is 'gpu')"),
        (
            'trace_endpoint = "localhost:4317"',
            "trace_endpoint: must begin with http:// or https://, and name a host (it is 'localhost:4317')",
        ),
        ("port = 1", "port: there is no such setting; is 'grpc_port' or 'http_port' meant?"),
        ("grpc-port = 1", "grpc-port: there is no such setting; is 'grpc_port' meant?"),
        (
            "[server]\ngrpc_port = 1",
            "server: there is no such setting; settings stand in no table: write them without [server]",
        ),
        (
            "[server]\nmax_queu = 1",
            "server: there is no such setting; settings stand in no table: write them without [server]",
        ),
        (
            "[default_models]\nmax_queue = 3",
            "default_models[max_queue]: max_queue is a setting: write it above the line [default_models]",
        ),
        (
            "[default_models]\ntranslation = ''",
            "default_models: each part must not be empty (it is {'translation': ''})",
        ),
        ("models = ['a', ' ']", "models: each part must not be empty (it is ['a', ' '])"),
        ("tokens_file = ''", "tokens_file: must not be empty (it is '')"),
        ('tls_key = "a\\u0000b"', "tls_key: must not contain the character NUL (it is 'a\\x00b')"),
        (
            "allowed_hosts = ['http://a']",
            "allowed_hosts: 'http://a' must be a name without scheme, port and path, such as 'example.org' "
            "(it is ['http://a'])",
        ),
        (
            "trace_endpoint = 'http://'",
            "trace_endpoint: must begin with http:// or https://, and name a host (it is 'http://')",
        ),
        ("max_slots = 8\nmax_queue = 3\nmax_slots = 9", "line 3: max_slots: is set twice"),
    ],
)
def test_a_slip_in_the_file_is_named_in_words(tmp_path: Path, content: str, problem: str) -> None:
    file = write(tmp_path, content)
    assert problems(file=file) == [f"{file}: {problem}"]


def test_choices_may_be_in_capitals_and_paths_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    flags = {"log_level": "INFO", "provider": "CPU", "model_directories": "~/models, /b", "tokens_file": "~/t.toml"}
    settings = Settings.load(environment={}, flags=flags)
    assert (settings.log_level, settings.provider) == ("info", "cpu")
    assert settings.model_directories == (Path("/home/me/models"), Path("/b"))
    assert settings.tokens_file == Path("/home/me/t.toml")


def test_the_clients_variables_may_stand_beside_the_servers() -> None:
    environment = {"REGARD_SERVER": "a:1", "REGARD_TOKEN": "secret", "REGARD_TLS_CA": "ca.pem"}
    assert Settings.load(environment=environment).grpc_port == 50051
