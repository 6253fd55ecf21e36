#!/usr/bin/env bash
# RL Arena's REST interface with curl and jq: an account, an agent, its code, what became of it, the first match.
#
#   ARENA_PASSWORD=... ./client.sh http://127.0.0.1:8800 carol Returner pong agent/agent.py
set -euo pipefail

if [ $# != 5 ] || [ -z "${ARENA_PASSWORD:-}" ]; then
    sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
api=$1/api/v1 user=$2 name=$3 environment=$4 code=$5
token=

# call METHOD PATH [CURL ARGUMENTS]: prints the answer; says why when it is an error. 9: there is one already, which is
# told only to those who do not expect it (may_be_there).
may_be_there=
call() {
    local method=$1 path=$2 answer status
    shift 2
    answer=$(curl -sS -X "$method" -H "Authorization: Bearer $token" -w '\n%{http_code}' "$@" "$api$path") || return 1
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    [ "$status$may_be_there" != 409yes ] || return 9
    if [ "$status" -ge 400 ]; then
        jq -r '.message // .error' <<<"$answer" >&2
        return 1
    fi
    printf '%s\n' "$answer"
}

# The body is read from stdin: a password on a command line could be seen by others.
post() {
    call POST "$1" -H 'Content-Type: application/json' --data-binary @-
}

account=$(jq -n --arg user "$user" '{username: $user, email: "\($user)@example.com", password: env.ARENA_PASSWORD}')
session=$(may_be_there=yes post /auth/register <<<"$account") ||
    { [ $? = 9 ] && session=$(post /auth/login <<<"$account"); } || exit 1
token=$(jq -r .token <<<"$session")

agent=$(jq -n --arg name "$name" --arg environment "$environment" '{name: $name, environmentId: $environment}')
may_be_there=yes post /agents <<<"$agent" >/dev/null || [ $? = 9 ] || exit 1
agent=$(call GET /agents/my | jq -r --arg name "$name" --arg environment "$environment" \
    '.agents[] | select(.name == $name and (.environmentName, .environmentId) == $environment) | .id')
[ -n "$agent" ] || {
    echo "your agent $name plays another environment: choose another name" >&2
    exit 1
}
echo "agent $agent"

submission=$(call POST /submissions -F "agentId=$agent" -F "file=@$code" | jq -r .submission.id)
echo "submission $submission"

status=
until [[ $status =~ ^(active|success|build_failed|failed|rejected)$ ]]; do
    sleep 3
    now=$(call GET "/submissions/$submission" | jq -r '.submission | "\(.status): \(.message)"')
    [ "${now%%:*}" = "$status" ] || echo "$now"
    status=${now%%:*}
done
[[ $status =~ ^(active|success)$ ]] || exit 1

echo "waiting for its first match"
match=
until [ -n "$match" ]; do
    sleep 3
    match=$(call GET "/matches/agent/$agent" | jq -c --arg submission "$submission" 'first(.matches[] |
        select(.status == "completed" and $submission == (.agent1SubmissionId, .agent2SubmissionId))) // empty')
done
jq -r --arg agent "$agent" --arg arena "$1" '"\(.agent1Name) against \(.agent2Name): " +
    if .winnerId == null then "a draw" elif .winnerId == $agent then "won" else "lost" end,
    .errorMessage // empty,
    if .replayHtmlUrl then "replay \($arena)\(.replayHtmlUrl)" else empty end' <<<"$match"

call GET "/leaderboard/environment/$environment?limit=10" |
    jq -r '.leaderboard[] | "\(.rank)\t\(.elo)\t\(.name)\t\(.username)"'
