"""What depcheck and upgradepath read: the update of the message, and package repositories among the downloads.

    $TASKBOT_FETCHED/repositories/<release>/<architecture>/<repository>/repodata/
    $TASKBOT_FETCHED/update/**/*.rpm         packages of the update, where no repository has them

The two tasks hold the same copy of this file: each task is a repository of its own.
"""

import json
import os
import re
import sys
from pathlib import Path

import solv

# What such a repository holds is asked for, not given: only the update's own packages of it count.
PENDING = re.compile(r"testing|pending|candidate")


EXIT_UNAVAILABLE = 69


def fetched():
    return Path(os.environ["TASKBOT_FETCHED"])


class Update:
    """The update, by what its message and its packages say."""

    def __init__(self):
        self.name = os.environ["TASKBOT_INPUT_UPDATE"]
        message = json.loads(Path(os.environ["TASKBOT_EVENT"]).read_text())
        body = message.get("body") or {}
        told = body.get("update") or body.get("artifact") or {}
        release = told.get("release")
        self.release = (release.get("name") if isinstance(release, dict) else release) or ""
        builds = [build.get("nvr") for build in told.get("builds") or [] if isinstance(build, dict)]
        # Bodhi 1 tells some updates by their title alone, and those have it for a name
        builds = builds or re.split(r"[,\s]+", told.get("title") or self.name)
        self.builds = {build for build in builds if isinstance(build, str) and build.count("-") >= 2}
        self.packages = sorted((fetched() / "update").rglob("*.rpm"))

    def holds(self, solvable):
        """Whether a package is one of the update: by its file, or by the build that it came from."""
        if solvable.repo.name == "update":
            return True
        source = solvable.lookup_sourcepkg()
        return bool(source) and source.removesuffix(".src.rpm").removesuffix(".nosrc.rpm") in self.builds


def releases():
    """The releases that there are repositories of, {name: folder}, from old to new."""
    folder = fetched() / "repositories"
    found = {entry.name: entry for entry in folder.iterdir() if entry.is_dir()} if folder.is_dir() else {}
    return dict(sorted(found.items(), key=lambda item: release_order(item[0])))


def release_of(update, releases):
    """The name of the update's release; where no repositories of it are at hand, the task cannot do its work here."""
    named = [name for name in releases if name.lower() == update.release.lower()]
    if not named and len(releases) == 1 and not update.release:
        named = list(releases)
    if not named:
        there = ", ".join(releases) or "none"
        print(f"needs package repositories of the update's release {update.release!r}; there are: {there}", file=sys.stderr)
        sys.exit(EXIT_UNAVAILABLE)
    return named[0]


def release_order(name):
    """f9 < f40 < f41 < rawhide."""
    number = re.search(r"\d+", name)
    return (0, int(number[0])) if number else (1, 0)


def new_pool(arch):
    pool = solv.Pool()
    # where Debian built the library, it would judge by Debian's rules
    pool.setdisttype(solv.Pool.DISTTYPE_RPM)
    pool.setarch(arch)
    return pool


def load(pool, release, arch):
    """Adds the repositories of a release on an architecture, each as "<release>/<repository>"."""
    folder = release / arch
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if (entry / "repodata").is_dir():
            load_repository(pool, entry, f"{release.name}/{entry.name}")


def load_packages(pool, packages):
    repository = pool.add_repo("update")
    for package in packages:
        if not repository.add_rpm(str(package)):
            raise SystemExit(f"{package.name}: {pool.errstr}")


def load_repository(pool, folder, name):
    repository = pool.add_repo(name)
    index = folder / "repodata" / "repomd.xml"
    if not repository.add_repomdxml(open_file(index)):
        raise SystemExit(f"{index}: {pool.errstr}")
    files = {kind: folder / path for kind in ("primary", "filelists") if (path := location(repository, kind))}
    if "primary" not in files:
        raise SystemExit(f"{index}: names no primary metadata")
    if not repository.add_rpmmd(open_file(files["primary"]), None):
        raise SystemExit(f"{files['primary']}: {pool.errstr}")
    # paths outside of /usr/bin, /etc and the like; a mirror may have left the large file out
    if (listed := files.get("filelists")) and listed.is_file():
        repository.add_rpmmd(open_file(listed), "FL", solv.Repo.REPO_EXTEND_SOLVABLES)


def location(repository, kind):
    entries = repository.Dataiterator_meta(solv.REPOSITORY_REPOMD_TYPE, kind, solv.Dataiterator.SEARCH_STRING)
    entries.prepend_keyname(solv.REPOSITORY_REPOMD)
    return next((entry.parentpos().lookup_str(solv.REPOSITORY_REPOMD_LOCATION) for entry in entries), None)


def open_file(path):
    opened = solv.xfopen(str(path))
    if not opened:
        raise SystemExit(f"{path}: cannot be read")
    return opened


def architectures(release):
    return sorted(entry.name for entry in release.iterdir() if entry.is_dir())


def binaries(pool):
    """The packages that can be installed: no sources, nothing of another architecture."""
    return [s for s in pool.solvables_iter() if s.arch not in ("src", "nosrc") and s.installable()]
