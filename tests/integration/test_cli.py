"""The command line against a real gRPC server with made-up answers, in this process and in another."""

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from google.protobuf.descriptor import Descriptor
from PIL import Image

from regard.cli import main, servers
from regard.cli.app import describe
from regard.cli.tasks import translate
from regard.cli.vocabulary import as_flag
from regard.errors import NotFound
from regard.saved import read_results
from regard.v1 import regard_pb2 as pb
from tests.integration.fake_regard import FakeServer
from tests.waiting import PATIENCE_S, ever_longer, wait_until


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    with FakeServer() as running:
        monkeypatch.setenv("REGARD_SERVER", running.target)
        yield running


def regard(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def jsonl(items: Sequence[object]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def test_each_translation_is_printed_on_a_line(server: FakeServer) -> None:
    result = regard("translate", "where is it", "a b", "--to", "de")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "IT IS WHERE\nB A\n", "")
    assert server.fake.requests == [pb.TranslateRequest(texts=["where is it", "a b"], target_language="de")]


def test_options_reach_the_request(server: FakeServer) -> None:
    options = (
        "--to fr --from en --beams 5 --max-new-tokens 30 --min-new-tokens 2 --length-penalty 0 --early-stopping first"
    )
    more = "--no-repeat-ngram-size 3 --repetition-penalty 1.5 --seed 7 --model everyday@2 --truncation truncate"
    texts = "--raw --unit whole --format xml --protect a+ --protect b"
    assert regard("translate", "x", *options.split(), *more.split(), *texts.split()).exit_code == 0
    [request] = server.fake.requests
    assert request == pb.TranslateRequest(
        texts=["x"],
        target_language="fr",
        source_language="en",
        model="everyday@2",
        truncation=pb.TRUNCATION_TRUNCATE,
        generation=pb.GenerationConfig(
            num_beams=5,
            max_new_tokens=30,
            min_new_tokens=2,
            length_penalty=0,
            early_stopping=pb.EARLY_STOPPING_FIRST,
            no_repeat_ngram_size=3,
            repetition_penalty=1.5,
            seed=7,
        ),
        text_options=pb.TextOptions(raw=True, unit=pb.UNIT_WHOLE, format=pb.FORMAT_XML, protected_patterns=["a+", "b"]),
    )


def test_several_hypotheses_are_printed_with_their_scores(server: FakeServer) -> None:
    result = regard("translate", "a b", "--num-return-sequences", "2", "--beams", "2")
    assert result.stdout == "-0.250\tB A\n-0.250\tB A\n"


def test_attention_is_a_grid_of_words_without_colour_if_not_on_a_terminal(server: FakeServer) -> None:
    result = regard("translate", "where is it", "--attention")
    assert result.stdout.splitlines() == [
        "IT IS WHERE",
        "      where  is  it </s>",
        "   IT     4   4  87    4",
        "   IS     4  87   4    4",
        "WHERE    87   4   4    4",
    ]
    [request] = server.fake.requests
    assert request.attention.granularity == pb.GRANULARITY_WORD


def test_attention_is_by_tokens_on_request(server: FakeServer) -> None:
    result = regard("translate", "where is", "--attention", "--tokens")
    assert "▁where" in result.stdout


def test_one_text_as_json_is_an_object_with_tokens_and_alignment(server: FakeServer) -> None:
    result = regard("translate", "where is it", "--to", "de", "--attention", "--json")
    printed = json.loads(result.stdout)
    [hypothesis] = printed["hypotheses"]
    [alignment] = hypothesis["attention"]
    assert hypothesis["text"] == "IT IS WHERE"
    assert alignment["shape"] == [len(hypothesis["tokens"]), len(printed["source_tokens"])]
    np.testing.assert_allclose(np.sum(alignment["data"], axis=1), 1, atol=1e-6)
    assert hypothesis["links"] == [{"source": 0, "target": 2}]
    assert result.stdout.count("\n") == 1


def test_several_texts_as_json_are_an_array(server: FakeServer) -> None:
    printed = json.loads(regard("translate", "a", "b", "--json", "--kind", "cross").stdout)
    assert [each["hypotheses"][0]["text"] for each in printed] == ["A", "B"]
    assert printed[0]["hypotheses"][0]["attention"][0]["kind"] == "ATTENTION_KIND_CROSS"


def test_a_stream_prints_final_tokens(server: FakeServer) -> None:
    assert regard("translate", "a b", "--stream").stdout == "B A\n"
    events = [json.loads(line) for line in regard("translate", "a b", "--stream", "--json").stdout.splitlines()]
    assert [next(iter(event)) for event in events] == ["started", "token", "token", "token", "finished"]
    assert events[-1]["finished"]["result"]["hypotheses"][0]["text"] == "B A"
    assert events[1]["token"]["token"]["span"] == {"start": 0, "end": 1}


def test_a_stream_with_attention_prints_each_word_with_its_strongest_source(server: FakeServer) -> None:
    result = regard("translate", "where is it", "--stream", "--attention")
    assert result.stdout.splitlines()[:4] == [
        "IT                  it 87 %",
        "IS                  is 87 %",
        "WHERE               where 87 %",
        "IT IS WHERE",
    ]
    assert "87" in result.stdout.splitlines()[5]  # the grid follows


def test_a_page_is_written_with_every_head(server: FakeServer, tmp_path: Path) -> None:
    result = regard("translate", "where is it", "--html", str(tmp_path / "out.html"))
    assert (result.exit_code, result.stdout) == (0, "IT IS WHERE\n")
    assert "ATTENTION_KIND_CROSS" in (tmp_path / "out.html").read_text()
    streamed = regard("translate", "where is it", "--stream", "--html", str(tmp_path / "streamed.html"))
    assert streamed.exit_code == 0
    assert (tmp_path / "streamed.html").read_text() == (tmp_path / "out.html").read_text()


def test_the_alignment_is_drawn(server: FakeServer, tmp_path: Path) -> None:
    assert regard("translate", "where is it", "--plot", str(tmp_path / "out.png")).exit_code == 0
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    [request] = server.fake.requests
    assert list(request.attention.kinds) == [pb.ATTENTION_KIND_ALIGNMENT]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "b", "--html", "out.html"], "--html takes one input."),
        (["-", "--plot", "out.png"], "--plot takes one input."),
        (["a", "--plot", "out.doc"], ".png, .svg, .pdf, .gif, .webp"),
    ],
)
def test_html_and_plot_take_one_input_and_known_endings(server: FakeServer, arguments: list[str], message: str) -> None:
    result = regard("translate", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not server.fake.requests


def test_no_color_switches_background_colours_off(server: FakeServer) -> None:
    command = [sys.executable, "-m", "regard", "translate", "a b", "--attention", "--stream"]

    def printed(**environment: str) -> bytes:
        leader, follower = pty.openpty()
        subprocess.run(command, stdout=follower, env=os.environ | {"TERM": "xterm-256color"} | environment, check=True)
        os.close(follower)
        with open(leader, "rb", closefd=True) as terminal, contextlib.suppress(OSError):
            return terminal.read1()
        return b""

    assert b"\x1b[1;" in printed() or b"\x1b[1m" in printed()
    assert b"48;" not in printed(NO_COLOR="1")  # no background colours; bold and dim are allowed


def test_each_line_of_standard_input_is_a_text(server: FakeServer) -> None:
    result = regard("translate", "-", "--to", "de", stdin=b"a b\nc d\nno end")
    assert (result.exit_code, result.stdout) == (0, "B A\nD C\nEND NO\n")
    assert {request.priority for request in server.fake.requests} == {pb.PRIORITY_BULK}


def test_a_failed_line_prints_an_empty_one(server: FakeServer) -> None:
    result = regard("translate", "-", stdin=b"a\nfail:NOT_FOUND\n\xff\nb\n")
    assert (result.exit_code, result.stdout) == (1, "A\n\n\nB\n")
    assert "line 2: NOT_FOUND" in result.stderr
    assert "line 3: INVALID_ARGUMENT: the line is not UTF-8: byte 0 is 0xff" in result.stderr


def test_jsonl_keeps_the_order_whatever_the_server_takes(server: FakeServer) -> None:
    delays = np.random.default_rng(1).uniform(0, 0.05, 104)
    texts = [f"meet:16 {number}" for number in range(16)]
    texts += [f"slow:{delay:.3f} {number}" for number, delay in enumerate(delays, len(texts))]
    result = regard("translate", "-", "--jsonl", "--concurrency", "16", stdin=jsonl([{"text": text} for text in texts]))
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["hypotheses"][0]["text"].split()[0] for line in lines] == [str(i) for i in range(120)]
    assert result.exit_code == 0
    assert server.fake.most_at_once == 16


def test_a_slow_line_does_not_hold_up_the_others(server: FakeServer) -> None:
    texts = ["after:30 first"] + ["x"] * 30
    result = regard("translate", "-", "--jsonl", "--concurrency", "4", stdin=jsonl([{"text": text} for text in texts]))
    assert "FIRST" in result.stdout.splitlines()[0]
    assert len(server.fake.requests) == 31


def test_failed_lines_are_error_objects_in_order(server: FakeServer) -> None:
    lines = [
        '{"text": "a"}',
        '{"text": "fail:INVALID_ARGUMENT"}',
        "not json",
        "[]",
        '{"texts": 1}',
        "",
        '{"text": "\\ud800"}',
        '{"text": "b", "id": 7}',
    ]
    result = regard("translate", "-", "--jsonl", stdin="\n".join(lines))
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert ["error" in line for line in printed] == [False, True, True, True, True, True, True, False]
    error = printed[1]["error"]
    assert error["code"] == "INVALID_ARGUMENT"
    assert error["violations"][1] == {"field": "texts[0]", "description": "is empty"}
    assert "not JSON" in printed[2]["error"]["message"]
    assert printed[6]["error"]["violations"][0]["field"] == "texts[0]"


def test_a_call_to_an_overloaded_server_is_repeated(server: FakeServer) -> None:
    result = regard("translate", "-", "--jsonl", stdin=jsonl([{"text": "busy:3 x"}, {"text": "y"}]))
    assert result.exit_code == 0
    assert [json.loads(line)["hypotheses"][0]["text"] for line in result.stdout.splitlines()] == ["X BUSY:3", "Y"]


def test_empty_standard_input_is_not_an_error(server: FakeServer) -> None:
    result = regard("translate", "-", "--jsonl", stdin="")
    assert (result.exit_code, result.stdout) == (0, "")


def test_summarize_reads_a_whole_file_or_standard_input(server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text("first line\nsecond line\n")
    assert regard("summarize", str(tmp_path / "story.txt"), "--style", "headline").stdout == (
        "headline: LINE SECOND LINE FIRST\n"
    )
    assert regard("summarize", stdin="one\ntwo").stdout == ": TWO ONE\n"
    bulk = regard("summarize", "-", "--jsonl", "--style", "subject", stdin=jsonl([{"text": "a\nb"}]))
    assert json.loads(bulk.stdout)["hypotheses"][0]["text"] == "subject: B A"


def test_caption_takes_paths(server: FakeServer, tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    Image.new("RGB", (2, 2)).save(path)
    size = path.stat().st_size
    assert regard("caption", str(path), str(path)).stdout == f"BYTES {size} OF PICTURE\n" * 2
    assert regard("caption", "-", stdin=b"123").stdout == "BYTES 3 OF PICTURE\n"
    bulk = regard("caption", "-", "--jsonl", stdin=jsonl([{"image": str(path)}, {"image": str(tmp_path / "none.png")}]))
    good, bad = [json.loads(line) for line in bulk.stdout.splitlines()]
    assert good["hypotheses"][0]["text"] == f"BYTES {size} OF PICTURE"
    assert "No such file" in bad["error"]["message"]
    assert bulk.exit_code == 1


def test_an_input_that_fails_costs_the_others_nothing(server: FakeServer, tmp_path: Path) -> None:
    path, missing = tmp_path / "dot.png", str(tmp_path / "none.png")
    Image.new("RGB", (2, 2)).save(path)
    captioned = regard("caption", str(path), missing, str(path))
    text = f"BYTES {path.stat().st_size} OF PICTURE"
    assert (captioned.exit_code, captioned.stdout) == (1, f"{text}\n{text}\n")
    assert captioned.stderr == f"regard: {missing}: No such file or directory\n"

    translated = regard("translate", "a b", "fail:INVALID_ARGUMENT", "c d")
    assert (translated.exit_code, translated.stdout) == (1, "B A\nD C\n")
    assert translated.stderr.startswith("regard: text 2: INVALID_ARGUMENT: ")
    objects = json.loads(regard("translate", "a b", "fail:INVALID_ARGUMENT", "c d", "--json").stdout)
    assert ["error" in each for each in objects] == [False, True, False]

    refused = regard("translate", "fail:INVALID_ARGUMENT", "fail:INVALID_ARGUMENT", "--json")
    assert (refused.exit_code, refused.stdout) == (1, "")


def test_models_are_listed(server: FakeServer) -> None:
    result = regard("models")
    assert result.stdout.splitlines()[1].split() == "everyday* 2 translation ready en de,fr cpu int8".split()
    assert "broken@1: step.onnx: checksum" in result.stderr
    printed = json.loads(regard("models", "--json").stdout)
    assert [model["name"] for model in printed] == ["everyday", "broken"]
    assert printed[0]["size_bytes"] == 2**33
    assert printed[0]["scores"] == {"bleu/de": 38.5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("translate", "fail:INVALID_ARGUMENT"),
            "--num-beams: must be in [1, 16], but is 99; texts[0]: is empty",
        ),
        (("translate", "fail:NOT_FOUND"), "asked to fail with NOT_FOUND; `regard models` lists what there is"),
        (("translate", "busy:1"), "RESOURCE_EXHAUSTED: the queue is full; try again in 0.0 s"),
        (("translate", "wait", "--timeout", "0.1"), "DEADLINE_EXCEEDED: Deadline Exceeded; --timeout gives more time"),
        (("translate", "x", "--server", "127.0.0.1:1"), "`regard serve` starts one"),
        (("translate", "x", "--beams", str(2**40)), "--num-beams: must be in [-2147483648, 2147483647]"),
        (("translate", "\udcff"), "texts[0]: is not valid Unicode"),
        (("caption", "missing.png"), "missing.png: No such file or directory"),
        (("summarize", "missing.txt"), "missing.txt: No such file or directory"),
    ],
)
def test_errors_are_one_line_with_advice(server: FakeServer, arguments: tuple[str, ...], message: str) -> None:
    result = regard(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("regard: ")
    assert message in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("translate",),
        ("translate", "x", "--jsonl"),
        ("translate", "x", "--timeout", "nan"),
        ("translate", "x", "-", "--jsonl"),
        ("translate", "a", "b", "--stream"),
        ("translate", "-", "--stream"),
        ("translate", "-", "--attention"),
        ("translate", "x", "--concurrency", "0"),
        ("nonsense",),
    ],
)
def test_wrong_usage_is_status_2(server: FakeServer, arguments: tuple[str, ...]) -> None:
    result = regard(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("translte x", "there is no command 'translte'; did you mean 'translate'?"),
        ("xyzzy", "there is no command 'xyzzy'; there are translate, summarize"),
        ("models everyday", "for the model of that name: regard models show everyday"),
        ("models lod everyday", "'load', 'unload'"),
        ("translate x --server http://localhost:8080", "the HTTP port, 8080 by default, takes no gRPC"),
        ("translate x --server localhost:99999", "with a port from 1 to 65535; it is 'localhost:99999'"),
        ("translate x --plot /no/such/folder/a.png", "--plot: there is no folder /no/such/folder"),
        ("translate x --html /no/such/folder/a.html", "--html: there is no folder /no/such/folder"),
        ("caption https://example.com/a.jpg", "https://example.com/a.jpg is an address, which is not fetched"),
        ("translate Hello. --attention cross", "--attention takes no value: --kind cross chooses a map"),
    ],
)
def test_a_slip_is_named_with_what_was_meant(server: FakeServer, arguments: str, message: str) -> None:
    result = regard(*arguments.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize("option", ["--beams", "--num-beams", "--num_beams"])
def test_an_option_may_be_spelled_as_in_python(server: FakeServer, option: str) -> None:
    assert regard("translate", "x", "--target_language", "fr", option, "5", "--max_new_tokens", "9").exit_code == 0
    [request] = server.fake.requests
    assert (request.target_language, request.generation.num_beams, request.generation.max_new_tokens) == ("fr", 5, 9)


def test_what_errors_call_a_field_is_an_option(server: FakeServer) -> None:
    def options_of(message: Descriptor, prefix: str = "") -> Iterator[str]:
        for field in message.fields:
            if field.message_type is not None and field.name != "protected_spans":
                yield from options_of(field.message_type, f"{prefix}{field.name}.")
            yield prefix + field.name

    given = {option for parameter in translate.params for option in (*parameter.opts, *parameter.secondary_opts)}
    flags = {name: as_flag(name) for name in options_of(pb.TranslateRequest.DESCRIPTOR)}
    assert {flag for name, flag in flags.items() if flag != name} <= given
    assert {flags["generation.num_beams"], flags["target_language"]} == {"--num-beams", "--to"}


def test_help_is_a_command_too() -> None:
    assert regard("help").stdout == regard("--help").stdout
    assert regard("help", "translate").stdout == regard("translate", "--help").stdout
    assert regard("version").stdout == regard("--version").stdout


def test_summarize_takes_texts_and_files(server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("one two three")
    assert regard("summarize", "a text", str(tmp_path / "one.txt")).exit_code == 0
    assert regard("summarize", "word", "--text").exit_code == 0
    assert [list(request.texts) for request in server.fake.requests] == [["a text", "one two three"], ["word"]]
    missing = regard("summarize", "word")
    assert (missing.exit_code, missing.stderr) == (
        1,
        "regard: word: No such file or directory (--text takes it as a text)\n",
    )


def test_a_path_that_is_no_file_is_no_text_to_translate(server: FakeServer) -> None:
    for path in ("docs/missing.jpg", "missing.md"):
        result = regard("translate", path, "--to", "de")
        assert (result.exit_code, result.stderr) == (1, f"regard: {path}: No such file or directory\n")
    assert regard("translate", "and/or", "--to", "de").exit_code == 0
    result = regard("translate", "a text", "--to", "de", "-o", "out")
    assert (result.exit_code, "There is no file 'a text'" in result.stderr) == (2, True)


def test_one_model_is_described(server: FakeServer) -> None:
    assert json.loads(regard("models", "show", "everyday").stdout)["name"] == "everyday"


def test_the_version_is_printed() -> None:
    assert regard("--version").stdout.startswith("regard ")


def test_help_names_every_command() -> None:
    text = regard("--help").stdout
    assert all(name in text for name in "translate summarize caption models serve export verify inspect".split())


def test_a_server_on_the_default_port_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeServer() as running:
        monkeypatch.delenv("REGARD_SERVER", raising=False)
        monkeypatch.setattr(servers, "DEFAULT_SERVER", running.target)
        monkeypatch.setattr(servers, "_PROBE_TIMEOUT_S", PATIENCE_S)
        result = regard("translate", "x", "-v")
    assert result.stdout == "X\n"
    assert result.stderr == f"regard: asking {running.target}\n"


def test_a_probe_has_a_deadline(server: FakeServer) -> None:
    assert not servers.is_healthy("127.0.0.1:1", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert not servers.is_healthy(f"127.0.0.1:{mute.getsockname()[1]}", 0.2)
    assert any(servers.is_healthy(server.target, time_s) for time_s in ever_longer(0.2))
    assert server.fake.probe_s[0] <= 0.2


# In another process


def popen(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONWARNINGS": "error", **options.pop("env", {})}  # type: ignore[dict-item]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    # A shell starts background jobs with interrupts ignored, which child processes inherit.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "regard", *arguments]
    return subprocess.Popen(command, env=environment, **pipes)  # type: ignore[call-overload, no-any-return]


def test_results_are_printed_before_the_input_ends(server: FakeServer) -> None:
    with popen("translate", "-", "--jsonl") as process:
        assert process.stdin
        assert process.stdout
        for number in range(3):
            process.stdin.write(jsonl([{"text": f"{number}"}]).encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["hypotheses"][0]["text"] == f"{number}"
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.parametrize("arguments", [("translate", "wait"), ("translate", "-"), ("translate", "wait", "--stream")])
def test_an_interrupt_ends_it_quietly(server: FakeServer, arguments: tuple[str, ...]) -> None:
    with popen(*arguments) as process:
        assert process.stdin
        process.stdin.write(b"wait\n")
        process.stdin.flush()
        wait_until(lambda: server.fake.in_hand)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert process.stderr
        assert process.stderr.read() == b""


def test_a_closed_output_ends_it_quietly(server: FakeServer) -> None:
    with popen("translate", "-", "--jsonl", bufsize=0) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(jsonl([{"text": "x"}] * 50).encode())
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        while process.poll() is None:
            try:
                process.stdin.write(jsonl([{"text": "x"}] * 50).encode())
                process.stdin.flush()
            except BrokenPipeError:
                break
            time.sleep(0.02)
        assert process.wait(PATIENCE_S) == 141
        assert process.stderr
        assert process.stderr.read() == b""


def test_a_long_input_is_read_as_results_leave(server: FakeServer) -> None:
    """No result leaves while the two calls in flight are not answered; so the input stays in the pipe."""
    text = jsonl([{"text": "wait " + "x" * 4000}] * 500).encode()
    with popen("translate", "-", "--jsonl", "--concurrency", "2") as process:
        assert process.stdin
        num_written, num_idle = 0, 0
        os.set_blocking(process.stdin.fileno(), False)
        while num_written < len(text) and num_idle < 25:  # it has read nothing for half a second
            try:
                num_written += os.write(process.stdin.fileno(), text[num_written:])
                num_idle = 0
            except BlockingIOError:
                num_idle += server.fake.in_hand == 2
            time.sleep(0.02)
        process.kill()
    assert num_written < len(text) / 2
    assert len(server.fake.requests) == 2


def test_a_terminal_gets_colours_unless_no_color_is_set(server: FakeServer) -> None:
    assert "\x1b[" in on_a_terminal({"TERM": "xterm-256color"})
    assert "\x1b[4" not in on_a_terminal({"TERM": "xterm-256color", "NO_COLOR": "1"})


def on_a_terminal(environment: dict[str, str]) -> str:
    """The output of `regard translate --attention` on a terminal."""
    master, slave = pty.openpty()
    with popen("translate", "where is it", "--attention", stdout=slave, env=environment) as process:
        process.communicate()
    return all_of(master, slave)


def all_of(master: int, slave: int) -> str:
    """Everything written to a terminal whose writer has ended."""
    os.close(slave)
    written = b""
    # On Linux, reading a terminal without a writer ends with an error.
    with os.fdopen(master, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
        while part := terminal.read(100_000):
            written += part
    return written.decode()


def test_progress_is_on_standard_error_only(server: FakeServer) -> None:
    lines = jsonl([{"text": "a"}, {"text": "fail:NOT_FOUND"}]).encode()
    for flags, is_shown in [([], True), (["--quiet"], False)]:
        master, slave = pty.openpty()
        with popen("translate", "-", "--jsonl", *flags, stderr=slave, env={"TERM": "xterm-256color"}) as process:
            results, _ = process.communicate(lines)
        assert [next(iter(json.loads(line))) for line in results.splitlines()] == ["hypotheses", "error"]
        assert ("2 lines" in all_of(master, slave)) == is_shown


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No server is named or running, and there are no models."""
    monkeypatch.delenv("REGARD_SERVER", raising=False)
    monkeypatch.setattr(servers, "DEFAULT_SERVER", "127.0.0.1:1")
    monkeypatch.setenv("REGARD_MODEL_DIRECTORIES", str(tmp_path))


@pytest.mark.usefixtures("alone")
def test_without_a_server_the_command_starts_one() -> None:
    result = regard("models")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.split() == "NAME VERSION TASK STATE FROM TO RUNS ON".split()
    result = regard("translate", "x", "--to", "de")
    assert result.exit_code == 1
    assert result.stderr.startswith("regard: NOT_FOUND: ")


@pytest.mark.usefixtures("alone")
def test_a_server_that_cannot_be_started_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    result = regard("translate", "x", "--model", "nothing")
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert "nothing" in line
    monkeypatch.setenv("REGARD_MAX_QUEUE", "many")
    result = regard("translate", "x")
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert "REGARD_MAX_QUEUE" in line


@pytest.mark.parametrize("arguments", [["translate", "x"], ["serve"]])
def test_a_missing_library_is_an_error_that_names_the_extra(arguments: list[str]) -> None:
    program = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from regard.cli import main, servers; servers.DEFAULT_SERVER = '127.0.0.1:1'\n"
        f"main({arguments!r})"
    )
    environment = {name: value for name, value in os.environ.items() if name != "REGARD_SERVER"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'regard[serve]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("ending", [".jsonl", ".npz"])
def test_results_of_many_texts_go_into_a_file(server: FakeServer, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"maps{ending}"
    result = regard("translate", "a b", "fail:INVALID_ARGUMENT", "c d e", "--to", "de", "-o", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "regard: input 2: INVALID_ARGUMENT" in result.stderr
    outcomes = list(read_results(path))
    assert [each.input for each in outcomes] == ["a b", "fail:INVALID_ARGUMENT", "c d e"]
    assert [each.result and each.result.text for each in outcomes] == ["B A", None, "E D C"]
    assert all(each.result.alignment is not None for each in outcomes if each.result)


def test_lines_of_standard_input_go_into_a_file(server: FakeServer, tmp_path: Path) -> None:
    path = tmp_path / "maps.jsonl"
    lines = jsonl([{"text": "a b"}, {"txt": "bad"}, {"text": "c d"}])
    result = regard("translate", "-", "--to", "de", "--jsonl", "-o", str(path), stdin=lines)
    assert result.exit_code == 1
    assert "regard: input 2: INVALID_ARGUMENT: the line is not an object" in result.stderr
    outcomes = sorted(read_results(path), key=lambda outcome: outcome.index)
    assert [(each.index, each.result and each.result.text) for each in outcomes] == [(0, "B A"), (1, None), (2, "D C")]
    assert all(each.result.alignment is not None for each in outcomes if each.result)


def test_a_file_of_results_has_a_known_ending(server: FakeServer) -> None:
    result = regard("summarize", "a text", "-o", "results.csv")
    assert (result.exit_code, ".jsonl, .parquet, .npz" in result.stderr) == (2, True)


def test_a_server_of_the_environment_does_not_stop_a_run_on_a_cluster(server: FakeServer) -> None:
    arguments = ("bulk", "missing.jsonl", "--to", "de", "-o", "out")
    assert "--server is for" not in regard(*arguments).stderr
    assert "--server is for `regard translate`" in regard(*arguments, "--server", server.target).stderr


def test_advice_is_that_of_the_errors_reason() -> None:
    missing = NotFound("NOT_FOUND", "there is no glossary 'g'", "GLOSSARY_NOT_FOUND")
    assert describe(missing) == "NOT_FOUND: there is no glossary 'g'; `regard glossaries` lists what there is"
