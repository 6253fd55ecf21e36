"""Git over HTTP, served by git's own http-backend, and by servers that only pretend."""

from __future__ import annotations

import hashlib
import os
import pathlib
import struct
import subprocess
import zlib

import pytest

from .conftest import Fetch, Handler, Server


class Repository:
    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self.path = folder / name
        self.git("init", "-q", "-b", "main", str(self.path), cwd=folder)
        for key, value in {
            "user.name": "Author",
            "user.email": "author@example.com",
            "commit.gpgsign": "false",
            "core.protectHFS": "false",
            "core.protectNTFS": "false",
        }.items():
            self.git("config", key, value)

    def git(self, *arguments: str, cwd: pathlib.Path | None = None, stdin: bytes | None = None) -> str:
        # Nothing of the tester's configuration.
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.path, env=environment, input=stdin, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, bytes], message: str = "change") -> str:
        for name, content in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(content)
        self.git("add", "-A")
        return self.end_commit(message)

    def end_commit(self, message: str = "change") -> str:
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def tree(self, *entries: tuple[str, str, str]) -> None:
        """A branch "odd" whose tree has what git itself would not write: (mode, name, object)."""
        body = b"".join(
            mode.encode() + b" " + name.encode() + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries
        )
        tree = self.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=body)
        commit = f"tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nodd\n"
        oid = self.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=commit.encode())
        self.git("update-ref", "refs/heads/odd", oid)

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content)


@pytest.fixture
def repository(server: Server, tmp_path: pathlib.Path) -> Repository:
    served = tmp_path / "served"
    served.mkdir()
    server.repositories = served
    repository = Repository(served, "agent.git")
    repository.commit({"agent.py": b"version = 1\n", "pong/agent.py": b"pong = 1\n", "pong/net/w.bin": b"\0\1\2"})
    return repository


@pytest.fixture
def url(server: Server) -> str:
    return server.url + "/agent.git"


# What arrives.


def test_branch(fetch: Fetch, repository: Repository, url: str) -> None:
    done = fetch.git(url, "main")
    done.assert_done()
    assert done.files() == {"agent.py": b"version = 1\n", "pong/agent.py": b"pong = 1\n", "pong/net/w.bin": b"\0\1\2"}
    assert not (done.context / ".git").exists()
    assert repository.git("rev-parse", "HEAD") in done.stdout
    fetch.git(url + "/", "refs/heads/main").assert_done()
    fetch.git(url, "HEAD").assert_done()


def test_path(fetch: Fetch, repository: Repository, url: str) -> None:
    done = fetch.git(url, "main", "--path", "pong")
    done.assert_done()
    assert done.files() == {"agent.py": b"pong = 1\n", "net/w.bin": b"\0\1\2"}
    fetch.git(url, "main", "--path", "./pong/net/..").assert_refused("UnsafePath")
    fetch.git(url, "main", "--path", "pong/net").assert_refused("NoAgent")
    fetch.git(url, "main", "--path", "nothing").assert_refused("PathNotFound")
    fetch.git(url, "main", "--path", "agent.py").assert_refused("PathNotFound")


def test_branches_and_tags(fetch: Fetch, repository: Repository, url: str) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "light")
    repository.git("tag", "-a", "v1", "-m", "version 1")
    repository.git("tag", "-a", "v1-again", "-m", "a tag of a tag", "v1")
    repository.git("branch", "feature/é")
    second = repository.commit({"agent.py": b"version = 2\n"})
    for ref in ("light", "v1", "v1-again", "refs/tags/v1", "feature/é", first, first.upper()):
        done = fetch.git(url, ref)
        done.assert_done()
        assert done.files()["agent.py"] == b"version = 1\n", ref
    assert fetch.git(url, second).files()["agent.py"] == b"version = 2\n"
    assert fetch.git(url, "main").files()["agent.py"] == b"version = 2\n"


@pytest.mark.parametrize("reachable", [False, True])
def test_commit_inside_the_history(
    fetch: Fetch, server: Server, repository: Repository, url: str, reachable: bool
) -> None:
    repository.git("config", "uploadpack.allowReachableSHA1InWant", str(reachable).lower())
    commits = [repository.commit({"agent.py": b"version = %d\n" % i}) for i in range(2, 6)]
    done = fetch.git(url, commits[1])
    done.assert_done()
    assert done.files()["agent.py"] == b"version = 3\n"
    assert ("all branches" in done.stdout) is not reachable


def test_only_one_commit_travels(fetch: Fetch, repository: Repository, url: str) -> None:
    """40 MB of history, of which a build needs nothing."""
    for _ in range(4):
        repository.commit({"weights.bin": os.urandom(10 << 20)})
    repository.commit({"weights.bin": b"small"})
    done = fetch.git(url, "main", "--max-bytes", "1000000")
    done.assert_done()
    assert done.files()["weights.bin"] == b"small"


def test_history_that_is_too_large(fetch: Fetch, repository: Repository, url: str) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.commit({"weights.bin": os.urandom(3 << 20)})
    fetch.git(url, first, "--max-bytes", "1000000").assert_refused("TooBig")
    fetch.git(url, "main", "--max-bytes", "1000000").assert_refused("TooBig")


def test_deltas(fetch: Fetch, repository: Repository, url: str) -> None:
    """Packed on the server with deltas, which libgit2 has to put together."""
    text = b"".join(b"line %d\n" % i for i in range(20000))
    for i in range(5):
        repository.commit({"agent.py": text + b"end %d\n" % i, f"copy{i}.py": text + b"copy %d\n" % i})
    repository.git("repack", "-adq", "--depth=50")
    done = fetch.git(url, "main")
    done.assert_done()
    assert done.files()["agent.py"] == text + b"end 4\n"
    assert len(done.files()) == 8


def test_modes_and_links(fetch: Fetch, repository: Repository, url: str) -> None:
    (repository.path / "run.sh").write_text("#!/bin/sh\n")
    (repository.path / "run.sh").chmod(0o755)
    (repository.path / "pong" / "link.py").symlink_to("../agent.py")
    repository.commit({})
    done = fetch.git(url, "main")
    done.assert_done()
    assert (done.context / "run.sh").stat().st_mode & 0o7777 == 0o755
    assert os.readlink(done.context / "pong" / "link.py") == "../agent.py"
    fetch.git(url, "main", "--path", "pong").assert_refused("UnsafePath")


def test_an_empty_repository(fetch: Fetch, server: Server, repository: Repository) -> None:
    Repository(server.repositories, "empty.git")
    fetch.git(server.url + "/empty.git", "main").assert_refused("RefNotFound")


def test_filters_and_hooks_do_nothing(fetch: Fetch, repository: Repository, url: str, tmp_path: pathlib.Path) -> None:
    hook = repository.path / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    repository.commit(
        {
            ".gitattributes": b"*.py text eol=crlf ident filter=evil\n",
            ".gitmodules": b'[submodule "x"]\n path = x\n url = ext::sh -c "touch ran"\n',
            "agent.py": b"# $Id$\n",
        }
    )
    done = fetch.git(url, "main")
    done.assert_done()
    assert done.files()["agent.py"] == b"# $Id$\n"
    assert not (tmp_path / "ran").exists()


# What is refused.


def test_submodule(fetch: Fetch, repository: Repository, url: str) -> None:
    oid = repository.git("rev-parse", "HEAD")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{oid},vendor")
    repository.end_commit()
    done = fetch.git(url, "main")
    done.assert_refused("GitSubmodule")
    assert "vendor" in done.message
    fetch.git(url, "main", "--path", "pong").assert_done()


def test_lfs(fetch: Fetch, repository: Repository, url: str) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    repository.commit({"model/weights.pt": pointer})
    done = fetch.git(url, "main")
    done.assert_refused("GitLfs")
    assert "model/weights.pt" in done.message


@pytest.mark.parametrize("target", ["/etc/passwd", "../x", "pong/../../x", "a\0b/../.."])
def test_links_out(fetch: Fetch, repository: Repository, url: str, target: str) -> None:
    repository.tree(("120000", "l", repository.blob(target.encode())))
    done = fetch.git(url, "odd")
    assert done.code == 10 and done.reason in ("UnsafePath", "NoAgent")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../../x", "/etc", "a\\b", "a\x01b"])
def test_names(fetch: Fetch, repository: Repository, url: str, name: str) -> None:
    blob = repository.blob(b"x")
    repository.tree(("100644", name, blob), ("100644", "agent.py", blob))
    done = fetch.git(url, "odd")
    assert done.code == 10 and done.reason in ("UnsafePath", "BadRepository"), done.fault
    repository.tree(("40000", name, repository.git("rev-parse", "main:pong")))
    done = fetch.git(url, "odd")
    assert done.code == 10 and done.reason in ("UnsafePath", "BadRepository"), done.fault


def test_names_that_are_no_utf8(fetch: Fetch, repository: Repository, url: str) -> None:
    blob = repository.blob(b"x")
    body = b"100644 bad\xff\0" + bytes.fromhex(blob)
    tree = repository.git("hash-object", "-t", "tree", "-w", "--stdin", stdin=body)
    commit = f"tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nodd\n"
    repository.git(
        "update-ref",
        "refs/heads/odd",
        repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=commit.encode()),
    )
    fetch.git(url, "odd").assert_refused("UnsafePath")


def test_a_tree_that_multiplies(fetch: Fetch, repository: Repository, url: str) -> None:
    """Ten folders in each of ten levels, all the same few objects: 10^10 files in a kilobyte."""
    blob = repository.blob(b"x")
    listing = "".join(f"100644 blob {blob}\tf{i}\n" for i in range(10))
    tree = repository.git("mktree", stdin=listing.encode())
    for _ in range(9):
        listing = "".join(f"040000 tree {tree}\td{i}\n" for i in range(10))
        tree = repository.git("mktree", stdin=listing.encode())
    repository.git("update-ref", "refs/heads/bomb", repository.git("commit-tree", tree, "-m", "bomb"))
    fetch.git(url, "bomb", "--max-files", "2000").assert_refused("TooManyFiles")


def test_a_deep_tree(fetch: Fetch, repository: Repository, url: str) -> None:
    tree = repository.git("rev-parse", "main^{tree}")
    for _ in range(1000):
        tree = repository.git("mktree", stdin=f"040000 tree {tree}\td\n".encode())
    repository.git("update-ref", "refs/heads/deep", repository.git("commit-tree", tree, "-m", "deep"))
    fetch.git(url, "deep").assert_refused("UnsafePath")


def test_a_blob_of_zeros(fetch: Fetch, repository: Repository, url: str) -> None:
    repository.commit({"zeros": b"\0" * (8 << 20)})
    fetch.git(url, "main", "--max-bytes", "4000000").assert_refused("TooBig")


@pytest.mark.parametrize("ref", ["nothing", "refs/heads/nothing", "v", "0123456", "0" * 40])
def test_unknown_refs(fetch: Fetch, repository: Repository, url: str, ref: str) -> None:
    fetch.git(url, ref).assert_refused("RefNotFound")


@pytest.mark.parametrize("ref", ["", "-x", "a b", "a..b", "main~1", "main^", "a:b", "@{u}", "x" * 300, "a\nb"])
def test_bad_refs(fetch: Fetch, url: str, ref: str) -> None:
    fetch.git(url, f"{ref}" if ref != "-x" else "-x").assert_refused("BadRef")


@pytest.mark.parametrize("target", ["main^{tree}", "main:agent.py"])
def test_a_tag_of_what_is_no_commit(fetch: Fetch, repository: Repository, url: str, target: str) -> None:
    repository.git("tag", "odd", repository.git("rev-parse", target))
    fetch.git(url, "odd").assert_refused("BadRepository")


def test_no_repository(fetch: Fetch, server: Server, repository: Repository) -> None:
    fetch.git(server.url + "/missing.git", "main").assert_refused("NotFound")
    server.serve("/page/info/refs", b"<html>not git</html>")
    fetch.git(server.url + "/page", "main").assert_refused("NotGit")
    server.serve("/dumb/info/refs", b"0" * 40 + b"\trefs/heads/main\n")
    fetch.git(server.url + "/dumb", "main").assert_refused("NotGit")
    fetch.git(server.url + "/x.git?a=b", "main").assert_refused("BadUrl")
    fetch.git("ssh://git@example.com/x.git", "main").assert_refused("BadUrl")
    fetch.git("git@example.com:x.git", "main").assert_refused("BadUrl")
    fetch.git(str(server.repositories), "main").assert_refused("BadUrl")


# Redirects: followed for the first request, and the second goes where that one ended.


def test_redirect(fetch: Fetch, server: Server, repository: Repository, url: str) -> None:
    server.redirect("/old.git/info/refs", url + "/info/refs?service=git-upload-pack")
    fetch.git(server.url + "/old.git", "main").assert_done()
    assert [path for method, path, _ in server.requests if method == "POST"] == ["/agent.git/git-upload-pack"]
    server.redirect("/odd.git/info/refs", url)
    fetch.git(server.url + "/odd.git", "main").assert_refused("NotFound")
    server.redirect("/page.git/info/refs", server.serve("/page", b"x"))
    fetch.git(server.url + "/page.git", "main").assert_refused("BadRedirect")


def test_redirect_to_a_forbidden_address(fetch: Fetch, server: Server, repository: Repository, url: str) -> None:
    elsewhere = url.replace("127.0.0.1", "127.0.0.2") + "/info/refs?service=git-upload-pack"
    server.redirect("/old.git/info/refs", elsewhere)
    fetch.git(server.url + "/old.git", "main", allow="127.0.0.1/32").assert_refused("ForbiddenAddress")


def test_second_request_is_not_redirected(fetch: Fetch, server: Server, repository: Repository, url: str) -> None:
    server.redirect("/agent.git/git-upload-pack", "http://127.0.0.2/", status=307)
    fetch.git(url, "main").assert_refused("BadAnswer")


# Servers that only pretend.


def packet(body: bytes) -> bytes:
    return b"%04x" % (len(body) + 4) + body


OID = "1" * 40
ABILITIES = b"side-band-64k ofs-delta shallow"


def offer(ref: bytes = b"refs/heads/main", abilities: bytes = ABILITIES) -> bytes:
    line = OID.encode() + b" " + ref + b"\0" + abilities + b"\n"
    return packet(b"# service=git-upload-pack\n") + b"0000" + packet(line) + b"0000"


def pretend(server: Server, answer: bytes, first: bytes | None = None) -> str:
    server.serve("/x/info/refs", offer() if first is None else first)
    server.serve("/x/git-upload-pack", answer)
    return server.url + "/x"


def band(body: bytes) -> bytes:
    pieces = [body[i : i + 60000] for i in range(0, len(body), 60000)]
    return packet(b"NAK\n") + b"".join(packet(b"\1" + piece) for piece in pieces) + b"0000"


def pack(*objects: tuple[int, int, bytes], count: int | None = None) -> bytes:
    """A pack of (kind, claimed size, content)."""
    body = b"PACK" + struct.pack(">II", 2, len(objects) if count is None else count)
    for kind, size, content in objects:
        byte, size = (kind << 4) | (size & 15), size >> 4
        while size:
            body += bytes([byte | 0x80])
            byte, size = size & 0x7F, size >> 7
        body += bytes([byte]) + zlib.compress(content)
    return body + hashlib.sha1(body).digest()


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"0000",
        b"zzzz",
        b"0001",
        b"fff5" + b"x" * 70000,
        packet(b"# service=git-receive-pack\n") + b"0000",
        packet(b"# service=git-upload-pack\n") + b"0000",
        packet(b"# service=git-upload-pack\n") + b"0000" + packet(b"no object here\0side-band-64k\n") + b"0000",
        offer(abilities=b"ofs-delta"),
        offer(abilities=ABILITIES + b" object-format=sha256"),
        offer() + offer(),
        offer()[:-4],
        offer()[:-10],
    ],
)
def test_offers_that_are_none(fetch: Fetch, server: Server, first: bytes) -> None:
    done = fetch.git(pretend(server, b"", first), "main")
    assert (done.code, done.reason) in ((10, "NotGit"), (11, "Incomplete")), done.fault


def test_words_from_the_server(fetch: Fetch, server: Server) -> None:
    done = fetch.git(
        pretend(server, b"", packet(b"# service=git-upload-pack\n") + b"0000" + packet(b"ERR go \x1b[0maway\n")), "main"
    )
    done.assert_refused("GitError")
    assert "go ?[0maway" in done.message
    fetch.git(pretend(server, packet(b"ERR upload-pack: not our ref\n")), "main").assert_refused("GitError")
    fetch.git(pretend(server, packet(b"NAK\n") + packet(b"\3out of memory")), "main").assert_refused(
        "GitError", code=11
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"0000",
        packet(b"NAK\n"),
        band(b""),
        band(b"PACK"),
        band(pack())[:-4],
        band(pack((3, 5, b"hello")))[:-20],
        band(b"not a pack at all, however long it is"),
        band(pack()),
        band(pack((3, 5, b"hello"))),
        band(pack((3, 500, b"hello"))),
        band(pack((3, 2, b"hello"))),
        band(pack((7, 5, b"hello"))),
        band(pack((0, 5, b"hello"))),
        band(pack((3, 5, b"hello"), count=2)),
        band(pack((3, 5, b"hello"))[:-1] + b"x"),
        packet(b"what?\n") + b"0000",
        packet(b"NAK\n") + packet(b"\7odd") + b"0000",
    ],
)
def test_answers_that_are_none(fetch: Fetch, server: Server, answer: bytes) -> None:
    done = fetch.git(pretend(server, answer), "main")
    expected = ((10, "NotGit"), (10, "BadRepository"), (10, "RefNotFound"), (11, "Incomplete"))
    assert (done.code, done.reason) in expected, done.fault
    assert not done.context.exists()


def named(kind: str, size: int, content: bytes) -> bytes:
    return hashlib.sha1(b"%b %d\0" % (kind.encode(), size) + content).digest()


def test_more_objects_than_there_are(fetch: Fetch, server: Server) -> None:
    for count in (0xFFFFFFFF, 2_000_000):
        body = pack((3, 5, b"hello"), count=count)
        fetch.git(pretend(server, band(body)), "main").assert_refused("BadRepository")


@pytest.mark.parametrize("size", [6, 1000, 1 << 28, 1 << 40])
def test_a_file_that_claims_to_be_larger(fetch: Fetch, server: Server, size: int) -> None:
    """libgit2 indexes it without a word; nothing is allocated or written for what is not there."""
    tree = b"100644 agent.py\0" + named("blob", size, b"hello")
    commit = (
        b"tree "
        + named("tree", len(tree), tree).hex().encode()
        + b"\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n"
    )
    oid = named("commit", len(commit), commit).hex()
    first = offer().replace(OID.encode(), oid.encode())
    body = pack((1, len(commit), commit), (2, len(tree), tree), (3, size, b"hello"))
    done = fetch.git(pretend(server, band(body), first), "main")
    done.assert_refused("TooBig" if size >= 1 << 28 else "BadRepository")


def number(n: int) -> bytes:
    """A size inside a delta."""
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def test_a_delta_that_grows(fetch: Fetch, server: Server) -> None:
    """A delta of a kilobyte that would unpack to 1.6 gigabytes."""
    base = b"x" * (16 << 20)
    oid = hashlib.sha1(b"blob %d\0" % len(base) + base).digest()
    copies = b"\xf0\xff\xff\xff" * 96
    delta = number(len(base)) + number(96 * 0xFFFFFF) + copies
    body = b"PACK" + struct.pack(">II", 2, 2)
    for head, content in (((3, len(base), b""), base), ((7, len(delta), oid), delta)):
        kind, size, reference = head
        byte, size = (kind << 4) | (size & 15), size >> 4
        while size:
            body += bytes([byte | 0x80])
            byte, size = size & 0x7F, size >> 7
        body += bytes([byte]) + reference + zlib.compress(content)
    body += hashlib.sha1(body).digest()
    done = fetch.git(pretend(server, band(body)), "main")
    done.assert_refused("TooBig")


def test_an_endless_answer(fetch: Fetch, server: Server) -> None:
    piece = packet(b"\1" + b"x" * 60000)

    def route(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        try:
            handler.wfile.write(packet(b"NAK\n") + packet(b"\1PACK\0\0\0\2\0\0\0\1"))
            while True:
                handler.wfile.write(packet(b"\2working\n") * 1000)
        except OSError:
            handler.close_connection = True

    url = pretend(server, piece)
    server.routes["/x/git-upload-pack"] = route
    fetch.git(url, "main", "--max-bytes", "3000000").assert_refused("TooBig")
