// What bodies look like: checked when they come in, published as OpenAPI's components. By name, in the order in which
// a person would read them. Patterns are POSIX extended ones that ECMAScript reads alike.
#include "base/memory.h"

#include "schema.h"

const struct schema_text component_schemas[] = {
    {"Error",
     "{\"type\":\"object\",\"description\":\"What went wrong\",\"required\":[\"error\",\"message\"],\"properties\":{"
     "\"error\":{\"type\":\"string\",\"description\":\"A short word for programs\",\"example\":\"not_found\"},"
     "\"message\":{\"type\":\"string\",\"description\":\"What to do, for a person\"}}}"},
    {"Health",
     "{\"type\":\"object\",\"required\":[\"service\",\"status\"],\"properties\":{"
     "\"service\":{\"type\":\"string\",\"example\":\"rl-arena\"},"
     "\"status\":{\"type\":\"string\",\"enum\":[\"ok\",\"ready\"]}}}"},
    {"Document", "{\"type\":\"object\",\"description\":\"An OpenAPI document\"}"},

    // ---- people, agents, matches
    {"RegisterRequest",
     "{\"type\":\"object\",\"required\":[\"username\",\"email\",\"password\"],"
     "\"properties\":{\"username\":{\"type\":\"string\",\"minLength\":3,\"maxLength\":50,"
     "\"pattern\":\"^[A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]$\",\"example\":\"alice\","
     "\"description\":\"3 to 50 letters (a to z), digits, '-' and '_', a letter or digit at both ends;"
     " kept in lower case\"},\"email\":{\"type\":\"string\",\"minLength\":3,\"maxLength\":254,"
     "\"format\":\"email\",\"example\":\"alice@example.com\"},\"password\":{\"type\":\"string\",\"minLength\":1,"
     "\"maxLength\":256,\"format\":\"password\",\"description\":\"At least 8 characters,"
     " unless configured otherwise\"},\"fullName\":{\"type\":[\"string\",\"null\"],\"maxLength\":200}}}"},
    {"LoginRequest",
     "{\"type\":\"object\",\"required\":[\"password\"],\"properties\":{\"email\":{\"type\":\"string\","
     "\"maxLength\":254,\"description\":\"E-mail address or user name\"},\"username\":{\"type\":\"string\","
     "\"maxLength\":254,\"description\":\"The same, where email is not given\"},\"password\":{\"type\":\"string\","
     "\"minLength\":1,\"maxLength\":256,\"format\":\"password\"}}}"},
    {"PasswordRequest",
     "{\"type\":\"object\",\"required\":[\"oldPassword\",\"newPassword\"],"
     "\"properties\":{\"oldPassword\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,"
     "\"format\":\"password\"},\"newPassword\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,"
     "\"format\":\"password\"}}}"},
    {"ProfileRequest",
     "{\"type\":\"object\",\"description\":\"What is not given keeps its value\","
     "\"properties\":{\"fullName\":{\"type\":[\"string\",\"null\"],\"maxLength\":200},"
     "\"avatarUrl\":{\"type\":[\"string\",\"null\"],\"maxLength\":2048,"
     "\"description\":\"http:// or https://; empty: none\"}}}"},
    {"User",
     "{\"type\":\"object\",\"required\":[\"id\",\"username\",\"email\",\"fullName\",\"avatarUrl\",\"createdAt\","
     "\"updatedAt\"],\"properties\":{\"id\":{\"type\":\"string\",\"format\":\"uuid\"},"
     "\"username\":{\"type\":\"string\"},\"email\":{\"type\":\"string\"},\"fullName\":{\"type\":[\"string\","
     "\"null\"]},\"avatarUrl\":{\"type\":[\"string\",\"null\"]},\"createdAt\":{\"type\":\"string\","
     "\"format\":\"date-time\"},\"updatedAt\":{\"type\":\"string\",\"format\":\"date-time\"}}}"},
    {"Session",
     "{\"type\":\"object\",\"required\":[\"message\",\"token\",\"expiresAt\",\"user\"],"
     "\"properties\":{\"message\":{\"type\":\"string\"},\"token\":{\"type\":\"string\","
     "\"description\":\"For the header Authorization: Bearer\"},\"expiresAt\":{\"type\":\"string\","
     "\"format\":\"date-time\"},\"user\":{\"$ref\":\"#/components/schemas/User\"}}}"},
    {"ChangedUser",
     "{\"type\":\"object\",\"required\":[\"message\",\"user\"],\"properties\":{\"message\":{\"type\":\"string\"},"
     "\"user\":{\"$ref\":\"#/components/schemas/User\"}}}"},
    {"Me",
     "{\"type\":\"object\",\"required\":[\"user\",\"username\",\"email\",\"stats\",\"recentAgents\","
     "\"matchHistory\"],\"properties\":{\"user\":{\"$ref\":\"#/components/schemas/User\"},"
     "\"username\":{\"type\":\"string\"},\"email\":{\"type\":\"string\"},\"stats\":{\"type\":\"object\","
     "\"required\":[\"totalSubmissions\",\"activeAgents\",\"totalMatches\",\"totalWins\",\"bestRank\"],"
     "\"properties\":{\"totalSubmissions\":{\"type\":\"integer\",\"minimum\":0},"
     "\"activeAgents\":{\"type\":\"integer\",\"minimum\":0},\"totalMatches\":{\"type\":\"integer\",\"minimum\":0,"
     "\"description\":\"Rated ones\"},\"totalWins\":{\"type\":\"integer\",\"minimum\":0},"
     "\"bestRank\":{\"type\":[\"integer\",\"null\"],\"description\":\"Of its agents, each in its environment\"}}},"
     "\"recentAgents\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"id\",\"name\","
     "\"status\",\"competition\",\"rank\"],\"properties\":{\"id\":{\"type\":\"string\",\"format\":\"uuid\"},"
     "\"name\":{\"type\":\"string\"},\"status\":{\"type\":\"string\"},\"competition\":{\"type\":\"string\"},"
     "\"rank\":{\"type\":[\"integer\",\"null\"]}}}},\"matchHistory\":{\"type\":\"array\","
     "\"items\":{\"type\":\"object\",\"required\":[\"id\",\"opponent\",\"result\",\"competition\",\"timestamp\"],"
     "\"properties\":{\"id\":{\"type\":\"string\",\"format\":\"uuid\"},\"opponent\":{\"type\":\"string\"},"
     "\"result\":{\"type\":\"string\",\"enum\":[\"win\",\"loss\",\"draw\"]},\"competition\":{\"type\":\"string\"},"
     "\"timestamp\":{\"type\":\"string\",\"format\":\"date-time\"}}}}}}"},
    {"Environment",
     "{\"type\":\"object\",\"required\":[\"id\",\"name\",\"displayName\",\"description\",\"players\",\"status\","
     "\"message\",\"waiting\",\"playing\",\"matchedTotal\",\"medianWaitSeconds\",\"initialElo\","
     "\"allowSameOwner\",\"lastRunAt\",\"nextRunAt\",\"createdAt\"],\"properties\":{\"id\":{\"type\":\"string\","
     "\"format\":\"uuid\"},\"name\":{\"type\":\"string\",\"description\":\"May stand for the id everywhere\"},"
     "\"displayName\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"},"
     "\"players\":{\"type\":\"integer\",\"minimum\":0},\"status\":{\"type\":\"string\",\"enum\":[\"open\","
     "\"paused\",\"unavailable\"]},\"message\":{\"type\":\"string\"},\"waiting\":{\"type\":\"integer\","
     "\"minimum\":0},\"playing\":{\"type\":\"integer\",\"minimum\":0},\"matchedTotal\":{\"type\":\"integer\","
     "\"minimum\":0},\"medianWaitSeconds\":{\"type\":\"integer\",\"minimum\":0},"
     "\"initialElo\":{\"type\":\"integer\",\"minimum\":0},\"allowSameOwner\":{\"type\":\"boolean\"},"
     "\"lastRunAt\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},\"nextRunAt\":{\"type\":[\"string\","
     "\"null\"],\"format\":\"date-time\"},\"createdAt\":{\"type\":\"string\",\"format\":\"date-time\"}}}"},
    {"EnvironmentList",
     "{\"type\":\"object\",\"required\":[\"environments\",\"total\"],"
     "\"properties\":{\"environments\":{\"type\":\"array\","
     "\"items\":{\"$ref\":\"#/components/schemas/Environment\"}},\"total\":{\"type\":\"integer\",\"minimum\":0}}}"},
    {"OneEnvironment",
     "{\"type\":\"object\",\"required\":[\"environment\"],"
     "\"properties\":{\"environment\":{\"$ref\":\"#/components/schemas/Environment\"}}}"},
    {"Queue",
     "{\"type\":\"object\",\"required\":[\"environmentId\",\"environmentName\",\"status\",\"message\",\"waiting\","
     "\"playing\",\"matchedTotal\",\"medianWaitSeconds\",\"expectedWaitSeconds\",\"lastRunAt\",\"nextRunAt\"],"
     "\"properties\":{\"environmentId\":{\"type\":\"string\",\"format\":\"uuid\"},"
     "\"environmentName\":{\"type\":\"string\"},\"status\":{\"type\":\"string\",\"enum\":[\"open\",\"paused\","
     "\"unavailable\"]},\"message\":{\"type\":\"string\"},\"waiting\":{\"type\":\"integer\",\"minimum\":0},"
     "\"playing\":{\"type\":\"integer\",\"minimum\":0},\"matchedTotal\":{\"type\":\"integer\",\"minimum\":0},"
     "\"medianWaitSeconds\":{\"type\":\"integer\",\"minimum\":0},\"expectedWaitSeconds\":{\"type\":[\"integer\","
     "\"null\"],\"description\":\"For who enters now; null: no matches are made\"},"
     "\"lastRunAt\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},\"nextRunAt\":{\"type\":[\"string\","
     "\"null\"],\"format\":\"date-time\"}}}"},
    {"AgentRequest",
     "{\"type\":\"object\",\"required\":[\"name\",\"environmentId\"],"
     "\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":100,"
     "\"description\":\"Shown in leaderboards; yours alone among your agents\"},"
     "\"environmentId\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":100,\"description\":\"Id or name\"},"
     "\"description\":{\"type\":[\"string\",\"null\"],\"maxLength\":2000}}}"},
    {"AgentChange",
     "{\"type\":\"object\",\"description\":\"What is not given keeps its value\","
     "\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":100},"
     "\"description\":{\"type\":[\"string\",\"null\"],\"maxLength\":2000}}}"},
    {"Agent",
     "{\"type\":\"object\",\"required\":[\"id\",\"userId\",\"username\",\"name\",\"description\","
     "\"environmentId\",\"environmentName\",\"elo\",\"score\",\"wins\",\"losses\",\"draws\",\"totalMatches\","
     "\"provisional\",\"status\",\"matchmaking\",\"createdAt\",\"updatedAt\",\"rank\"],"
     "\"properties\":{\"id\":{\"type\":\"string\",\"format\":\"uuid\"},\"userId\":{\"type\":[\"string\",\"null\"],"
     "\"format\":\"uuid\",\"description\":\"null: its owner has no account here\"},"
     "\"username\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"},"
     "\"environmentId\":{\"type\":[\"string\",\"null\"],\"format\":\"uuid\"},"
     "\"environmentName\":{\"type\":\"string\"},\"elo\":{\"type\":\"integer\",\"minimum\":0},"
     "\"score\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"The same as elo\"},"
     "\"wins\":{\"type\":\"integer\",\"minimum\":0},\"losses\":{\"type\":\"integer\",\"minimum\":0},"
     "\"draws\":{\"type\":\"integer\",\"minimum\":0},\"totalMatches\":{\"type\":\"integer\",\"minimum\":0,"
     "\"description\":\"Rated ones\"},\"provisional\":{\"type\":\"boolean\"},"
     "\"activeSubmissionId\":{\"type\":\"string\",\"format\":\"uuid\"},\"activeVersion\":{\"type\":\"integer\","
     "\"minimum\":0},\"status\":{\"type\":\"string\",\"enum\":[\"active\",\"pending\",\"processing\",\"failed\","
     "\"suspended\",\"deleted\"]},\"message\":{\"type\":\"string\"},\"matchmaking\":{\"type\":\"object\","
     "\"required\":[\"enabled\",\"priority\",\"state\",\"reason\",\"rangeNow\"],"
     "\"properties\":{\"enabled\":{\"type\":\"boolean\"},\"priority\":{\"type\":\"integer\",\"minimum\":0},"
     "\"state\":{\"type\":\"string\",\"enum\":[\"idle\",\"waiting\",\"playing\",\"cooldown\",\"expired\","
     "\"suspended\"]},\"reason\":{\"type\":\"string\"},\"enqueuedAt\":{\"type\":\"string\","
     "\"format\":\"date-time\"},\"expiresAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
     "\"rangeNow\":{\"type\":\"integer\",\"minimum\":0}}},\"createdAt\":{\"type\":\"string\","
     "\"format\":\"date-time\"},\"updatedAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
     "\"rank\":{\"type\":[\"integer\",\"null\"],\"description\":\"null: not ranked,"
     " it has no active submission\"}}}"},
    {"AgentPage",
     "{\"type\":\"object\",\"required\":[\"agents\",\"total\",\"page\",\"pageSize\"],"
     "\"properties\":{\"agents\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Agent\"}},"
     "\"total\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"Of all pages\"},"
     "\"page\":{\"type\":\"integer\",\"minimum\":0},\"pageSize\":{\"type\":\"integer\",\"minimum\":0}}}"},
    {"AgentList",
     "{\"type\":\"object\",\"required\":[\"agents\",\"total\"],\"properties\":{\"agents\":{\"type\":\"array\","
     "\"items\":{\"$ref\":\"#/components/schemas/Agent\"}},\"total\":{\"type\":\"integer\",\"minimum\":0}}}"},
    {"OneAgent",
     "{\"type\":\"object\",\"required\":[\"agent\"],"
     "\"properties\":{\"agent\":{\"$ref\":\"#/components/schemas/Agent\"}}}"},
    {"ChangedAgent",
     "{\"type\":\"object\",\"required\":[\"message\",\"agent\"],\"properties\":{\"message\":{\"type\":\"string\"},"
     "\"agent\":{\"$ref\":\"#/components/schemas/Agent\"}}}"},
    {"DeletedAgent",
     "{\"type\":\"object\",\"required\":[\"message\",\"id\"],\"properties\":{\"message\":{\"type\":\"string\"},"
     "\"id\":{\"type\":\"string\",\"format\":\"uuid\"}}}"},
    {"AgentStats",
     "{\"type\":\"object\",\"required\":[\"agentId\",\"stats\",\"total\",\"page\",\"pageSize\"],"
     "\"properties\":{\"agentId\":{\"type\":\"string\",\"format\":\"uuid\"},\"stats\":{\"type\":\"array\","
     "\"items\":{\"type\":\"object\",\"required\":[\"opponentId\",\"opponentName\",\"wins\",\"losses\",\"draws\","
     "\"totalMatches\"],\"properties\":{\"opponentId\":{\"type\":\"string\",\"format\":\"uuid\"},"
     "\"opponentName\":{\"type\":\"string\"},\"wins\":{\"type\":\"integer\",\"minimum\":0},"
     "\"losses\":{\"type\":\"integer\",\"minimum\":0},\"draws\":{\"type\":\"integer\",\"minimum\":0},"
     "\"totalMatches\":{\"type\":\"integer\",\"minimum\":0}}}},\"total\":{\"type\":\"integer\",\"minimum\":0,"
     "\"description\":\"Opponents\"},\"page\":{\"type\":\"integer\",\"minimum\":0},"
     "\"pageSize\":{\"type\":\"integer\",\"minimum\":0}}}"},
    {"Place",
     "{\"type\":\"object\",\"required\":[\"message\",\"agentId\",\"environmentId\",\"state\",\"reason\","
     "\"position\",\"waiting\",\"medianWaitSeconds\",\"expectedWaitSeconds\",\"enqueuedAt\",\"expiresAt\","
     "\"agent\"],\"properties\":{\"message\":{\"type\":\"string\"},\"agentId\":{\"type\":\"string\","
     "\"format\":\"uuid\"},\"environmentId\":{\"type\":[\"string\",\"null\"],\"format\":\"uuid\"},"
     "\"state\":{\"type\":\"string\",\"enum\":[\"idle\",\"waiting\",\"playing\",\"cooldown\",\"expired\","
     "\"suspended\"]},\"reason\":{\"type\":\"string\"},\"position\":{\"type\":[\"integer\",\"null\"],"
     "\"description\":\"In the line, from 1; null: not in it\"},\"waiting\":{\"type\":\"integer\",\"minimum\":0},"
     "\"medianWaitSeconds\":{\"type\":[\"integer\",\"null\"]},\"expectedWaitSeconds\":{\"type\":[\"integer\","
     "\"null\"]},\"enqueuedAt\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"
     "\"expiresAt\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},"
     "\"agent\":{\"$ref\":\"#/components/schemas/Agent\"}}}"},
    {"Leaderboard",
     "{\"type\":\"object\",\"required\":[\"type\",\"leaderboard\",\"data\",\"total\",\"totalItems\","
     "\"totalPages\",\"page\",\"pageSize\"],\"properties\":{\"type\":{\"type\":\"string\",\"enum\":[\"public\","
     "\"private\",\"all\"]},\"leaderboard\":{\"type\":\"array\","
     "\"items\":{\"$ref\":\"#/components/schemas/Agent\"}},\"data\":{\"type\":\"array\","
     "\"items\":{\"$ref\":\"#/components/schemas/Agent\"},\"description\":\"The same\"},"
     "\"total\":{\"type\":\"integer\",\"minimum\":0},\"totalItems\":{\"type\":\"integer\",\"minimum\":0},"
     "\"totalPages\":{\"type\":\"integer\",\"minimum\":0},\"page\":{\"type\":\"integer\",\"minimum\":0},"
     "\"pageSize\":{\"type\":\"integer\",\"minimum\":0}}}"},
    {"EnvironmentLeaderboard",
     "{\"type\":\"object\",\"required\":[\"environmentId\",\"environmentName\",\"type\",\"leaderboard\",\"data\","
     "\"total\",\"totalItems\",\"totalPages\",\"page\",\"pageSize\"],"
     "\"properties\":{\"environmentId\":{\"type\":\"string\",\"format\":\"uuid\"},"
     "\"environmentName\":{\"type\":\"string\"},\"type\":{\"type\":\"string\",\"enum\":[\"public\",\"private\","
     "\"all\"]},\"leaderboard\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Agent\"}},"
     "\"data\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Agent\"},"
     "\"description\":\"The same\"},\"total\":{\"type\":\"integer\",\"minimum\":0},"
     "\"totalItems\":{\"type\":\"integer\",\"minimum\":0},\"totalPages\":{\"type\":\"integer\",\"minimum\":0},"
     "\"page\":{\"type\":\"integer\",\"minimum\":0},\"pageSize\":{\"type\":\"integer\",\"minimum\":0}}}"},
    {"MatchRequest",
     "{\"type\":\"object\",\"required\":[\"agent1Id\",\"agent2Id\"],"
     "\"properties\":{\"agent1Id\":{\"type\":\"string\",\"format\":\"uuid\","
     "\"description\":\"Moves first where the game has turns\"},\"agent2Id\":{\"type\":\"string\","
     "\"format\":\"uuid\"},\"rated\":{\"type\":[\"boolean\",\"null\"],\"default\":false,"
     "\"description\":\"Only between agents of one's own, where the environment allows it\"}}}"},
    {"Match",
     "{\"type\":\"object\",\"required\":[\"id\",\"environmentId\",\"environmentName\",\"status\",\"rated\","
     "\"isPublic\",\"createdAt\",\"agent1Id\",\"agent1Name\",\"agent2Id\",\"agent2Name\"],"
     "\"properties\":{\"id\":{\"type\":\"string\",\"format\":\"uuid\"},\"environmentId\":{\"type\":[\"string\","
     "\"null\"],\"format\":\"uuid\"},\"environmentName\":{\"type\":\"string\"},\"agent1Id\":{\"type\":[\"string\","
     "\"null\"],\"format\":\"uuid\"},\"agent1Name\":{\"type\":\"string\"},"
     "\"agent1SubmissionId\":{\"type\":\"string\",\"format\":\"uuid\"},\"agent1Version\":{\"type\":\"integer\","
     "\"minimum\":0},\"agent1Score\":{\"type\":\"number\"},\"agent1Outcome\":{\"type\":\"string\","
     "\"enum\":[\"win\",\"loss\",\"draw\",\"forfeit\"]},\"agent1Error\":{\"type\":\"string\","
     "\"description\":\"Its first line; the end of the agent's output follows for its owner\"},"
     "\"agent1Elo\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"Before the match\"},"
     "\"agent1EloChange\":{\"type\":\"integer\"},\"agent2Id\":{\"type\":[\"string\",\"null\"],"
     "\"format\":\"uuid\"},\"agent2Name\":{\"type\":\"string\"},\"agent2SubmissionId\":{\"type\":\"string\","
     "\"format\":\"uuid\"},\"agent2Version\":{\"type\":\"integer\",\"minimum\":0},"
     "\"agent2Score\":{\"type\":\"number\"},\"agent2Outcome\":{\"type\":\"string\",\"enum\":[\"win\",\"loss\","
     "\"draw\",\"forfeit\"]},\"agent2Error\":{\"type\":\"string\"},\"agent2Elo\":{\"type\":\"integer\","
     "\"minimum\":0,\"description\":\"Before the match\"},\"agent2EloChange\":{\"type\":\"integer\"},"
     "\"status\":{\"type\":\"string\",\"enum\":[\"pending\",\"running\",\"completed\",\"failed\"]},"
     "\"winnerId\":{\"type\":\"string\",\"format\":\"uuid\",\"description\":\"Absent: a draw, or not over\"},"
     "\"rated\":{\"type\":\"boolean\"},\"isPublic\":{\"type\":\"boolean\"},\"replayUrl\":{\"type\":\"string\"},"
     "\"replayHtmlUrl\":{\"type\":\"string\"},\"errorMessage\":{\"type\":\"string\"},"
     "\"steps\":{\"type\":\"integer\",\"minimum\":0},\"seed\":{\"type\":\"integer\",\"minimum\":0},"
     "\"durationMilliseconds\":{\"type\":\"integer\",\"minimum\":0},\"startedAt\":{\"type\":\"string\","
     "\"format\":\"date-time\"},\"completedAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
     "\"createdAt\":{\"type\":\"string\",\"format\":\"date-time\"}}}"},
    {"MatchPage",
     "{\"type\":\"object\",\"required\":[\"matches\",\"total\",\"page\",\"pageSize\"],"
     "\"properties\":{\"matches\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Match\"}},"
     "\"total\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"Of all pages\"},"
     "\"page\":{\"type\":\"integer\",\"minimum\":0},\"pageSize\":{\"type\":\"integer\",\"minimum\":0}}}"},
    {"OneMatch",
     "{\"type\":\"object\",\"required\":[\"match\"],"
     "\"properties\":{\"match\":{\"$ref\":\"#/components/schemas/Match\"}}}"},
    {"RequestedMatch",
     "{\"type\":\"object\",\"required\":[\"message\",\"match\"],\"properties\":{\"message\":{\"type\":\"string\"},"
     "\"match\":{\"$ref\":\"#/components/schemas/Match\"}}}"},

    // ---- submissions, replays
    {"SubmissionRequest",
     "{\"type\":\"object\",\"required\":[\"agentId\"],"
     "\"description\":\"One of codeUrl and git; or a form: SubmissionForm\","
     "\"properties\":{\"agentId\":{\"type\":\"string\",\"format\":\"uuid\"},\"codeUrl\":{\"type\":\"string\","
     "\"maxLength\":2048,"
     "\"description\":\"A public zip or tar.gz. Without sha256 the arena brings it at once and keeps it\"},"
     "\"sha256\":{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\",\"description\":\"Of what is at codeUrl\"},"
     "\"format\":{\"type\":\"string\",\"enum\":[\"zip\",\"tar.gz\"],"
     "\"description\":\"Where codeUrl does not end in it\"},\"git\":{\"type\":\"object\",\"required\":[\"url\","
     "\"ref\"],\"properties\":{\"url\":{\"type\":\"string\",\"maxLength\":2048},\"ref\":{\"type\":\"string\","
     "\"minLength\":1,\"maxLength\":255},\"path\":{\"type\":\"string\",\"maxLength\":255}}}}}"},
    {"SubmissionForm",
     "{\"type\":\"object\",\"required\":[\"agentId\",\"file\"],\"properties\":{\"agentId\":{\"type\":\"string\","
     "\"format\":\"uuid\",\"description\":\"Before the file, so that a refusal comes at "
     "once\"},\"file\":{\"type\":\"string\",\"format\":\"binary\","
     "\"description\":\"A .py, .zip or .tar.gz, under its name\"}}}"},
    {"InlineCode",
     "{\"type\":\"object\",\"required\":[\"files\"],\"properties\":{\"files\":{\"type\":\"object\","
     "\"additionalProperties\":{\"type\":\"string\"},\"description\":\"Their texts, by name\"}}}"},
    {"Submission",
     "{\"type\":\"object\",\"required\":[\"id\",\"agentId\",\"agentName\",\"environmentId\",\"version\","
     "\"status\",\"message\",\"source\",\"retryCount\",\"isActive\",\"createdAt\",\"updatedAt\"],"
     "\"properties\":{\"id\":{\"type\":\"string\",\"format\":\"uuid\"},\"agentId\":{\"type\":[\"string\","
     "\"null\"],\"format\":\"uuid\"},\"agentName\":{\"type\":\"string\"},\"environmentId\":{\"type\":[\"string\","
     "\"null\"],\"format\":\"uuid\"},\"version\":{\"type\":\"integer\",\"minimum\":0,"
     "\"description\":\"0: not given yet\"},\"status\":{\"type\":\"string\",\"enum\":[\"pending\",\"building\","
     "\"scanning\",\"success\",\"active\",\"build_failed\",\"failed\",\"rejected\",\"inactive\"]},"
     "\"message\":{\"type\":\"string\",\"description\":\"Why, in a person's words; of a failure, more for the owner\"},"
     "\"reason\":{\"type\":\"string\"},\"source\":{\"type\":\"string\",\"enum\":[\"inline\",\"archive\",\"git\","
     "\"image\"]},\"retryCount\":{\"type\":\"integer\",\"minimum\":0},\"isActive\":{\"type\":\"boolean\"},"
     "\"dockerImageUrl\":{\"type\":\"string\"},\"buildJobName\":{\"type\":\"string\"},"
     "\"buildPodName\":{\"type\":\"string\"},\"lastRetryAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
     "\"errorMessage\":{\"type\":\"string\"},\"codeUrl\":{\"type\":\"string\",\"description\":\"For the owner\"},"
     "\"scan\":{\"type\":\"object\",\"description\":\"Counts, for the owner\"},\"createdAt\":{\"type\":\"string\","
     "\"format\":\"date-time\"},\"updatedAt\":{\"type\":\"string\",\"format\":\"date-time\"}}}"},
    {"OneSubmission",
     "{\"type\":\"object\",\"required\":[\"submission\"],"
     "\"properties\":{\"submission\":{\"$ref\":\"#/components/schemas/Submission\"}}}"},
    {"ChangedSubmission",
     "{\"type\":\"object\",\"required\":[\"message\",\"submission\"],"
     "\"properties\":{\"message\":{\"type\":\"string\"},"
     "\"submission\":{\"$ref\":\"#/components/schemas/Submission\"}}}"},
    {"SubmissionPage",
     "{\"type\":\"object\",\"required\":[\"submissions\",\"total\",\"page\",\"pageSize\"],"
     "\"properties\":{\"submissions\":{\"type\":\"array\","
     "\"items\":{\"$ref\":\"#/components/schemas/Submission\"}},\"total\":{\"type\":\"integer\",\"minimum\":0,"
     "\"description\":\"Of all pages\"},\"page\":{\"type\":\"integer\",\"minimum\":0},"
     "\"pageSize\":{\"type\":\"integer\",\"minimum\":0}}}"},
    {"BuildStatus",
     "{\"type\":\"object\",\"required\":[\"submissionId\",\"version\",\"status\",\"message\",\"attempts\","
     "\"retryCount\"],\"properties\":{\"submissionId\":{\"type\":\"string\",\"format\":\"uuid\"},"
     "\"agentId\":{\"type\":[\"string\",\"null\"],\"format\":\"uuid\"},\"agentName\":{\"type\":\"string\"},"
     "\"environmentId\":{\"type\":[\"string\",\"null\"],\"format\":\"uuid\"},\"version\":{\"type\":\"integer\","
     "\"minimum\":0},\"status\":{\"type\":\"string\",\"enum\":[\"pending\",\"building\",\"scanning\",\"success\","
     "\"active\",\"build_failed\",\"failed\",\"rejected\",\"inactive\"]},\"message\":{\"type\":\"string\"},"
     "\"reason\":{\"type\":\"string\"},\"errorMessage\":{\"type\":\"string\"},\"attempts\":{\"type\":\"integer\","
     "\"minimum\":0},\"retryCount\":{\"type\":\"integer\",\"minimum\":0},\"attemptReason\":{\"type\":\"string\","
     "\"description\":\"How the last attempt ended\",\"example\":\"OOMKilled\"},"
     "\"lastRetryAt\":{\"type\":\"string\",\"format\":\"date-time\"},\"buildJobName\":{\"type\":\"string\"},"
     "\"buildPodName\":{\"type\":\"string\"},\"imageUrl\":{\"type\":\"string\"},"
     "\"dockerImageUrl\":{\"type\":\"string\"},\"createdAt\":{\"type\":\"string\",\"format\":\"date-time\"},"
     "\"updatedAt\":{\"type\":\"string\",\"format\":\"date-time\"}}}"},
    {"Scan",
     "{\"type\":\"object\",\"required\":[\"submissionId\",\"status\",\"scanned\",\"critical\",\"high\",\"medium\","
     "\"low\",\"unknown\",\"fixable\",\"findings\"],\"properties\":{\"submissionId\":{\"type\":\"string\","
     "\"format\":\"uuid\"},\"status\":{\"type\":\"string\",\"enum\":[\"pending\",\"building\",\"scanning\","
     "\"success\",\"active\",\"build_failed\",\"failed\",\"rejected\",\"inactive\"]},"
     "\"scanned\":{\"type\":\"boolean\",\"description\":\"Whether there is a report yet\"},"
     "\"critical\":{\"type\":\"integer\",\"minimum\":0},\"high\":{\"type\":\"integer\",\"minimum\":0},"
     "\"medium\":{\"type\":\"integer\",\"minimum\":0},\"low\":{\"type\":\"integer\",\"minimum\":0},"
     "\"unknown\":{\"type\":\"integer\",\"minimum\":0},\"fixable\":{\"type\":\"integer\",\"minimum\":0},"
     "\"findings\":{\"type\":\"array\",\"items\":{\"type\":\"object\"},\"description\":\"The worst 50\"}}}"},
    {"ReplayAddresses",
     "{\"type\":\"object\",\"required\":[\"matchId\"],\"properties\":{\"matchId\":{\"type\":\"string\","
     "\"format\":\"uuid\"},\"replayUrl\":{\"type\":[\"string\",\"null\"]},\"replayHtmlUrl\":{\"type\":[\"string\","
     "\"null\"]}}}"},
    {"Replay",
     "{\"type\":\"object\",\"required\":[\"metadata\",\"frames\"],"
     "\"properties\":{\"metadata\":{\"type\":\"object\",\"description\":\"finalScore, duration, timestamp, seed,"
     " agents...\"},\"game\":{\"type\":\"object\"},\"frames\":{\"type\":\"array\","
     "\"items\":{\"type\":\"object\"}}}}"},
};
const size_t component_schema_count = array_size(component_schemas);
