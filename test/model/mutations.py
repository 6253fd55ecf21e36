#!/usr/bin/env python3
"""Breaks the controller in one place after the other and checks that the model notices each.

usage: mutations.py [--check] [--all] [NAME...]

--check only tells whether every place is still there; without it a copy of the tree is built and the
model is run for each mutation, which takes about half an hour.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = "test/model/model"


@dataclass(frozen=True)
class Mutation:
    name: str
    file: str
    old: str
    new: str
    scenario: str  # that finds it, of the quick ones


MUTATIONS = [
    Mutation(
        "a rating is written although the agent has it",
        "controller/match_record.c",
        "if (now.matches >= p->match_number) return true;",
        "",
        "one match, any one fault",
    ),
    Mutation(
        "a record does not wait for another one's rating",
        "controller/match_record.c",
        "if (t->m->rated && t->v->seats[i].unrated != NULL) {",
        "if (false) {",
        "two matches at once",
    ),
    Mutation(
        "two plans write about one agent at the same time",
        "controller/manager.c",
        "if (map_get(l->m->claims, agents[i]) == NULL) continue;",
        "if (true) continue;",
        "two matches at once",
    ),
    Mutation(
        "who waits for an agent is forgotten when it is free again",
        "controller/manager.c",
        "    enqueue_all(m, (enum reconciler_id)id, m->claim_waiters[id], agent);\n",
        "",
        "two matches in turn, woken",
    ),
    Mutation(
        "claims are kept after the plan",
        "controller/manager.c",
        "  release_claims(l);\n  workqueue_done",
        "  workqueue_done",
        "one match, any one fault",
    ),
    Mutation(
        "a status is written without its resourceVersion",
        "controller/apply.c",
        'json_add_text(meta, "resourceVersion", version);',
        "",
        "users",
    ),
    Mutation(
        "an own write is not shown to the cache",
        "controller/apply.c",
        "if (c != NULL) cache_observe(c, object);",
        "(void)c;",
        "two matches at once",
    ),
    Mutation(
        "a write without an answer is given up",
        "controller/apply.c",
        "if (r->m->acting && is_unknown(r, e)) {",
        "if (false) {",
        "two matches at once",
    ),
    Mutation(
        "what a lost answer left behind is not read",
        "controller/apply.c",
        "if (e != NULL && e->code == ERR_CONFLICT) {",
        "if (false) {",
        "two matches at once",
    ),
    Mutation(
        "a conflict with what came twice is taken for somebody else's write",
        "controller/apply.c",
        "if (e != NULL && e->code == ERR_CONFLICT) {",
        "if (e != NULL && e->code == ERR_CONFLICT && r->tries > 0) {",
        "two matches at once",
    ),
    Mutation(
        "a child that was collected meanwhile counts as made",
        "controller/apply.c",
        "if (e != NULL && e->code == ERR_NOT_FOUND) {",
        "if (false) {",
        "one build, users",
    ),
    Mutation(
        "a child of an earlier owner counts as ours",
        "controller/apply.c",
        'return text_equal(json_text(wanted_owner, "uid"), json_text(found_owner, "uid"));',
        "return true;",
        "one build, users",
    ),
    Mutation(
        "a plan goes on after a write that failed",
        "controller/apply.c",
        "  if (e != NULL) {\n    action_failed(r, e);\n    return;\n  }\n  struct meta meta;",
        "  if (e != NULL) {\n    action_succeeded(r);\n    return;\n  }\n  struct meta meta;",
        "one match, late events",
    ),
    Mutation(
        "an attempt is recorded after its Job is made",
        "controller/submission_decide.c",
        "  plan_patch_status(plan, &KIND_SUBMISSION, &self->meta, submission_status_patch(&self->status, &s->to));\n",
        "",
        "one build",
    ),
    Mutation(
        "a failed build is tried once too often",
        "controller/submission_build.c",
        "int tries = self->max_retries + 1;",
        "int tries = self->max_retries + 2;",
        "one build",
    ),
    Mutation(
        "who got the last version is forgotten",
        "controller/submission_number.c",
        "text_equal(v->agent->status.latest_submission, v->self->meta.uid) && ",
        "",
        "two submissions",
    ),
    Mutation(
        "a version is reserved again after a crash",
        "controller/submission_number.c",
        "text_equal(v->agent->status.latest_submission, v->self->meta.uid) && v->agent->status.latest_version > 0",
        "false",
        "two submissions",
    ),
    Mutation(
        "an agent's other matches are not counted",
        "controller/manager_views.c",
        "if (other->status.attempt > 0) ret->playing++;",
        "",
        "two matches in turn",
    ),
    Mutation(
        "a Pod of an earlier match counts as this one's",
        "controller/manager_views.c",
        "ret->pod = p != NULL && text_equal(p->meta.owner_uid, x->meta.uid) ? p : NULL;",
        "ret->pod = p;",
        "a match is applied again",
    ),
    Mutation(
        "Pods stay after the match",
        "controller/match_decide.c",
        "if (pod != NULL && pod->meta.deleted == 0) plan_delete(ret, &KIND_POD, &pod->meta);",
        "(void)pod;",
        "one match, any one fault",
    ),
    Mutation(
        "an answer is kept after the match",
        "controller/match_decide.c",
        "if (v->call.state != CALL_NONE) plan_cancel_match(ret, v->self);",
        "",
        "one match, any one fault",
    ),
    Mutation(
        "a match is complete before its ratings are written",
        "controller/match_record.c",
        "plan_append(&t->before, &plan);",
        "plan_append(&t->after, &plan);",
        "one match, any one fault",
    ),
    Mutation(
        "the end of a match wakes nobody",
        "controller/manager.c",
        "if (other != NULL && !match_is_finished(other)) manager_enqueue(m, RECONCILE_MATCH, names[k]);",
        "(void)other;",
        "two matches in turn, woken",
    ),
    Mutation(
        "a deleted match's call goes on for ever",
        "controller/manager.c",
        "executor_forget(m->executor, before->meta.uid);",
        "",
        "users",
    ),
    Mutation(
        "a match that waits counts as being played",
        "controller/agent_record.c",
        "if (match_is_waiting(m) || (m->meta.deleted != 0 && !match_is_finished(m))) continue;",
        "if (m->meta.deleted != 0 && !match_is_finished(m)) continue;",
        "users",
    ),
    Mutation(
        "a new leader does not catch up",
        "controller/manager.c",
        "for (unsigned i = 0; i < CACHE_COUNT; i++) cache_catch_up(m->caches[i], version);",
        "(void)version;",
        "a new leader's old lists",
    ),
    Mutation(
        "an own write that the watch has overtaken goes back in time",
        "lib/kube/store.c",
        "if (m.version <= s->version)\n    meta_done(&m);\n  else\n    put_if_newer(s, object, &m);",
        "put_if_newer(s, object, &m);",
        "a made match is deleted",
    ),
    Mutation(
        "an object is replaced by an older one",
        "lib/kube/store.c",
        "if (is_buried(s, take_meta) || (known != NULL && meta_of(known)->version >= take_meta->version)) {",
        "if (is_buried(s, take_meta)) {",
        "one match, late events",
    ),
]


def text_of(root: Path, m: Mutation) -> str:
    return (root / m.file).read_text(encoding="utf-8")


def check(mutations: list[Mutation]) -> int:
    """Whether each place is there exactly once."""
    lost = [m for m in mutations if text_of(ROOT, m).count(m.old) != 1]
    for m in lost:
        print(f"{m.file}: the place of the mutation '{m.name}' is gone, or not the only one")
    return len(lost)


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def copy_tree(to: Path) -> None:
    files = run("git", "ls-files", cwd=ROOT).stdout.splitlines()
    for name in files:
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes((ROOT / name).read_bytes())
            (to / name).chmod((ROOT / name).stat().st_mode)


def try_one(m: Mutation, tree: Path, build: Path, everywhere: bool) -> str:
    """How the model took it: the contradiction, or "" when it did not notice."""
    good = text_of(tree, m)
    (tree / m.file).write_text(good.replace(m.old, m.new), encoding="utf-8")
    try:
        built = run("ninja", "-C", str(build), MODEL, cwd=tree)
        if built.returncode != 0:
            sys.exit(f"'{m.name}' does not compile:\n{built.stdout[-2000:]}")
        only = () if everywhere else ("--only", m.scenario)
        ran = run(str(build / MODEL), *only, cwd=tree)
    finally:
        (tree / m.file).write_text(good, encoding="utf-8")
    if ran.returncode == 0:
        return "" if "\nok" in "\n" + ran.stdout else "no such scenario"
    said = [line[2:] for line in ran.stdout.splitlines() if line.startswith("# ")]
    if everywhere:
        print("\n".join(line for line in ran.stdout.splitlines() if line.startswith("not ok")))
    return said[0] if said else (ran.stderr.strip().splitlines() or [f"ended with {ran.returncode}"])[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--all", action="store_true", help="try every scenario, not only the one that finds it")
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of the names of those to try")
    arguments = parser.parse_args()
    chosen = [m for m in MUTATIONS if not arguments.names or any(n in m.name for n in arguments.names)]
    if check(chosen) > 0:
        return 1
    if arguments.check:
        return 0
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        tree, build = Path(folder, "tree"), Path(folder, "build")
        copy_tree(tree)
        # A mutation may leave something unused; only what the model says counts.
        made = run("meson", "setup", str(build), str(tree), "--buildtype=debugoptimized", cwd=tree)
        if made.returncode != 0:
            sys.exit(made.stdout + made.stderr)
        for m in chosen:
            said = try_one(m, tree, build, arguments.all)
            found = said not in ("", "no such scenario")
            missed += not found
            print(f"{'found' if found else 'MISSED'}: {m.name} [{m.scenario}]: {said}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
