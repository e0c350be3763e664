-- The suspected ones of many scored images, the worst first.

CREATE INDEX issue_flagged ON issue (kind, taxonomy, score) WHERE flagged = 1;
