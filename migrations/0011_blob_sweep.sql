-- What still refers to a blob is looked up by its hash (blob_sweep.c).
CREATE INDEX submissions_code ON submissions (code_sha256) WHERE code_sha256 IS NOT NULL;
CREATE INDEX replays_blob ON replays (sha256);
COMMENT ON COLUMN blobs.created_at IS 'when it was last brought: an upload of what is there already counts';
