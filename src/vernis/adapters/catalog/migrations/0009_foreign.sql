-- What other tools call images and classes, and what else their files say of them, by format.

CREATE TABLE foreign_fact (
  format     TEXT NOT NULL CHECK (format <> ''),
  thing      TEXT NOT NULL CHECK (thing IN ('image', 'class', 'collection')),
  thing_id   INTEGER NOT NULL,            -- of the image or class; 0: the collection
  batch_id   INTEGER NOT NULL REFERENCES batch (id),
  position   INTEGER NOT NULL DEFAULT 0,  -- of a class in the tool's list
  foreign_id TEXT CHECK (foreign_id IS NULL OR json_valid(foreign_id)),
  attributes TEXT NOT NULL DEFAULT '',
  held       INTEGER NOT NULL DEFAULT 1 CHECK (held IN (0, 1)),  -- 0: the batch is undone
  PRIMARY KEY (format, thing, thing_id, batch_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX foreign_fact_batch ON foreign_fact (batch_id);
