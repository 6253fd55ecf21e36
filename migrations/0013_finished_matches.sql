-- Matches that have a replay, the last finished first: walked from the newest until the page is full. (The index before
-- went by a column that the list does not ask for.)
DROP INDEX matches_replays;
CREATE INDEX matches_finished ON matches (completed_at DESC NULLS LAST, id);
