-- What a user brought stays that user's. A living submission is the next agent's of its name, as the controller has it
-- (0003); but one that was made by REST is deleted with its agent, a little later. In between a stranger's agent of the same
-- name, which can be had on purpose, took it over, with its logs and its code.

SELECT mirror_line();

CREATE OR REPLACE FUNCTION submissions_refer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.agent_id IS NULL THEN
        NEW.agent_id := coalesce((SELECT c.agent_id FROM submission_claims c WHERE c.object_name = NEW.object_name),
                                 agent_named(NEW.agent_object));
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION agents_adopt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
    UPDATE submissions s SET agent_id = n.id FROM new_rows n
    WHERE n.vanished_at IS NULL AND s.agent_object = n.object_name AND s.vanished_at IS NULL
      AND s.agent_id IS DISTINCT FROM n.id
      AND NOT EXISTS (SELECT FROM submission_claims c WHERE c.object_name = s.object_name AND c.agent_id <> n.id);
    IF EXISTS (SELECT FROM matches m WHERE m.agent1_id IS NULL) THEN
        UPDATE matches m SET agent1_id = n.id FROM new_rows n
        WHERE n.vanished_at IS NULL AND m.agent1 = n.object_name AND m.agent1_id IS NULL;
    END IF;
    IF EXISTS (SELECT FROM matches m WHERE m.agent2_id IS NULL) THEN
        UPDATE matches m SET agent2_id = n.id FROM new_rows n
        WHERE n.vanished_at IS NULL AND m.agent2 = n.object_name AND m.agent2_id IS NULL;
    END IF;
    RETURN NULL;
END $$;

UPDATE submissions s SET agent_id = c.agent_id FROM submission_claims c
WHERE c.object_name = s.object_name AND s.agent_id IS DISTINCT FROM c.agent_id;

-- One match at a time is what comes, many are what a plan would be made for again and again: the one of 0018 is kept.
ALTER FUNCTION match_events(text, uuid[]) SET plan_cache_mode = force_generic_plan;
