# SPDX-License-Identifier: GPL-2.0-or-later
"""decoy.py - something of the host's that a hostile image would like to reach, and whether it was touched.

    decoy = Decoy(tmp_path / "decoy")      a directory with files, a directory and a device
    decoy.link(rootfs + "/proc")           the path in the image becomes a link to it
    decoy.check()                          raises unless all is as it was: names, content, mode, owner, inode
"""
import os
import stat


class Decoy:
    def __init__(self, path):
        self.path = str(path)
        os.makedirs(os.path.join(self.path, "dir"))
        for name in ("secret", "dir/inner"):
            with open(os.path.join(self.path, name), "w", encoding="utf-8") as f:
                f.write(f"decoy {name}\n")
        os.chmod(os.path.join(self.path, "secret"), 0o640)
        self.before = self.look()

    def file(self, name, text):
        """One more file in it."""
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.before = self.look()
        return path

    def link(self, at, to="", relative=False):
        """A link in an image to the decoy (or to what is `to` in it); replaces an empty directory."""
        target = os.path.join(self.path, to) if to else self.path
        if os.path.isdir(at) and not os.path.islink(at):
            os.rmdir(at)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        os.symlink("../" * 40 + target.lstrip("/") if relative else target, at)

    def look(self):
        seen = {}
        for directory, dirs, files in os.walk(self.path):
            for path in [directory, *(os.path.join(directory, n) for n in dirs + files)]:
                s = os.lstat(path)
                content = None
                if stat.S_ISREG(s.st_mode):
                    with open(path, "rb") as f:
                        content = f.read()
                seen[path] = (oct(s.st_mode), s.st_uid, s.st_gid, s.st_ino, s.st_dev, s.st_rdev, s.st_nlink,
                              content)
        return seen

    def check(self):
        now = self.look()
        told = [f"{p}: {self.before.get(p)} became {now.get(p)}" for p in sorted({*self.before, *now})
                if self.before.get(p) != now.get(p)]
        assert not told, "the decoy was touched:\n" + "\n".join(told)
