"""Finds a checkpoint in a local folder or on the Hugging Face hub.

The hub's own client resumes interrupted downloads and keeps them in its cache; with `HF_HUB_OFFLINE=1` it reads only
the cache.
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

# Config, tokenizers and card; never code, nor the same weights for other libraries.
TEXT_PATTERNS = ("*.json", "*.model", "*.spm", "*.txt", "README.md")
SAFETENSORS_PATTERNS = ("*.safetensors",)
PICKLE_PATTERNS = ("pytorch_model*.bin", "adapter_model.bin")
IGNORED_PATTERNS = ("*/*",)  # folders hold copies for other uses

LICENSE_LINE = re.compile(r"^license:\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class FoundCheckpoint:
    """A checkpoint on this machine.

    Attributes:
        path: its folder, or its only file.
        origin: the repository and its revision, for the manifest; "" of a local checkpoint.
        license: the one that its card names, or "".
    """

    path: Path
    origin: str = ""
    license: str = ""


def find_checkpoint(source: str, revision: str | None) -> FoundCheckpoint:
    """Finds a local folder or file or, if there is none of this name, a repository on the hub.

    Args:
        revision: branch, tag or commit of a repository; None for its main branch.

    Raises:
        ExportError: there is neither, or the hub is unreachable.
    """
    folder = Path(source)
    if folder.exists():
        if revision is not None:
            raise ExportError(f"{source} is a {'folder' if folder.is_dir() else 'file'}, and has no revisions")
        return FoundCheckpoint(folder, license=_license(folder if folder.is_dir() else folder.parent))
    fetched = _fetch(source, revision, (*TEXT_PATTERNS, *SAFETENSORS_PATTERNS))
    if not any(fetched.glob("*.safetensors")):
        fetched = _fetch(source, revision, (*TEXT_PATTERNS, *PICKLE_PATTERNS))
    return FoundCheckpoint(fetched, f"{source}, revision {fetched.name}", _license(fetched))


def _fetch(name: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    """Fetches files of a repository; returns its folder in the cache, whose name is the commit."""
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
    except Exception as error:  # network errors are of many kinds
        raise ExportError(f"{name} cannot be fetched from the hub: {error}") from error


def _download(name: str, revision: str | None, patterns: tuple[str, ...]) -> str:
    """Fetches files that are not in the cache; reads only the cache if the hub does not answer, or refuses.

    Asks for the repository's info first, with a timeout: the download itself would wait for an answer forever.
    """
    fetch = partial(
        huggingface_hub.snapshot_download,
        name,
        revision=revision,
        allow_patterns=list(patterns),
        ignore_patterns=list(IGNORED_PATTERNS),
    )
    try:
        huggingface_hub.HfApi().repo_info(name, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except HFValidationError:
        raise
    except Exception as problem:  # network errors and the hub's refusals are of many kinds
        try:
            return str(fetch(local_files_only=True))
        except LocalEntryNotFoundError:
            if isinstance(problem, HfHubHTTPError):
                raise problem from None
            raise
    return str(fetch())


def _license(folder: Path) -> str:
    """The license in the front matter of the card, or ""."""
    card = folder / "README.md"
    found = LICENSE_LINE.search(card.read_text(encoding="utf-8", errors="replace")[:4000]) if card.is_file() else None
    return found[1].strip("'\"") if found else ""
