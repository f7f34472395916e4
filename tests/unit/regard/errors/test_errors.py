"""Messages of errors that the client makes itself."""

from regard.errors import MissingExtra


def test_a_missing_extra_names_the_commands_that_install_it() -> None:
    message = str(MissingExtra("an embedded server", "serve", "onnxruntime"))
    assert message == (
        "an embedded server needs the extra 'serve' (there is no module onnxruntime): "
        "pip install 'regard[serve]', or in a checkout pip install '.[serve]' ./service ./models/zoo"
    )


def test_an_extra_of_the_client_alone_needs_no_folder() -> None:
    assert str(MissingExtra("drawing attention", "plot")).endswith("in a checkout pip install '.[plot]'")
