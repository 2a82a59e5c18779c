"""The sources of a build, unpacked.

Reads $TASKBOT_FETCHED/src: a source package (unpacked with rpmbuild -bp, else bsdtar, else rpm2cpio), tarballs, or an
unpacked tree. The tasks that analyse sources hold the same copy of this file: each task is a repository of its own.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

EXIT_UNAVAILABLE = 69
NULL_RUN = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def unpacked():
    """Unpacks everything; gives the directory that file names are relative to."""
    tree = Path(os.environ["TASKBOT_WORKDIR"]) / "sources"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    return unpack(Path(os.environ["TASKBOT_FETCHED"]) / "src", tree).resolve()


def unpack(source, tree):
    """Unpacks what was downloaded into the tree; gives the directory that file names are relative to."""
    packages = sorted(source.glob("*.src.rpm"))
    if packages:
        roots = [unpack_package(package, tree / package.name.removesuffix(".src.rpm")) for package in packages]
        return roots[0] if len(roots) == 1 else tree
    for entry in sorted(source.iterdir()):
        if entry.is_dir():
            shutil.copytree(entry, tree / entry.name, symlinks=True)
        elif is_tarball(entry):
            unpack_tarball(entry, tree)
        else:
            shutil.copy(entry, tree)
    return tree


def unpack_package(package, into):
    into.mkdir()
    if shutil.which("bsdtar"):
        run(["bsdtar", "-xf", str(package)], into)
    elif shutil.which("rpm2cpio") and shutil.which("cpio"):
        archive = run(["rpm2cpio", str(package)], into)
        run(["cpio", "-idm", "--quiet", "--no-absolute-filenames"], into, archive)
    else:
        print("needs bsdtar, or rpm2cpio and cpio, to unpack a source package", file=sys.stderr)
        sys.exit(EXIT_UNAVAILABLE)
    if prepared(into):
        return into / "BUILD"
    for tarball in filter(is_tarball, sorted(into.iterdir())):
        unpack_tarball(tarball, into)
    return into


def prepared(into):
    """Whether the package's own %prep ran: then patches are applied and lines are those of what is built."""
    spec = next(iter(into.glob("*.spec")), None)
    if not spec or not shutil.which("rpmbuild"):
        return False
    command = ["rpmbuild", "--nodeps", "-bp"]
    places = {"_topdir": into, "_sourcedir": into, "_builddir": into / "BUILD", "_tmppath": into, "_dbpath": into / ".rpmdb"}
    for name, value in places.items():
        command += ["--define", f"{name} {value}"]
    (into / "BUILD").mkdir()
    done = subprocess.run([*command, str(spec)], **NULL_RUN)
    if done.returncode == 0:
        return True
    print(f"{spec.name}: %prep failed, patches are not applied", flush=True)
    shutil.rmtree(into / "BUILD")
    return False


def is_tarball(path):
    return path.is_file() and tarfile.is_tarfile(path)


def unpack_tarball(tarball, into):
    with tarfile.open(tarball) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(into, filter="data")
            return
        # before Python 3.11.4: the same by hand, without links
        inside = into.resolve()
        for member in filter(tarfile.TarInfo.isreg, archive):
            member.name = member.name.lstrip("/")
            if not (inside / member.name).resolve().is_relative_to(inside):
                sys.exit(f"{tarball.name}: {member.name!r} leaves the directory it is unpacked in")
            archive.extract(member, into, set_attrs=False)


def run(command, directory, given=None):
    done = subprocess.run(command, cwd=directory, input=given, stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed with exit code {done.returncode}")
    return done.stdout
