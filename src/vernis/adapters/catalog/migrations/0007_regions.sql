-- Regions: places in a picture that a label can stand on.

-- A region that was removed stays, for undo. Numbers are pixels of the upright picture, and the size
-- of that picture goes with them.
CREATE TABLE region (
  id             INTEGER PRIMARY KEY,
  image_id       INTEGER NOT NULL REFERENCES image (id),
  source_id      INTEGER NOT NULL REFERENCES source (id),  -- who drew or found it
  batch_id       INTEGER NOT NULL REFERENCES batch (id),
  removed        INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)),
  x              REAL NOT NULL,
  y              REAL NOT NULL,
  width          REAL NOT NULL CHECK (width >= 0),
  height         REAL NOT NULL CHECK (height >= 0),
  picture_width  INTEGER NOT NULL CHECK (picture_width > 0),
  picture_height INTEGER NOT NULL CHECK (picture_height > 0),
  shape          TEXT NOT NULL CHECK (shape IN ('box', 'polygon', 'mask', 'point')),
  outline        TEXT NOT NULL DEFAULT '',
  foreign_id     TEXT CHECK (foreign_id IS NULL OR json_valid(foreign_id)),
  attributes     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX region_image ON region (image_id);
CREATE INDEX region_batch ON region (batch_id);

-- What each source says now, of region × class. No row means unknown.
CREATE TABLE region_statement (
  region_id   INTEGER NOT NULL REFERENCES region (id),
  class_id    INTEGER NOT NULL REFERENCES class (id),
  source_id   INTEGER NOT NULL REFERENCES source (id),
  state       TEXT NOT NULL CHECK (state IN ('yes', 'no')),
  probability REAL CHECK (probability BETWEEN 0 AND 1),
  batch_id    INTEGER NOT NULL REFERENCES batch (id),
  PRIMARY KEY (region_id, class_id, source_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX region_statement_class ON region_statement (class_id);

-- An event with a region is about that region × class, one without about the whole image.
ALTER TABLE event ADD COLUMN region_id INTEGER REFERENCES region (id)
  CHECK (region_id IS NULL OR class_id IS NOT NULL);
