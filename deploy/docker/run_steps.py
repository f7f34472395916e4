"""`python -m deploy.docker.run_steps FOLDER`: runs the Dockerfile's instructions without a container engine.

Each stage has its own root directory. COPY copies from the repository or from another stage; RUN runs in a `chroot`, as
the stage's user, with its environment. Limits: this machine's own system, read-only, replaces the base image; there are
no layers, caches or image format; a container's limits do not apply. So this shows that the commands work in their
order with the copied files alone, but not that the image is as small or as isolated as a container engine makes it.
Needs Linux, root, and Python 3.11 under /usr.
"""

import argparse
import fnmatch
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy.docker.dockerfile import Instruction, Stage, needed, read

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[1]
DOCKERFILE = FOLDER / "Dockerfile"

SYSTEM = ("bin", "etc", "lib", "lib64", "sbin", "usr", "dev")  # replaces the base image
WRITABLE = ("proc", "root", "tmp")


@dataclass(frozen=True)
class Image:
    """The result of a stage: a root directory and the settings of its programs."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    labels: dict[str, str] = field(default_factory=dict)
    healthcheck: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line that runs these words within the image, on this machine."""
        # The image uses this machine's package index and proxy, but not its version constraints.
        host = {
            name: value
            for name, value in os.environ.items()
            if (name.startswith("PIP_") and not name.endswith("CONSTRAINT")) or "proxy" in name.lower()
        }
        variables = {"HOME": "/root"} | host | self.environment
        mounts = [
            f"mount --rbind --make-rslave /{name} {self.root}/{name} && mount -o remount,ro,bind {self.root}/{name}"
            for name in SYSTEM
            if (self.root / name).is_dir() and not (self.root / name).is_symlink()
        ]
        inner = ["env", "--ignore-environment", *(f"{name}={value}" for name, value in variables.items())]
        inner += ["sh", "-c", 'cd "$0" && exec "$@"', self.workdir, *words]
        steps = [*mounts, f"mount -t proc proc {self.root}/proc"]
        steps += [f"exec chroot --userspec={self.user} {self.root} {shlex.join(inner)}"]
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", " && ".join(steps)]


def empty_image(root: Path) -> Image:
    """A base image: this machine's system without user data."""
    for name in SYSTEM:
        if os.path.islink(f"/{name}"):
            (root / name).symlink_to(os.readlink(f"/{name}"))
        elif os.path.isdir(f"/{name}"):
            (root / name).mkdir(parents=True)
    for name in WRITABLE:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    return Image(root)


class Builder:
    """Runs stages, each in a folder of its own.

    Args:
        context: the repository.
        ignored: lines of .dockerignore.
    """

    def __init__(self, folder: Path, context: Path, ignored: Sequence[str]) -> None:
        self._folder = folder
        self._context = context
        self._ignored = ignored
        self._images: dict[str, Image] = {}

    def build(self, stages: Sequence[Stage]) -> Image:
        """Runs the stages in order; returns the last image."""
        for stage in stages:
            image = self._begin(stage)
            for instruction in stage.instructions:
                image = self._run(instruction, image)
            self._images[stage.name] = image
        return image

    def _begin(self, stage: Stage) -> Image:
        root = self._folder / stage.name
        root.mkdir(parents=True)
        base = self._images.get(stage.base)
        if base is None:
            return empty_image(root)
        shutil.copytree(base.root, root, symlinks=True, dirs_exist_ok=True)
        return replace(base, root=root)

    def _run(self, step: Instruction, image: Image) -> Image:
        match step.keyword:
            case "ENV":
                return replace(image, environment=image.environment | step.pairs())
            case "LABEL":
                return replace(image, labels=image.labels | step.pairs())
            case "WORKDIR":
                (image.root / step.text.lstrip("/")).mkdir(parents=True, exist_ok=True)
                return replace(image, workdir=step.text)
            case "USER":
                return replace(image, user=step.text)
            case "EXPOSE":
                return replace(image, ports=tuple(int(port) for port in step.words()))
            case "ENTRYPOINT":
                return replace(image, entrypoint=tuple(step.words()))
            case "HEALTHCHECK":
                command = Instruction("CMD", {}, step.text.removeprefix("CMD").strip())
                return replace(image, healthcheck=tuple(command.words()))  # container engines apply the intervals
            case "COPY":
                self._copy(step, image)
            case "RUN":
                subprocess.run(image.command(["sh", "-c", step.text]), check=True)
            case unknown:
                raise ValueError(f"the instruction {unknown} is not supported")
        return image

    def _copy(self, step: Instruction, image: Image) -> None:
        *sources, target = step.words()
        source_root = self._images[step.flags["from"]].root if "from" in step.flags else self._context
        destination = image.root / os.path.join(image.workdir, target).lstrip("/")
        if target.endswith("/"):
            destination.mkdir(parents=True, exist_ok=True)
        for name in sources:
            source = source_root / name.lstrip("/")
            if source.is_dir():  # like COPY, copies its content
                shutil.copytree(source, destination, symlinks=True, dirs_exist_ok=True, ignore=self._ignored_names)
            else:
                into = destination / source.name if target.endswith("/") else destination
                shutil.copy2(source, into)

    def _ignored_names(self, folder: str, names: list[str]) -> set[str]:
        """The names in a folder that .dockerignore excludes; none in folders of other stages."""
        if not Path(folder).is_relative_to(self._context):
            return set()
        inside = Path(folder).relative_to(self._context)
        patterns = [line for line in self._ignored if line and not line.startswith(("#", "!")) and line != "*"]
        return {
            name
            for name in names
            for pattern in patterns
            if fnmatch.fnmatch(str(inside / name), pattern.replace("**/", "*"))
        }


def allowed(ignored: Sequence[str]) -> Iterator[str]:
    """The paths that .dockerignore includes: it excludes all others."""
    return (line[1:] for line in ignored if line.startswith("!"))


def build(folder: Path, target: str = "cpu") -> Image:
    """Builds a target of the Dockerfile.

    Raises:
        CalledProcessError: a RUN failed.
        ValueError: .dockerignore excludes the source of a COPY.
    """
    stages = needed(read(DOCKERFILE.read_text(encoding="utf-8")), target)
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    included = set(allowed(ignored))
    for step in (step for stage in stages for step in stage.instructions if step.keyword == "COPY"):
        missing = {name.rstrip("/") for name in step.words()[:-1]} - included
        if "from" not in step.flags and missing:
            raise ValueError(f".dockerignore excludes {', '.join(sorted(missing))}")
    return Builder(folder, REPOSITORY, ignored).build(stages)


def main() -> None:
    """Builds a target and prints the command that runs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for the root directories")
    parser.add_argument("--target", default="cpu")
    arguments = parser.parse_args()
    image = build(arguments.folder, arguments.target)
    print(f"made {image.root}; to run it:\n{shlex.join(image.command(image.entrypoint))}")


if __name__ == "__main__":
    main()
