-- What outside services answer, by content: so that nothing is paid twice. Keys are kept nowhere.

CREATE TABLE service (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL CHECK (name <> ''),
  settings TEXT NOT NULL CHECK (json_valid(settings)),
  UNIQUE (name, settings)
) STRICT;

-- A request, noted before it is sent: one that is 'sent' for good was cut off and may be paid.
-- units, price: what is counted as paid, in US dollars at list price.
CREATE TABLE service_request (
  id         INTEGER PRIMARY KEY,
  service_id INTEGER NOT NULL REFERENCES service (id),
  time       TEXT NOT NULL,
  pictures   INTEGER NOT NULL CHECK (pictures >= 0),
  units      INTEGER NOT NULL CHECK (units >= 0),
  price      REAL NOT NULL CHECK (price >= 0),
  tokens     INTEGER NOT NULL DEFAULT 0,
  bytes      INTEGER NOT NULL CHECK (bytes >= 0),
  status     TEXT NOT NULL CHECK (status IN ('sent', 'answered', 'refused', 'failed'))
) STRICT;
CREATE INDEX service_request_service ON service_request (service_id);

-- An answer about one feature of a picture. mark: of the question, where it has choices. content:
-- JSON as the service told it, deflated; NULL where the picture is refused. width, height: of the
-- picture that was sent, in pixels.
CREATE TABLE answer (
  id         INTEGER PRIMARY KEY,
  service_id INTEGER NOT NULL REFERENCES service (id),
  feature    TEXT NOT NULL CHECK (feature <> ''),
  mark       TEXT NOT NULL,
  hash       TEXT NOT NULL,
  request_id INTEGER NOT NULL REFERENCES service_request (id),
  width      INTEGER NOT NULL,
  height     INTEGER NOT NULL,
  refused    TEXT NOT NULL DEFAULT '',
  content    BLOB,
  UNIQUE (service_id, feature, mark, hash)
) STRICT;
