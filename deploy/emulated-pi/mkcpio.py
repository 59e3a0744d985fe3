#!/usr/bin/env python3
"""Packs a folder as a gzipped newc initramfs, root-owned, with /dev/console and /dev/null.

usage: mkcpio.py FOLDER OUT.cpio.gz

Device nodes are written into the archive, so neither root nor fakeroot is needed.
"""

import gzip
import os
import stat
import sys


class Archive:
    """A newc archive that is being written."""

    def __init__(self, out):
        self.out = out
        self.inode = 0

    def add(self, name, mode, data=b"", major=0, minor=0):
        """Adds one entry; `major` and `minor` matter for device nodes."""
        self.inode += 1
        path = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(path), 0)
        header = ("070701" + "".join(f"{field:08x}" for field in fields)).encode() + path
        self.out.write(header + b"\0" * (-len(header) % 4))
        self.out.write(data + b"\0" * (-len(data) % 4))


def main():
    root, target = sys.argv[1:3]
    # A fixed time and the lowest level: the same tree gives the same file, and quickly.
    with gzip.GzipFile(target, "wb", compresslevel=1, mtime=0) as out:
        archive = Archive(out)
        archive.add("dev", stat.S_IFDIR | 0o755)
        archive.add("dev/console", stat.S_IFCHR | 0o600, major=5, minor=1)
        archive.add("dev/null", stat.S_IFCHR | 0o666, major=1, minor=3)
        for folder, subfolders, files in os.walk(root):
            subfolders.sort()
            for entry in sorted(subfolders + files):
                path = os.path.join(folder, entry)
                name = os.path.relpath(path, root)
                status = os.lstat(path)
                if stat.S_ISLNK(status.st_mode):
                    archive.add(name, stat.S_IFLNK | 0o777, os.readlink(path).encode())
                elif stat.S_ISDIR(status.st_mode):
                    archive.add(name, stat.S_IFDIR | 0o755)
                else:
                    with open(path, "rb") as source:
                        mode = stat.S_IFREG | (status.st_mode & 0o777)
                        archive.add(name, mode, source.read())
        archive.add("TRAILER!!!", 0)


if __name__ == "__main__":
    main()
