-- The first schema: images, labels with their history, issues with verdicts, vectors, models, runs.
-- Every table is STRICT; times are UTC in ISO 8601; JSON columns hold objects or arrays.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Where images come from: today one folder; a bucket or a second folder is one more row.
CREATE TABLE root (
  id       INTEGER PRIMARY KEY,
  uri      TEXT NOT NULL,                 -- file:///… (percent-encoded), later s3://…
  relative TEXT NOT NULL DEFAULT '',      -- the same, as seen from the collection's folder
  added    TEXT NOT NULL
) STRICT;
INSERT INTO root (id, uri, added) VALUES (1, '', '');  -- the first one, named by the indexing

CREATE TABLE image (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  root_id      INTEGER NOT NULL DEFAULT 1 REFERENCES root (id),
  uri          TEXT NOT NULL CHECK (uri <> ''),
  content_hash TEXT NOT NULL,
  size         INTEGER NOT NULL CHECK (size >= 0),
  mtime_ns     INTEGER NOT NULL,
  width        INTEGER NOT NULL DEFAULT 0 CHECK (width >= 0),
  height       INTEGER NOT NULL DEFAULT 0 CHECK (height >= 0),
  format       TEXT NOT NULL DEFAULT '',
  state        TEXT NOT NULL DEFAULT 'present'
               CHECK (state IN ('present', 'unreadable', 'vanished', 'trashed')),
  reason       TEXT NOT NULL DEFAULT '',
  split        TEXT NOT NULL DEFAULT '',
  metadata     TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata))
) STRICT;
-- Two images never lie at one place; those that are gone may have lain where another lies now.
CREATE UNIQUE INDEX image_place ON image (root_id, uri) WHERE state IN ('present', 'unreadable');
CREATE INDEX image_uri ON image (uri);
CREATE INDEX image_hash ON image (content_hash);
CREATE INDEX image_state ON image (state);

CREATE TABLE other_file (
  suffix TEXT PRIMARY KEY,
  count  INTEGER NOT NULL CHECK (count > 0)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- labels

CREATE TABLE taxonomy (
  id     INTEGER PRIMARY KEY,
  name   TEXT NOT NULL UNIQUE,
  kind   TEXT NOT NULL CHECK (kind IN ('single', 'multi')),
  closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1)),
  origin TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE class (
  id          INTEGER PRIMARY KEY,
  taxonomy_id INTEGER NOT NULL REFERENCES taxonomy (id),
  name        TEXT NOT NULL CHECK (name <> ''),
  UNIQUE (taxonomy_id, name),
  UNIQUE (taxonomy_id, id)
) STRICT;

-- Who says something. rank: 5 a person, 4 a suggestion that a person accepted, 3 given,
-- 2 a reader or an outside service, 0 a model (kept, but no label until it is applied).
CREATE TABLE source (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  rank INTEGER NOT NULL CHECK (rank IN (0, 2, 3, 4, 5))
) STRICT;

-- One undoable piece of work: everything that one transaction changed.
CREATE TABLE batch (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  verb      TEXT NOT NULL,
  source_id INTEGER NOT NULL REFERENCES source (id),
  note      TEXT NOT NULL DEFAULT '',
  time      TEXT NOT NULL,
  undoes    INTEGER REFERENCES batch (id),
  undone_by INTEGER REFERENCES batch (id),
  skipped   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What each source says now, of image × class. No row means unknown.
CREATE TABLE statement (
  taxonomy_id INTEGER NOT NULL,
  source_id   INTEGER NOT NULL REFERENCES source (id),
  image_id    INTEGER NOT NULL REFERENCES image (id),
  class_id    INTEGER NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('yes', 'no')),
  probability REAL CHECK (probability BETWEEN 0 AND 1),
  batch_id    INTEGER NOT NULL REFERENCES batch (id),
  PRIMARY KEY (taxonomy_id, source_id, image_id, class_id),
  FOREIGN KEY (taxonomy_id, class_id) REFERENCES class (taxonomy_id, id)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- issues

-- key joins whatever a verdict hangs on: kind, taxonomy, label, images with their content, given
-- labels. It has the same value for the same suspicion whenever that is found again.
CREATE TABLE issue (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  key      TEXT NOT NULL UNIQUE,
  kind     TEXT NOT NULL CHECK (kind <> ''),
  taxonomy TEXT NOT NULL DEFAULT '',
  label    TEXT NOT NULL DEFAULT '',
  image_id INTEGER NOT NULL REFERENCES image (id),
  other_id INTEGER REFERENCES image (id),
  score    REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
  flagged  INTEGER NOT NULL CHECK (flagged IN (0, 1)),
  evidence TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(evidence))
) STRICT;
CREATE INDEX issue_kind ON issue (kind, taxonomy, score);
CREATE INDEX issue_image ON issue (image_id);

CREATE TABLE verdict (
  id         INTEGER PRIMARY KEY,
  key        TEXT NOT NULL UNIQUE,
  kind       TEXT NOT NULL,
  taxonomy   TEXT NOT NULL,
  label      TEXT NOT NULL,
  image_id   INTEGER NOT NULL REFERENCES image (id),
  other_id   INTEGER REFERENCES image (id),
  image_hash TEXT NOT NULL,
  other_hash TEXT NOT NULL,
  verdict    TEXT NOT NULL CHECK (verdict IN ('open', 'accepted', 'dismissed')),
  batch_id   INTEGER REFERENCES batch (id)
) STRICT;
CREATE INDEX verdict_kind ON verdict (kind, verdict);
CREATE INDEX verdict_other ON verdict (other_id) WHERE other_id IS NOT NULL;

-- ---------------------------------------------------------------- history

-- Each change of a statement (class_id) or a verdict (verdict_id): what was, what is, and the
-- batch that had said each.
CREATE TABLE event (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  batch_id           INTEGER NOT NULL REFERENCES batch (id),
  source_id          INTEGER NOT NULL REFERENCES source (id),
  image_id           INTEGER NOT NULL REFERENCES image (id),
  class_id           INTEGER REFERENCES class (id),
  verdict_id         INTEGER REFERENCES verdict (id),
  before             TEXT NOT NULL,
  before_probability REAL,
  before_batch       INTEGER,
  after              TEXT NOT NULL,
  after_probability  REAL,
  after_batch        INTEGER,
  CHECK ((class_id IS NULL) <> (verdict_id IS NULL)),
  CHECK (class_id IS NULL
         OR (before IN ('yes', 'no', 'unknown') AND after IN ('yes', 'no', 'unknown'))),
  CHECK (verdict_id IS NULL
         OR (before IN ('open', 'accepted', 'dismissed')
             AND after IN ('open', 'accepted', 'dismissed')))
) STRICT;
CREATE INDEX event_batch ON event (batch_id);
CREATE INDEX event_image ON event (image_id);

CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
BEGIN
  SELECT RAISE(ABORT, 'the history is append-only');
END;
CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event
BEGIN
  SELECT RAISE(ABORT, 'the history is append-only');
END;

-- ---------------------------------------------------------------- duplicates and suggestions

CREATE TABLE duplicate_group (
  id            INTEGER PRIMARY KEY,
  kind          TEXT NOT NULL CHECK (kind IN ('bytes', 'pixels', 'near')),
  keeper        INTEGER NOT NULL REFERENCES image (id),
  reason        TEXT NOT NULL,
  merged_labels TEXT NOT NULL CHECK (json_valid(merged_labels)),
  conflicts     TEXT NOT NULL CHECK (json_valid(conflicts))
) STRICT;

CREATE TABLE duplicate_member (
  group_id INTEGER NOT NULL REFERENCES duplicate_group (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  image_id INTEGER NOT NULL REFERENCES image (id),
  PRIMARY KEY (group_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE duplicate_pair (
  group_id   INTEGER NOT NULL REFERENCES duplicate_group (id) ON DELETE CASCADE,
  a          INTEGER NOT NULL REFERENCES image (id),
  b          INTEGER NOT NULL REFERENCES image (id),
  kind       TEXT NOT NULL CHECK (kind IN ('bytes', 'pixels', 'near')),
  similarity REAL NOT NULL CHECK (similarity BETWEEN 0 AND 1),
  transform  TEXT NOT NULL,
  PRIMARY KEY (group_id, a, b),
  CHECK (a < b)
) STRICT, WITHOUT ROWID;

CREATE TABLE suggestion (
  taxonomy_id INTEGER NOT NULL,
  image_id    INTEGER NOT NULL REFERENCES image (id),
  class_id    INTEGER NOT NULL,
  probability REAL NOT NULL CHECK (probability BETWEEN 0 AND 1),
  promised    INTEGER NOT NULL CHECK (promised IN (0, 1)),
  evidence    TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(evidence)),
  PRIMARY KEY (taxonomy_id, image_id, class_id),
  FOREIGN KEY (taxonomy_id, class_id) REFERENCES class (taxonomy_id, id)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------- vectors, models, runs

CREATE TABLE space (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL CHECK (name <> ''),
  dim      INTEGER NOT NULL CHECK (dim > 0),
  dtype    TEXT NOT NULL CHECK (dtype IN ('float16', 'float32', 'uint8')),
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  UNIQUE (name, settings, dim, dtype)
) STRICT;

-- A shard is a file vectors/FILE; this row is what makes it part of the collection.
CREATE TABLE shard (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  space_id INTEGER NOT NULL REFERENCES space (id),
  file     TEXT NOT NULL UNIQUE,
  rows     INTEGER NOT NULL CHECK (rows > 0),
  bytes    INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  time     TEXT NOT NULL
) STRICT;
CREATE INDEX shard_space ON shard (space_id);

CREATE TABLE vector (
  space_id INTEGER NOT NULL REFERENCES space (id),
  hash     TEXT NOT NULL,
  shard_id INTEGER NOT NULL REFERENCES shard (id),
  row      INTEGER NOT NULL CHECK (row >= 0),
  PRIMARY KEY (space_id, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX vector_shard ON vector (shard_id);

CREATE TABLE model (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL,
  version     INTEGER NOT NULL CHECK (version > 0),
  taxonomy    TEXT NOT NULL,
  space       TEXT NOT NULL,
  folder      TEXT NOT NULL UNIQUE,
  fingerprint TEXT NOT NULL,
  metrics     TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metrics)),
  created     TEXT NOT NULL,
  UNIQUE (name, version)
) STRICT;
CREATE INDEX model_taxonomy ON model (taxonomy);

CREATE TABLE run (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow    TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  summary     TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(summary)),
  time        TEXT NOT NULL
) STRICT;
CREATE INDEX run_workflow ON run (workflow, id);
