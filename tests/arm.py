"""A Python for aarch64 with LiteRT under qemu-user: Debian's packages and PyPI's wheels in a folder; installs nothing.

    python tests/arm.py FOLDER      makes it
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGES = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libgcc-s1", "libstdc++6", "zlib1g",
            "libexpat1", "libffi8", "libssl3", "libbz2-1.0", "liblzma5", "libuuid1")
WHEELS = ("ai-edge-litert==2.1.2", "numpy==2.3.5")  # newer LiteRT wheels do not start under qemu 7.2
CPU = "cortex-a76"  # as in phones; with SVE, which qemu 7.2 has by default, int8 answers were others: qemu or kernels, unknown
QEMU = next(filter(None, map(shutil.which, ("qemu-aarch64-static", "qemu-aarch64"))), None)


class ArmError(RuntimeError):
    """The folder cannot be made here."""


def make(folder: Path) -> None:
    """Unpacks everything into the folder, unless it is there already.

    Raises:
        ArmError: a tool or a package is missing.
    """
    if (folder / "done").exists():
        return
    if QEMU is None or not shutil.which("apt-get"):
        raise ArmError("qemu-user (qemu-aarch64-static) and Debian's apt-get are needed")
    root, debs, wheels = folder / "root", folder / "debs", folder / "wheels"
    for part in (root, debs, folder / "lists" / "partial"):
        part.mkdir(parents=True, exist_ok=True)
    settings = ("APT::Architecture=arm64", "APT::Architectures=arm64", "Dir::State::status=/dev/null",
                f"Dir::State::lists={folder / 'lists'}", "APT::Sandbox::User=root")
    apt = ["apt-get", "-qq", *(part for setting in settings for part in ("-o", setting))]
    _run([*apt, "update"])
    _run([*apt, "download", *PACKAGES], cwd=debs)
    for deb in debs.glob("*.deb"):
        _run(["dpkg-deb", "-x", str(deb), str(root)])
    platforms = (part for version in (17, 27, 28) for part in ("--platform", f"manylinux_2_{version}_aarch64"))
    _run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--python-version", "3.11",
          "--dest", str(wheels), *platforms, *WHEELS])
    for wheel in wheels.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(root / "site")
    (folder / "done").touch()


def python(folder: Path, *arguments: str, **given) -> subprocess.CompletedProcess:
    """Runs the aarch64 Python."""
    root = folder / "root"
    variables = (f"PYTHONPATH={root / 'site'}", f"PYTHONHOME={root / 'usr'}",
                 f"LD_LIBRARY_PATH={root / 'usr/lib/aarch64-linux-gnu'}")
    command = [QEMU, "-cpu", CPU, "-L", str(root), *(part for variable in variables for part in ("-E", variable)),
               str(root / "usr/bin/python3.11"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, **given)


def _run(command: list[str], **given) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **given)
    if done.returncode:
        raise ArmError(f"{' '.join(command[:4])} ... failed: {done.stderr[-400:]}")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
    print(python(Path(sys.argv[1]), "-c", "import ai_edge_litert.interpreter, platform; print(platform.machine())"))
