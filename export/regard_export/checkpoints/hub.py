"""Checkpoints on the Hugging Face hub, fetched by the hub's own client: resumed where a download broke off, kept in its
cache, and read from there alone when `HF_HUB_OFFLINE=1`.
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from regard_export.errors import ExportError

# Config, tokenizers, a card; never code, and none of the same weights for other libraries.
TEXTS = ("*.json", "*.model", "*.spm", "*.txt", "README.md")
WEIGHTS = ("*.safetensors",)
PICKLES = ("pytorch_model*.bin",)
FOLDERS = ("*/*",)  # hold copies for other uses

LICENSE = re.compile(r"^license:\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's folder, or its only file.

    Attributes:
        origin: where it is from, for the manifest; "" leaves that to the family.
        license: as its card says; "" if it does not.
    """

    folder: Path
    origin: str = ""
    license: str = ""


def find(source: str, revision: str | None) -> Checkpoint:
    """Finds a local folder or file of this name or, if there is none, a repository on the hub.

    Args:
        revision: branch, tag or commit of a repository; its main branch if None.

    Raises:
        ExportError: there is neither, or the hub cannot be reached.
    """
    folder = Path(source)
    if folder.exists():
        if revision is not None:
            raise ExportError(f"{source} is a {'folder' if folder.is_dir() else 'file'}, and has no revisions")
        return Checkpoint(folder, license=_license(folder if folder.is_dir() else folder.parent))
    fetched = _fetch(source, revision, (*TEXTS, *WEIGHTS))
    if not any(fetched.glob("*.safetensors")):
        fetched = _fetch(source, revision, (*TEXTS, *PICKLES))
    return Checkpoint(fetched, f"{source}, revision {fetched.name}", _license(fetched))


def _fetch(name: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    """The cache's folder of a repository, whose name is the commit."""
    try:
        return Path(_download(name, revision, patterns))
    except HFValidationError as error:
        raise ExportError(f"{name!r} is neither a folder nor the name of a repository, such as owner/model") from error
    except GatedRepoError as error:
        raise ExportError(f"{name} is gated: accept its terms on the hub, then `hf auth login`") from error
    except RevisionNotFoundError as error:
        raise ExportError(f"{name} has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise ExportError(f"there is no folder {name}, and no repository of this name on the hub") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise ExportError(
            f"there is no folder {name}; as a repository it is not in the cache, and the hub is not to be reached: "
            "check the network (HF_HUB_OFFLINE, HF_ENDPOINT, proxies), or fetch it elsewhere and give its folder"
        ) from error
    except Exception as error:  # of the network: many kinds
        raise ExportError(f"{name} cannot be fetched from the hub: {error}") from error


def _download(name: str, revision: str | None, patterns: tuple[str, ...]) -> str:
    """Fetches what is not in the cache; takes all from there where the hub does not answer, or refuses.

    Whether it answers is asked first: the client that fetches would wait for an answer for ever.
    """
    fetch = partial(
        huggingface_hub.snapshot_download,
        name,
        revision=revision,
        allow_patterns=list(patterns),
        ignore_patterns=list(FOLDERS),
    )
    try:
        huggingface_hub.HfApi().repo_info(name, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except HFValidationError:
        raise
    except Exception as problem:  # of the network, or the hub's answer: many kinds
        try:
            return str(fetch(local_files_only=True))
        except LocalEntryNotFoundError:
            if isinstance(problem, HfHubHTTPError):
                raise problem from None
            raise
    return str(fetch())


def _license(folder: Path) -> str:
    """What the card's front matter names."""
    card = folder / "README.md"
    found = LICENSE.search(card.read_text(encoding="utf-8", errors="replace")[:4000]) if card.is_file() else None
    return found[1].strip("'\"") if found else ""
