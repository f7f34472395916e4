"""Options that must stay as a training began."""

from pathlib import Path

import pytest

from regard_models.recipes.resuming import OtherOptions, check_options


def test_options_are_those_of_the_first_call(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "training"
    check_options(folder, {"--width": 256, "--layers": (4, 2)})
    check_options(folder, {"--width": 256, "--layers": [4, 2]})
    with pytest.raises(OtherOptions, match=r"--width 128 instead of 256, --layers 4 3 instead of 4 2: .*another --out"):
        check_options(folder, {"--width": 128, "--layers": (4, 3)})
    check_options(folder, {"--width": 256, "--layers": (4, 2)})


def test_an_option_of_a_later_version_is_not_compared(tmp_path: Path) -> None:
    check_options(tmp_path, {"--width": 256})
    check_options(tmp_path, {"--width": 256, "--heads": 4})
