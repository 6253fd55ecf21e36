# shellcheck shell=bash
# ./arena test [SUITE...]: builds, checks, and runs the tests. Every stage is
# counted; one that can not run counts as failed.

TEST_SUITES=(lint unit property integration e2e)
TEST_RESULTS=$ARENA_ROOT/build/results

arena_test() {
    local suite wanted=("$@")
    if [ -n "${ARENA_TEST_BESIDE:-}" ]; then
        TEST_PYTHON=$ARENA_TEST_BESIDE
        test_suites "${wanted[@]}"
        return
    fi
    [ ${#wanted[@]} -gt 0 ] || wanted=("${TEST_SUITES[@]}")
    for suite in "${wanted[@]}"; do
        [[ " ${TEST_SUITES[*]} " == *" $suite "* ]] || die "no such suite: $suite (there are: ${TEST_SUITES[*]})"
    done
    rm -rf "$TEST_RESULTS"
    mkdir -p "$TEST_RESULTS"
    packages_install cluster
    TEST_GROUPS=()
    trap test_end EXIT
    case " ${wanted[*]} " in
    *" integration "* | *" e2e "*)
        # The longest thing to wait for on a machine that has nothing.
        test_start gobin_build_all
        ;;
    esac
    packages_install build test
    TEST_PYTHON=$(test_python) || exit 1
    # Continuous integration starts with an empty cluster and leaves none behind.
    [ "${CI:-}" != true ] || "$ARENA_ROOT/arena" down --forget
    if [ "${wanted[*]}" = "${TEST_SUITES[*]}" ]; then
        test_everything
    else
        test_suites "${wanted[@]}"
    fi
    # Of what was asked for there was something in one stage at least.
    [ -z "${PYTEST_ADDOPTS:-}" ] || stage asked test -e "$TEST_RESULTS/asked"
    # The count is the last thing said.
    test_end
    trap - EXIT
    "$TEST_PYTHON" "$CLUSTER_DIR/count.py" "$TEST_RESULTS"
}

test_suites() {
    local suite
    for suite in "$@"; do
        progress "suite $suite"
        "suite_$suite"
    done
}

# The cluster and what is tested in it takes the longest, and waits more than it computes. The integration tests stand
# beside it, and what only computes fills the gaps at a low priority.
test_everything() {
    TEST_BESIDE=()
    test_group_weight 25
    test_beside integration second integration_own
    test_beside clocks second unit_clocks
    test_beside computing low lint unit_c property
    session_priority -5
    test_suites integration_cluster e2e
    test_beside_end
}

# test_start COMMAND...: at the same time as what follows, as a process group, ${TEST_GROUPS[-1]}, that can be ended whole.
test_start() {
    set -m
    (trap - EXIT && "$@") </dev/null &
    TEST_GROUPS+=("$!")
    set +m
}

# test_beside NAME SUITE...: at the same time as what follows. What they say comes when they are done; which of them is
# at work, and how it ended, at once. They are a session of their own, which this one's priority is not for, and with it
# a process group that can be ended whole.
test_beside() {
    local name=$1
    shift
    mkdir -p "$ARENA_LOG"
    ARENA_TEST_BESIDE=$TEST_PYTHON setsid "$ARENA_ROOT/arena" test "$@" </dev/null \
        >"$ARENA_LOG/test-beside-$name.log" &
    TEST_GROUPS+=("$!")
    TEST_BESIDE+=("$name:$!")
}

test_beside_end() {
    local each
    for each in "${TEST_BESIDE[@]}"; do
        test_beside_wait "${each%:*}" "${each#*:}"
    done
}

# test_beside_wait NAME PID: and says what it said.
test_beside_wait() {
    local code=0
    wait "$2" || code=$?
    cat "$ARENA_LOG/test-beside-$1.log"
    [ "$code" = 0 ] || die "what ran beside e2e ended too early ($1: $code)"
}

# Where the kernel shares the processors out to sessions first (sched_autogroup_enabled), a process's own priority counts
# against its own session only, and the cluster's programs are others.
session_priority() {
    { [ ! -e /proc/self/autogroup ] || echo "$1" >/proc/self/autogroup; } 2>/dev/null || true
}

# For the kernel all that runs beside is one group, whatever sessions and servers it starts. With a share of the
# processors for each of them there would be next to nothing for the cluster's Pods, which are one group as well.
TEST_CGROUP=$ARENA_NAME-tests

test_group() {
    local root=/sys/fs/cgroup
    [ -e "$root/cgroup.controllers" ] || root=$root/cpu
    printf '%s' "$root/$TEST_CGROUP"
}

test_group_enter() {
    { echo "$BASHPID" >"$(test_group)/cgroup.procs"; } 2>/dev/null || true
}

# test_group_weight N: makes the group when there is none. 100 is what one has that nobody asked about.
test_group_weight() {
    local folder
    folder=$(test_group)
    mkdir -p "$folder" 2>/dev/null || true
    if [ -e "$folder/cpu.weight" ]; then
        echo "$1" >"$folder/cpu.weight"
    elif [ -e "$folder/cpu.shares" ]; then
        echo $(($1 * 1024 / 100)) >"$folder/cpu.shares"
    fi
}

# The suites that follow begin when the cluster has all that e2e needs: until then every processor is for that.
suite_second() {
    renice -n 10 -p "$BASHPID" >/dev/null
    test_group_enter
    until grep -q '^deploy ' "$TEST_RESULTS/stages" 2>/dev/null; do sleep 1; done
    test_group_weight 100
}

suite_low() {
    renice -n 19 -p "$BASHPID" >/dev/null
    test_group_enter
}

test_end() {
    local group
    session_priority 0 # it is the session of whoever asked for the tests
    for group in "${TEST_GROUPS[@]}"; do
        kill -- "-$group" 2>/dev/null || true
    done
    [ "${CI:-}" != true ] || "$ARENA_ROOT/arena" down || true
    rmdir "$(test_group)" 2>/dev/null || true
}

# One environment with what the tests and the executor need.
test_python() {
    local files=() folder
    mapfile -t files < <(find "$ARENA_ROOT/test" "$ARENA_ROOT/executor" -name 'requirements*.txt' | sort)
    folder=$(python_venv test "${files[@]}") || exit 1
    printf '%s/bin/python' "$folder"
}

# stage NAME COMMAND...: shows the output while it runs and keeps it; goes on
# when it fails, since the other stages have something to tell too.
stage() {
    local name=$1 started outcome=passed
    shift
    started=$(date +%s)
    progress "stage $name"
    mkdir -p "$ARENA_LOG"
    if ! "$@" </dev/null 2>&1 | tee "$ARENA_LOG/test-$name.log"; then
        outcome=failed
    fi
    echo "$name $outcome" >>"$TEST_RESULTS/stages"
    progress "stage $name $outcome in $(($(date +%s) - started)) s"
}

# For a tool that is only worth reading when it complains.
quiet_stage() {
    stage "$1" quietly "${@:2}"
}

quietly() {
    local output
    output=$("$@" 2>&1) && return
    printf '%s\n' "$output"
    return 1
}

suite_lint() {
    local shell_files=() python_files=() c_files=() all_files=()
    mapfile -t all_files < <(test_files)
    mapfile -t shell_files < <(test_files '*.sh' arena .ci/run)
    mapfile -t python_files < <(test_files '*.py')
    mapfile -t c_files < <(test_files '*.c' '*.h')
    cd "$ARENA_ROOT" || exit 1
    quiet_stage shellcheck shellcheck "${shell_files[@]}"
    quiet_stage ruff "$TEST_PYTHON" -m ruff check "${python_files[@]}"
    quiet_stage ruff-format "$TEST_PYTHON" -m ruff format --check "${python_files[@]}"
    # The executor's package; its types stand on the protocol's generated code.
    test_protocol && quiet_stage mypy env -C "$ARENA_ROOT/executor" "$TEST_PYTHON" -m mypy
    quiet_stage codespell codespell --ignore-words="$ARENA_ROOT/test/lint/words.txt" \
        --skip='*.sum,*.mod,*.npy,test/fuzz/corpus/*' "${all_files[@]}"
    quiet_stage clang-format clang-format --dry-run -Werror "${c_files[@]}"
    quiet_stage cppcheck cppcheck --quiet --inline-suppr --error-exitcode=1 --enable=warning,performance \
        --suppressions-list="$ARENA_ROOT/test/lint/cppcheck.txt" -j 2 -D_GNU_SOURCE \
        -Ilib/base/include -Ilib/io/include -Ilib/kube/include -Ilib/arena/include lib controller fetch api-server
    quiet_stage gofmt test_gofmt
    test_build clang clang && quiet_stage clang-tidy test_clang_tidy
    # gcc's analyzer, whose findings are errors: a build of its own, without the tests.
    test_build analyzer gcc -Dtests=false -Dbuildtype=plain "-Dc_args=-O1 -fanalyzer" || true
}

# Files of the tree as git sees them: known, or new and not ignored.
test_files() {
    git -C "$ARENA_ROOT" ls-files --cached --others --exclude-standard -- "$@" |
        while read -r file; do
            [ ! -f "$ARENA_ROOT/$file" ] || printf '%s\n' "$file"
        done | sort -u
}

test_gofmt() {
    local go gofmt unformatted
    go=$(go_command) || return 1
    gofmt=$(GOTOOLCHAIN=local "$go" env GOROOT)/bin/gofmt
    [ -x "$gofmt" ] || gofmt="$go run cmd/gofmt"
    # shellcheck disable=SC2086 # perhaps three words
    unformatted=$(GOTOOLCHAIN=local $gofmt -l "$CLUSTER_DIR/go" "$ARENA_ROOT/bench")
    [ -z "$unformatted" ] || {
        echo "not formatted: $unformatted"
        return 1
    }
}

# What the build compiles of the programs; not every file belongs to every build.
test_clang_tidy() {
    jq -r '.[].file' "$ARENA_ROOT/build/clang/compile_commands.json" | sed 's#^\(\.\./\)*##' |
        grep -E '^(lib|controller|fetch|api-server)/.*\.c$' | sort -u |
        xargs -P 2 -n 1 clang-tidy --quiet -p "$ARENA_ROOT/build/clang"
}

# test_build NAME COMPILER [MESON OPTIONS] [TARGETS]: one build folder for each kind.
test_build() {
    local name=$1 compiler=$2 folder=$ARENA_ROOT/build/$1
    shift 2
    stage_once "build-$name" test_compile "$folder" "$compiler" "$@"
}

# Several suites, perhaps at the same time, need the same: the first does it, and it counts once.
stage_once() {
    local name=$1
    (
        flock 7
        grep -q "^$name " "$TEST_RESULTS/stages" 2>/dev/null || stage "$@"
    ) 7>"$TEST_RESULTS/$name.lock"
    grep -qx "$name passed" "$TEST_RESULTS/stages"
}

# The executor's protocol as Python code.
test_protocol() {
    stage_once executor-protocol quietly env PYTHON="$TEST_PYTHON" sh "$ARENA_ROOT/executor/gen.sh"
}

test_compile() {
    local folder=$1 compiler=$2 word options=() targets=()
    for word in "${@:3}"; do
        case $word in
        -*) options+=("$word") ;;
        *) targets+=("$word") ;;
        esac
    done
    if [ ! -e "$folder/build.ninja" ]; then
        rm -rf "$folder"
        quietly env CC="$compiler" meson setup "$folder" "$ARENA_ROOT" -Dwerror=true "${options[@]}" || return 1
    fi
    quietly nice ninja -C "$folder" "${targets[@]}"
}

# meson_tests BUILD SUITE: runs one suite of a build; every single case counts.
meson_tests() {
    local build=$1 suite=$2
    stage "$suite-$build" meson_test_run "$build" "$suite"
}

meson_test_run() {
    local folder=$ARENA_ROOT/build/$1 suite=$2 code=0 command=(meson test)
    # Where addresses are random in more bits than 28, the thread sanitizer does not find its place.
    [ "$1" != threads ] || ! setarch -R true 2>/dev/null || command=(setarch -R meson test)
    ARENA_PYTHON=$TEST_PYTHON ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 \
        UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
        "${command[@]}" -C "$folder" --no-rebuild --suite "$suite" --print-errorlogs --num-processes 2 \
        --timeout-multiplier 10 --logbase "$suite" || code=$?
    # A log of its own: another suite of this build may run at the same time.
    mv "$folder/meson-logs/$suite.junit.xml" "$TEST_RESULTS/$suite-$1.xml" || code=1
    return "$code"
}

python_tests() {
    local name=$1 folder=$2
    shift 2
    # Several processes write here when a test starts ./arena itself.
    stage "$name" python_run env -C "$folder" ARENA_PYTHON="$TEST_PYTHON" "$TEST_PYTHON" -m pytest -v --tb=short \
        --color=no --junit-xml="$TEST_RESULTS/$name.xml" -o junit_family=xunit2 "$@"
}

# When somebody asks for some tests (PYTEST_ADDOPTS=-k...) a stage may have none of them; otherwise none is a failure.
python_run() {
    local code=0
    "$@" || code=$?
    if [ -n "${PYTEST_ADDOPTS:-}" ] && [ "$code" = 5 ]; then
        return
    fi
    : >"$TEST_RESULTS/asked"
    return "$code"
}

suite_unit() {
    suite_unit_c
    suite_unit_clocks
}

suite_unit_c() {
    test_build gcc gcc && meson_tests gcc unit
    test_build clang clang && meson_tests clang unit
    test_build sanitize gcc "$SANITIZER_BUILD" && meson_tests sanitize unit
}

# Some of these keep clocks: not at the lowest priority.
suite_unit_clocks() {
    # Only what has threads (test/meson.build), and of the tree only what that links.
    test_build threads gcc -Db_sanitize=thread threads && meson_tests threads threads
    test_protocol || true
    python_tests executor "$ARENA_ROOT/executor" tests
    python_tests arena "$ARENA_ROOT" test/unit
}

suite_property() {
    test_build gcc gcc && meson_tests gcc property
    test_build sanitize gcc "$SANITIZER_BUILD" && meson_tests sanitize property
}

suite_integration() {
    suite_integration_own
    suite_integration_cluster
}

# Against servers of their own.
suite_integration_own() {
    test_build gcc gcc && meson_tests gcc integration
    test_build sanitize gcc "$SANITIZER_BUILD" && meson_tests sanitize integration
    test_protocol || true
    stage etcd gobin_build etcd
    stage api-server gobin_build kube-apiserver
    stage s3-server gobin_build versitygw
    # fetch, the front and kube-probe with the sanitizers; the front without where its memory is measured, and the
    # controller, which runs under valgrind. In the order of their names: the longest, in crashes, are not left for last.
    ARENA_FETCH=$ARENA_ROOT/build/sanitize/fetch/fetch \
        ARENA_API_SERVER=$ARENA_ROOT/build/sanitize/api-server/api-server \
        ARENA_API_SERVER_PLAIN=$ARENA_ROOT/build/gcc/api-server/api-server \
        ARENA_CONTROLLER=$ARENA_ROOT/build/gcc/controller/controller \
        UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
        python_tests integration-servers "$ARENA_ROOT" -n 4 --dist loadfile --no-loadscope-reorder test/integration \
        --ignore=test/integration/resources
}

# Against the cluster's API server, before somebody restarts that.
suite_integration_cluster() {
    stage cluster "$ARENA_ROOT/arena" up --cluster-only
    python_tests integration-cluster "$ARENA_ROOT" test/integration/resources
}

# They wait more than they compute, so that there are two processes of them. What wants to be alone waits for the end of
# these (test/e2e/conftest.py).
E2E_BESIDE=(test_private_registry test_hostile_agents test_front test_hostile_builds)
E2E_ENDED=$TEST_RESULTS/e2e-beside.ended

e2e_beside() {
    trap 'touch "$E2E_ENDED"' EXIT
    python_tests e2e-beside "$ARENA_ROOT" "$@"
}

suite_e2e() {
    local beside files=("${E2E_BESIDE[@]/%/.py}")
    files=("${files[@]/#/test/e2e/}")
    ! sanitizer_wanted || test_start sanitizer_logs_keep
    stage deploy "$ARENA_ROOT/arena" up
    test_start e2e_beside "${files[@]}" >"$ARENA_LOG/test-beside-e2e.log"
    beside=${TEST_GROUPS[-1]}
    ARENA_E2E_AFTER=$E2E_ENDED python_tests e2e "$ARENA_ROOT" test/e2e "${files[@]/#/--ignore=}"
    test_beside_wait e2e "$beside"
    ! sanitizer_wanted || stage sanitizer-reports sanitizer_check
}
