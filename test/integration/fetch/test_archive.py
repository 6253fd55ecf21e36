"""Archives over HTTP: what arrives, and every kind that is refused."""

from __future__ import annotations

import gzip
import io
import os
import pathlib
import stat
import struct
import tarfile
import zipfile

import pytest

from .conftest import Fetch, Result, Server

AGENT = ("agent.py", b"def agent(observation): return 0\n")


def zipped(*files: tuple[str, bytes], mode: int | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (mode or (0o40755 if name.endswith("/") else 0o100644)) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.type = kind
    info.linkname = target
    info.mode = mode
    return info, content


def tarred(*members, format: int = tarfile.GNU_FORMAT, level: int = 6) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), level)


def get(fetch: Fetch, server: Server, content: bytes, kind: str = "tar.gz", *more: str) -> Result:
    return fetch.archive(server.serve("/source", content), content, kind, *more)


# What is accepted.


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar(fetch: Fetch, server: Server, format: int) -> None:
    long = "/".join(["folder" * 3] * 8) + "/weights.bin" if format != tarfile.USTAR_FORMAT else "w/weights.bin"
    content = tarred(member(*AGENT), member("é/ü.txt", b"x"), member(long, b"\0" * 100_000), format=format)
    done = get(fetch, server, content)
    done.assert_done()
    assert done.files() == {"agent.py": AGENT[1], "é/ü.txt": b"x", long: b"\0" * 100_000}


def test_zip(fetch: Fetch, server: Server) -> None:
    done = get(fetch, server, zipped(AGENT, ("é/", b""), ("é/ü.txt", b"x"), ("empty/", b"")), "zip")
    done.assert_done()
    assert done.files() == {"agent.py": AGENT[1], "é/ü.txt": b"x"}
    assert (done.context / "empty").is_dir()


def test_a_single_folder_is_taken_away(fetch: Fetch, server: Server) -> None:
    done = get(
        fetch, server, zipped(("pong-1.0/agent.py", b"a"), ("pong-1.0/m/n.py", b"b"), ("__MACOSX/._x", b"")), "zip"
    )
    done.assert_done()
    assert done.files() == {"agent.py": b"a", "m/n.py": b"b"}


def test_a_folder_without_an_agent_stays(fetch: Fetch, server: Server) -> None:
    get(fetch, server, zipped(("src/main.py", b"a")), "zip").assert_refused("NoAgent")


def test_modes(fetch: Fetch, server: Server) -> None:
    content = tarred(
        member(*AGENT, mode=0o4777),
        member("run.sh", b"", mode=0o2711),
        member("secret", b"", mode=0o000),
        member("d", kind=tarfile.DIRTYPE, mode=0o1777),
    )
    done = get(fetch, server, content)
    done.assert_done()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in done.context.iterdir()}
    assert modes == {"agent.py": 0o755, "run.sh": 0o755, "secret": 0o644, "d": 0o755}


def test_links_inside(fetch: Fetch, server: Server) -> None:
    content = tarred(
        member(*AGENT),
        member("a/b/up.py", kind=tarfile.SYMTYPE, target="../../agent.py"),
        member("down", kind=tarfile.SYMTYPE, target="a/b"),
    )
    done = get(fetch, server, content)
    done.assert_done()
    assert os.readlink(done.context / "a/b/up.py") == "../../agent.py"
    assert (done.context / "a/b/up.py").read_bytes() == AGENT[1]


def test_sparse(fetch: Fetch, server: Server, tmp_path: pathlib.Path) -> None:
    (tmp_path / "s").mkdir()
    with open(tmp_path / "s" / "hole.bin", "wb") as file:
        file.seek(1_000_000)
        file.write(b"x")
        file.truncate(2_000_000)
    (tmp_path / "s" / "agent.py").write_bytes(b"")
    os.system(f"tar -C {tmp_path}/s --sparse -czf {tmp_path}/s.tar.gz agent.py hole.bin")
    content = (tmp_path / "s.tar.gz").read_bytes()
    done = get(fetch, server, content)
    done.assert_done()
    assert done.files()["hole.bin"] == b"\0" * 1_000_000 + b"x" + b"\0" * 999_999
    get(fetch, server, content, "tar.gz", "--max-bytes", "1999999").assert_refused("TooBig")


# Names.


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../x", "a/../../x", "a/..", "..", "..\\x", "a\nb", "a\x7f", "d/" * 40 + "x", "n" * 256],
)
def test_names(fetch: Fetch, server: Server, name: str) -> None:
    get(fetch, server, tarred(member(*AGENT), member(name, b"x"), format=tarfile.PAX_FORMAT)).assert_refused(
        "UnsafePath"
    )
    get(fetch, server, zipped(AGENT, (name, b"x")), "zip").assert_refused("UnsafePath")


def test_backslashes(fetch: Fetch, server: Server) -> None:
    """libarchive reads them as slashes in a zip, as some Windows programs write them; then the rules apply."""
    get(fetch, server, tarred(member(*AGENT), member("a\\b", b"x"))).assert_refused("UnsafePath")
    done = get(fetch, server, zipped(AGENT, ("a\\b", b"x")), "zip")
    done.assert_done()
    assert done.files() == {"agent.py": AGENT[1], "a/b": b"x"}
    get(fetch, server, zipped(AGENT, ("a\\..\\..\\b", b"x")), "zip").assert_refused("UnsafePath")


def test_names_that_are_no_utf8(fetch: Fetch, server: Server) -> None:
    content = gzip.decompress(tarred(member(*AGENT), member("bad-name", b"")))
    get(fetch, server, gzip.compress(content.replace(b"bad-name", b"bad-n\xffme"))).assert_refused("BadArchive")
    info, body = member("x", b"")
    info.name = "bad\udcff"
    done = get(fetch, server, tarred(member(*AGENT), (info, body)))
    done.assert_refused("UnsafePath")
    assert "UTF-8" in done.message and "?" in done.message
    plain = zipped(AGENT, ("bad-é", b"")).replace("é".encode(), b"\xff\xfe")
    done = get(fetch, server, plain, "zip")
    assert done.code == 10 and done.reason in ("UnsafePath", "BadArchive")


def test_hostile_names_in_messages(fetch: Fetch, server: Server) -> None:
    done = get(fetch, server, tarred(member('../\x1b[31m"\u202e' + "x" * 800, b""), format=tarfile.PAX_FORMAT))
    done.assert_refused("UnsafePath")
    assert "\x1b" not in done.message and "\u202e" not in done.message and len(done.message) < 400


def test_twice(fetch: Fetch, server: Server) -> None:
    get(fetch, server, tarred(member(*AGENT), member("./agent.py", b"other"))).assert_refused("DuplicateName")
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zipped(AGENT, ("agent.py", b"other"))
    get(fetch, server, content, "zip").assert_refused("DuplicateName")
    get(fetch, server, tarred(member("a", b""), member("a/b", b""))).assert_refused("DuplicateName")
    get(fetch, server, tarred(member("a/b", b""), member("a", b""))).assert_refused("DuplicateName")
    get(fetch, server, tarred(member("A/x", b""), member("a/y", b""))).assert_refused("NameCollision")


# Links and what is no file.


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("l", "/etc/passwd"),
        ("l", ".."),
        ("l", "../x"),
        ("a/l", "../../x"),
        ("a/b/l", "c/../../../x"),
        ("l", ""),
        ("l", "a\\..\\..\\x"),
    ],
)
def test_links_out(fetch: Fetch, server: Server, name: str, target: str) -> None:
    content = tarred(member(*AGENT), member(name, kind=tarfile.SYMTYPE, target=target))
    get(fetch, server, content).assert_refused("UnsafePath")


def test_a_chain_of_links_out(fetch: Fetch, server: Server) -> None:
    """Each step looks harmless by itself: the second climbs from where the first leads."""
    content = tarred(
        member(*AGENT),
        member("a/b/c/up", kind=tarfile.SYMTYPE, target="../../.."),
        member("a/b/c/out", kind=tarfile.SYMTYPE, target="up/.."),
    )
    get(fetch, server, content).assert_refused("UnsafePath")


def test_writing_through_a_link(fetch: Fetch, server: Server, tmp_path: pathlib.Path) -> None:
    content = tarred(member("a/x", b""), member("l", kind=tarfile.SYMTYPE, target="a"), member("l/agent.py", b"x"))
    get(fetch, server, content).assert_refused("DuplicateName")
    content = tarred(member("l", kind=tarfile.SYMTYPE, target="a"), member("l", b"x"))
    get(fetch, server, content).assert_refused("DuplicateName")
    link = zipped(("l", str(tmp_path).encode()), mode=0o120777)
    get(fetch, server, link, "zip").assert_refused("UnsafePath")


def test_links_that_need_the_folder_taken_away(fetch: Fetch, server: Server) -> None:
    content = tarred(member("top/agent.py", b""), member("top/l", kind=tarfile.SYMTYPE, target="../top/agent.py"))
    get(fetch, server, content).assert_refused("UnsafePath")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE])
def test_kinds(fetch: Fetch, server: Server, kind: bytes) -> None:
    content = tarred(member(*AGENT), member("x", kind=kind, target="agent.py"))
    get(fetch, server, content).assert_refused("UnsafeFile")


@pytest.mark.parametrize("mode", [0o010644, 0o140644, 0o020644])
def test_kinds_in_a_zip(fetch: Fetch, server: Server, mode: int) -> None:
    """libarchive makes an empty plain file of what a zip says to be a pipe, and tells of the others."""
    done = get(fetch, server, zipped(AGENT, mode=mode), "zip")
    if mode == 0o010644:
        assert stat.S_ISREG((done.context / "agent.py").lstat().st_mode)
    else:
        done.assert_refused("UnsafeFile")


@pytest.mark.parametrize("name", ["Dockerfile", "requirements.txt"])
def test_what_is_read_must_be_a_file(fetch: Fetch, server: Server, name: str) -> None:
    content = tarred(member(*AGENT), member(name, kind=tarfile.SYMTYPE, target="agent.py"))
    done = get(fetch, server, content)
    assert done.code == 10 and done.reason in ("BadDockerfile", "BadRequirements")
    content = tarred(member(*AGENT), member(name, kind=tarfile.DIRTYPE))
    assert get(fetch, server, content).code == 10


# Bombs.


def test_zip_bomb(fetch: Fetch, server: Server) -> None:
    content = zipped(AGENT, ("zeros", b"\0" * (64 << 20)))
    assert len(content) < 100_000
    done = get(fetch, server, content, "zip")
    done.assert_refused("ArchiveBomb")


def test_tar_bomb(fetch: Fetch, server: Server) -> None:
    content = tarred(member(*AGENT), member("zeros", b"\0" * (64 << 20)), level=9)
    get(fetch, server, content).assert_refused("ArchiveBomb")


def test_too_many_bytes(fetch: Fetch, server: Server) -> None:
    content = tarred(member(*AGENT), member("w", os.urandom(1 << 19) + b"\0" * (1 << 20)))
    get(fetch, server, content, "tar.gz", "--max-bytes", "1048576").assert_refused("TooBig")


def test_a_million_entries(fetch: Fetch, server: Server) -> None:
    """Empty files: 512 MB of headers, 3 MB on the wire. It must be over long before they are all read."""
    header = member("e/0000000", b"")[0].tobuf(tarfile.GNU_FORMAT)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as out:
        for i in range(100_000):
            name = f"e/{i:07}".encode()
            block = bytearray(header)
            block[0 : len(name)] = name
            block[148:156] = b" " * 8
            block[148:156] = f"{sum(block):06o}\0 ".encode()
            out.write(block)
        out.write(b"\0" * 1024)
    get(fetch, server, buffer.getvalue()).assert_refused("TooManyFiles")


def test_a_folder_again_and_again(fetch: Fetch, server: Server) -> None:
    folder = member("d", kind=tarfile.DIRTYPE)[0].tobuf(tarfile.GNU_FORMAT)
    content = gzip.compress(folder * 100_000 + b"\0" * 1024, 1)
    get(fetch, server, content).assert_refused("TooManyFiles")


def test_deep_folders_count(fetch: Fetch, server: Server) -> None:
    members = [member("/".join([str(i)] * 30) + "/x", b"") for i in range(100)]
    get(fetch, server, tarred(*members), "tar.gz", "--max-files", "1000").assert_refused("TooManyFiles")


# What cannot be read.


def test_encrypted(fetch: Fetch, server: Server) -> None:
    content = bytearray(zipped(AGENT))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(signature) + flags
        content[at] |= 1
    get(fetch, server, bytes(content), "zip").assert_refused("Encrypted")


def test_wrong_format(fetch: Fetch, server: Server) -> None:
    plain = gzip.decompress(tarred(member(*AGENT)))
    for content, kind in [
        (tarred(member(*AGENT)), "zip"),
        (zipped(AGENT), "tar.gz"),
        (plain, "tar.gz"),
        (b"", "zip"),
        (b"", "tar.gz"),
        (b"not an archive", "zip"),
        (gzip.compress(b"not a tar" * 1000), "tar.gz"),
        (gzip.compress(gzip.compress(plain)), "tar.gz"),
    ]:
        get(fetch, server, content, kind).assert_refused("BadArchive")


def test_damaged(fetch: Fetch, server: Server) -> None:
    content = tarred(member("agent.py", os.urandom(100_000)))
    get(fetch, server, content[:50_000]).assert_refused("BadArchive")
    content = bytearray(zipped(("agent.py", os.urandom(100_000))))
    content[50_000] ^= 0xFF
    get(fetch, server, bytes(content), "zip").assert_refused("BadArchive")


def test_a_name_of_a_gigabyte(fetch: Fetch, server: Server) -> None:
    info, _ = member("././@LongLink", b"", kind=tarfile.GNUTYPE_LONGNAME)
    info.size = 1 << 30
    content = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b"n" * (8 << 20), 1)
    get(fetch, server, content).assert_refused("BadArchive")


def test_sizes_that_lie(fetch: Fetch, server: Server) -> None:
    info, _ = member("agent.py", b"")
    info.size = 1 << 40
    content = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b"x" * 4096)
    get(fetch, server, content).assert_refused("BadArchive")
    content = bytearray(zipped(("agent.py", b"x" * 100)))
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", 0x7FFFFFFF)
    done = get(fetch, server, bytes(content), "zip")
    assert done.code == 10 or done.files() == {"agent.py": b"x" * 100}
