#!/usr/bin/env python3
"""Checks that the tests of recovery fail where recovery is wrong.

    tests/mutants.py                 each mutant in turn, some minutes
    tests/mutants.py 2 9             some of them, by number

A mutant is this source with one rule of docs/protocol.md, section 5, broken. It is made in a copy under the target
directory, compiled, and given to core/tests/client_recovery, which has to fail; on the source as it is, it has to pass.
The exit code is 1 if a mutant is not caught, does not compile, or no longer fits the source.
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
COPY = TARGET / "mutants"

TEST = ["cargo", "test", "--locked", "--quiet", "-p", "switchboard-core", "--test", "client_recovery"]

LOG = "core/src/switchboard/log/recovery/begin.rs"
WIRING = "core/src/switchboard/wiring/recovery.rs"

# What is broken, and for each edit the file, the text, and what takes its place.
MUTANTS = [
    (
        "a message is looked for though the history does not reach back to where it was sent",
        [(LOG, "if first > again.saturating_add(1) || again > seq {", "if again > seq {")],
    ),
    (
        "a client sends a message again with its position of now, not of then",
        [
            (
                "core/src/client/sending.rs",
                "let again = item.since.as_ref().map(|&(_, seq)| seq);",
                "let now = item.channel.as_deref().and_then(|name| self.channels.get(name));\n"
                "let now = now.and_then(|it| it.place.position()).map(|it| it.seq);\n"
                "let again = item.since.as_ref().and(now);",
            )
        ],
    ),
    (
        "an ack moves the client's position",
        [
            (
                "core/src/client/place.rs",
                "if self.seq.is_some_and(|before| seq > before) {\n            self.own.insert(seq);\n        }",
                "if let Some(lost) = self.advance(seq, seq, seq) {\n            return lost;\n        }",
            )
        ],
    ),
    (
        "what a session has sent is known by its connection, and only the next one is known to be its successor",
        [
            (WIRING, "session: connection.session,", "session: self.counters.opened - 1,"),
            (
                WIRING,
                "session: if echo { 0 } else { connection.session },",
                "session: if echo { 0 } else { self.counters.opened },",
            ),
        ],
    ),
    (
        "a newer connection of a session does not end the older one",
        [
            (
                "core/src/switchboard/wiring/admission.rs",
                "if let Some(older) = self.users.in_session(&self.connections, session) {",
                "if let Some(older) = None {",
            )
        ],
    ),
    (
        "a client is recovered that has missed one message more than the history has",
        [(WIRING, "if first > begins || nothing {", "if first > begins + 1 || nothing {")],
    ),
    (
        "a member that recovers gets what is published, and not what it missed",
        [(LOG, "            index,\n            Joined {", "            index.max(room.ring.len()),\n            Joined {")],
    ),
    (
        "a client sends messages again though it was not recovered",
        [
            (
                "core/src/client/subscribing.rs",
                "self.drop_unknown(name, arrival.recovered.then_some(&epoch));",
                "let _ = (Self::drop_unknown, arrival.recovered);",
            )
        ],
    ),
    (
        "a member is not told what has left the history before it could go out",
        [
            (
                "core/src/switchboard/wiring/markers.rs",
                "self.encode(&ServerMessage::Gap { channel, from, to })",
                "let _ = ServerMessage::Gap { channel, from, to };\n        None",
            )
        ],
    ),
    (
        "numbers of an earlier life of the room count as those of the present one",
        [
            (
                WIRING,
                "if self.rooms.epoch(key).as_str() != &*since.epoch {",
                "if self.rooms.epoch(key).as_str().is_empty() {",
            )
        ],
    ),
]


def copy() -> None:
    """Makes the copy of what git does not ignore, or brings it up to date. Files that are the same keep their times, so that
    only what has changed is compiled."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    names = {name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()}
    for name in names:
        write(COPY / name, (ROOT / name).read_bytes())
        shutil.copymode(ROOT / name, COPY / name)
    for stray in COPY.rglob("*.rs"):
        if str(stray.relative_to(COPY)) not in names:
            stray.unlink()


def write(path: pathlib.Path, data: bytes) -> None:
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def run(*more: str) -> subprocess.CompletedProcess:
    environment = {
        **os.environ,
        "CARGO_TARGET_DIR": str(TARGET),
        "RUST_BACKTRACE": "0",
        # The first failure is enough.
        "PROPTEST_MAX_SHRINK_ITERS": "0",
        "PROPTEST_FAILURE_PERSISTENCE": "off",
    }
    return subprocess.run(
        [*TEST, *more], cwd=COPY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def why(output: str) -> str:
    """Returns what the test says was wrong."""
    lines = output.splitlines()
    found = [n for n, line in enumerate(lines) if "panicked at" in line]
    return lines[found[0] + 1] if found else lines[-1]


def check(edits: list) -> tuple[bool, str]:
    """Breaks the copy, tests it, and mends it. Returns whether the mutant is caught, and what is to be said."""
    before = {name: (COPY / name).read_text() for name, _, _ in edits}
    after = dict(before)
    for name, old, new in edits:
        if after[name].count(old) != 1:
            return False, f"{name} does not have exactly once: {old}"
        after[name] = after[name].replace(old, new)
    try:
        for name, text in after.items():
            (COPY / name).write_text(text)
        built = run("--no-run")
        if built.returncode != 0:
            return False, f"does not compile:\n{built.stdout}"
        tested = run()
    finally:
        for name, text in before.items():
            (COPY / name).write_text(text)
    if tested.returncode == 0:
        return False, "the test passes"
    return True, why(tested.stdout)


def main() -> int:
    chosen = [int(number) for number in sys.argv[1:]] or list(range(1, len(MUTANTS) + 1))
    copy()
    whole = run()
    if whole.returncode != 0:
        print(f"The test fails on the source as it is:\n{whole.stdout}")
        return 1
    survivors = 0
    for number in chosen:
        name, edits = MUTANTS[number - 1]
        caught, said = check(edits)
        survivors += not caught
        print(f"{number:2} {'caught' if caught else 'NOT CAUGHT'}: {name}\n     {said}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants are caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
