"""Flags of `regard serve`: one that does not exist is named with the one that was meant."""

from pathlib import Path

import pytest

from regard_service.app.flags import FlagParser


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "1234"], "there is no flag '--port'; did you mean --grpc-port or --http-port?"),
        (["--port=1234"], "there is no flag '--port=1234'; did you mean --grpc-port or --http-port?"),
        (["--grpc-prot", "1"], "there is no flag '--grpc-prot'; did you mean --grpc-port?"),
        (["--grpc_port", "1"], "there is no flag '--grpc_port'; did you mean --grpc-port?"),
        (["--num-threads", "2"], "there is no flag '--num-threads'; did you mean --num-workers?"),
        (["--xyzzy"], "there is no flag '--xyzzy'"),
        (["no such folder"], "there is no argument 'no such folder'"),
        (
            ["--grpc-prot", "1", "--xyzzy"],
            "there is no flag '--grpc-prot'; did you mean --grpc-port?; there is no flag '--xyzzy'",
        ),
    ],
)
def test_an_unknown_flag(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        FlagParser().parse_args(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"regard serve: {message}\n`regard serve --help` lists the flags.\n"


def test_a_folder_is_no_argument(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        FlagParser().parse_args([str(tmp_path)])
    assert f"for a folder of bundles: --model-directories {tmp_path}" in capsys.readouterr().err
