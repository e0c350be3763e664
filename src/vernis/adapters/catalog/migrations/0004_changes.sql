-- Changes that are no labels and no verdicts: they are batches too, and undo takes them back.

-- One change of a thing: what it is (taxonomy, trash, keeper, index, arrival), which one, and its
-- state before and after. size: how many things it stands for (a range of new images is one row).
CREATE TABLE change (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  batch_id INTEGER NOT NULL REFERENCES batch (id),
  subject  TEXT NOT NULL CHECK (subject <> ''),
  key      TEXT NOT NULL,
  before   TEXT NOT NULL CHECK (json_valid(before)),
  after    TEXT NOT NULL CHECK (json_valid(after)),
  size     INTEGER NOT NULL DEFAULT 1 CHECK (size > 0)
) STRICT;
CREATE INDEX change_batch ON change (batch_id);
CREATE INDEX change_key ON change (subject, key);

CREATE TRIGGER change_is_not_changed BEFORE UPDATE ON change
BEGIN
  SELECT RAISE(ABORT, 'the history is append-only');
END;
CREATE TRIGGER change_is_not_deleted BEFORE DELETE ON change
BEGIN
  SELECT RAISE(ABORT, 'the history is append-only');
END;

-- Images that a person chose to keep, with the batch that said so.
CREATE TABLE kept (
  image_id INTEGER PRIMARY KEY REFERENCES image (id),
  batch_id INTEGER NOT NULL REFERENCES batch (id)
) STRICT;

-- A taxonomy that was removed keeps its labels, for undo, but gives its name free.
CREATE TABLE new_taxonomy (
  id          INTEGER PRIMARY KEY,
  name        TEXT NOT NULL,
  kind        TEXT NOT NULL CHECK (kind IN ('single', 'multi')),
  closed      INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1)),
  origin      TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  ignored     INTEGER NOT NULL DEFAULT 0 CHECK (ignored IN (0, 1)),
  removed     INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1))
) STRICT;
INSERT INTO new_taxonomy (id, name, kind, closed, origin)
SELECT id, name, kind, closed, origin FROM taxonomy;
DROP TABLE taxonomy;
ALTER TABLE new_taxonomy RENAME TO taxonomy;
CREATE UNIQUE INDEX taxonomy_name ON taxonomy (name) WHERE removed = 0;
