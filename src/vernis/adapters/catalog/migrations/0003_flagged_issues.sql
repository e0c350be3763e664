-- The suspected ones of many scored images, the worst first, and all that counting them needs.

CREATE INDEX issue_flagged ON issue (kind, taxonomy, score, image_id, other_id) WHERE flagged = 1;
