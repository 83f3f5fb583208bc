PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE aside (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    resource INTEGER,
    -- The names from main's root down to it, with slashes between.
    path BLOB NOT NULL CHECK (length(path) > 0),
    reason TEXT NOT NULL CHECK (reason IN ('unknown', 'damaged', 'unacknowledged', 'notWritten')),
    since INTEGER NOT NULL,
    -- 0 while it is on its way: aside, or back to the target.
    settled INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)),
    target_parent INTEGER,
    target_name BLOB
) STRICT;
INSERT INTO "aside" VALUES(1,2,X'642F612E6A7067','damaged',800,1,NULL,NULL);
INSERT INTO "aside" VALUES(2,NULL,X'73747261792FFF','unknown',801,0,1,X'6261636B');
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO "grdb_migrations" VALUES('1 resources');
INSERT INTO "grdb_migrations" VALUES('2 followed intents');
INSERT INTO "grdb_migrations" VALUES('3 counting');
INSERT INTO "grdb_migrations" VALUES('4 edges');
INSERT INTO "grdb_migrations" VALUES('5 operators');
INSERT INTO "grdb_migrations" VALUES('6 multipart uploads');
INSERT INTO "grdb_migrations" VALUES('7 removal after journal');
INSERT INTO "grdb_migrations" VALUES('8 journal as a log');
CREATE TABLE multipart_upload (
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (key, id)
) STRICT;
INSERT INTO "multipart_upload" VALUES('2~upload','b~0a3kq1v7x2mj');
CREATE TABLE name (
    -- Also the position in a directory listing; it stays when the entry is renamed.
    cookie INTEGER PRIMARY KEY AUTOINCREMENT,
    parent INTEGER NOT NULL REFERENCES resource (id),
    name BLOB NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    resource INTEGER NOT NULL REFERENCES resource (id),
    UNIQUE (parent, name)
) STRICT;
INSERT INTO "name" VALUES(1,1,X'64',7);
INSERT INTO "name" VALUES(2,7,X'612E6A7067',2);
INSERT INTO "name" VALUES(3,1,X'616761696E2E6A7067',2);
INSERT INTO "name" VALUES(4,1,X'62FF',3);
INSERT INTO "name" VALUES(5,1,X'63',4);
INSERT INTO "name" VALUES(6,1,X'6C',5);
INSERT INTO "name" VALUES(7,1,X'6E756C6C',8);
INSERT INTO "name" VALUES(8,7,X'65',9);
CREATE TABLE name_intent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    resource INTEGER NOT NULL,
    parent INTEGER NOT NULL,
    name BLOB NOT NULL
, followed INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "name_intent" VALUES(1,2,1,X'616761696E2E6A7067',0);
INSERT INTO "name_intent" VALUES(2,2,7,X'612E6A7067',1);
CREATE TABLE "outbox" (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    entity TEXT NOT NULL CHECK (entity IN ('resource', 'name', 'xattr', 'version')),
    owner INTEGER NOT NULL,
    name BLOB
) STRICT;
INSERT INTO "outbox" VALUES(4,'resource',4,NULL);
INSERT INTO "outbox" VALUES(5,'resource',5,NULL);
INSERT INTO "outbox" VALUES(6,'resource',6,NULL);
INSERT INTO "outbox" VALUES(7,'resource',7,NULL);
INSERT INTO "outbox" VALUES(8,'resource',8,NULL);
INSERT INTO "outbox" VALUES(9,'name',1,X'64');
INSERT INTO "outbox" VALUES(10,'name',7,X'612E6A7067');
INSERT INTO "outbox" VALUES(11,'name',1,X'616761696E2E6A7067');
INSERT INTO "outbox" VALUES(12,'name',1,X'62FF');
INSERT INTO "outbox" VALUES(13,'name',1,X'63');
INSERT INTO "outbox" VALUES(14,'name',1,X'6C');
INSERT INTO "outbox" VALUES(15,'name',1,X'6E756C6C');
INSERT INTO "outbox" VALUES(16,'xattr',2,X'757365722E7469746C65');
INSERT INTO "outbox" VALUES(17,'resource',9,NULL);
INSERT INTO "outbox" VALUES(18,'name',7,X'65');
INSERT INTO "outbox" VALUES(19,'xattr',2,X'752EFE');
CREATE TABLE rename_intent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    resource INTEGER NOT NULL,
    source_parent INTEGER NOT NULL,
    source_name BLOB NOT NULL,
    target_parent INTEGER NOT NULL,
    target_name BLOB NOT NULL,
    replaced INTEGER,
    -- The two names changed places (RENAME_EXCHANGE); what main had under the source name then.
    exchanged INTEGER NOT NULL DEFAULT 0,
    source_inode INTEGER NOT NULL DEFAULT 0
, followed INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "rename_intent" VALUES(1,4,1,X'78',1,X'63',6,0,88,0);
INSERT INTO "rename_intent" VALUES(2,4,1,X'63',1,X'6C',NULL,1,89,1);
CREATE TABLE resource (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('file', 'directory', 'symlink', 'fifo', 'socket', 'character', 'block')),
    status TEXT NOT NULL CHECK (status IN ('creating', 'created', 'deleted')),
    mode INTEGER NOT NULL CHECK (mode BETWEEN 0 AND 4095),
    uid INTEGER NOT NULL,
    gid INTEGER NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    accessed INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    link_count INTEGER NOT NULL CHECK (link_count >= 0),
    target BLOB,
    device INTEGER NOT NULL DEFAULT 0,
    in_main INTEGER NOT NULL DEFAULT 0 CHECK (in_main IN (0, 1)),
    in_backup INTEGER NOT NULL DEFAULT 0 CHECK (in_backup IN (0, 1)),
    needs_upload INTEGER NOT NULL DEFAULT 0 CHECK (needs_upload IN (0, 1)),
    main_inode INTEGER NOT NULL DEFAULT 0,
    main_modified INTEGER NOT NULL DEFAULT 0,
    version TEXT REFERENCES version (id) DEFERRABLE INITIALLY DEFERRED,
    -- How many versions were stored so far.
    version_number INTEGER NOT NULL DEFAULT 0,
    -- Where a deleted resource last was: its main copy, if it is left over, is there.
    deleted_parent INTEGER,
    deleted_name BLOB,
    -- Background work: when it is due (NULL: nothing to do), how often it failed, since when and why.
    due INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    last_error TEXT, adopted INTEGER NOT NULL DEFAULT 0 CHECK (adopted IN (0, 1)), suspect INTEGER NOT NULL DEFAULT 0 CHECK (suspect IN (0, 1)),
    CHECK ((status = 'deleted') = (deleted_at IS NOT NULL)),
    CHECK (kind <> 'symlink' OR target IS NOT NULL),
    CHECK (in_backup = 0 OR kind <> 'file' OR version IS NOT NULL)
) STRICT;
INSERT INTO "resource" VALUES(1,'directory','created',493,0,0,0,1,1,1,1,NULL,3,NULL,0,1,0,0,0,0,NULL,0,NULL,NULL,NULL,0,NULL,NULL,0,0);
INSERT INTO "resource" VALUES(2,'file','created',420,1000,1000,5,1700000000000000001,1700000000000000002,1700000000000000003,1700000000000000000,NULL,2,NULL,0,1,1,0,77,1700000000000000002,'0a3kq1v7x2mf',2,NULL,NULL,NULL,0,NULL,NULL,0,0);
INSERT INTO "resource" VALUES(3,'file','creating',384,1000,1000,7,20,21,22,19,NULL,1,NULL,0,1,0,1,0,0,NULL,0,NULL,NULL,500,3,400,'it cannot be reached',0,0);
INSERT INTO "resource" VALUES(4,'file','created',420,0,0,9,30,31,32,29,NULL,1,NULL,0,1,1,0,0,0,'0a3kq1v7x2mg',1,NULL,NULL,NULL,0,NULL,NULL,1,0);
INSERT INTO "resource" VALUES(5,'symlink','created',511,0,0,3,40,41,42,39,NULL,1,X'2F6EFF',0,1,0,0,0,0,NULL,0,NULL,NULL,NULL,0,NULL,NULL,1,0);
INSERT INTO "resource" VALUES(6,'file','deleted',420,0,0,4,50,51,52,49,53,0,NULL,0,0,1,0,0,0,'0a3kq1v7x2mh',1,1,X'676F6E65',600,0,NULL,NULL,0,0);
INSERT INTO "resource" VALUES(7,'directory','created',448,1000,1000,0,60,61,62,59,NULL,2,NULL,0,1,0,0,0,0,NULL,0,NULL,NULL,NULL,0,NULL,NULL,0,0);
INSERT INTO "resource" VALUES(8,'character','created',438,0,0,0,70,71,72,69,NULL,1,NULL,259,1,0,0,0,0,NULL,0,NULL,NULL,NULL,0,NULL,NULL,0,0);
INSERT INTO "resource" VALUES(9,'file','creating',420,0,0,1,80,81,82,79,NULL,1,NULL,0,1,0,1,0,0,NULL,0,NULL,NULL,501,0,NULL,NULL,0,1);
CREATE TABLE setting (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "setting" VALUES('adopted.first','4');
INSERT INTO "setting" VALUES('adopted.last','5');
INSERT INTO "setting" VALUES('backup','s3://photos/2023');
CREATE TABLE tally (
    status TEXT PRIMARY KEY NOT NULL,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "tally" VALUES('created',5);
INSERT INTO "tally" VALUES('creating',2);
INSERT INTO "tally" VALUES('deleted',1);
CREATE TABLE version (
    id TEXT PRIMARY KEY NOT NULL,
    resource INTEGER NOT NULL REFERENCES resource (id),
    key TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL CHECK (size >= 0),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    state TEXT NOT NULL CHECK (state IN ('uploading', 'stored', 'removing', 'abandoned')),
    created_at INTEGER NOT NULL,
    due INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    last_error TEXT
, kept_until INTEGER, waits_for INTEGER, epoch INTEGER, change INTEGER) STRICT, WITHOUT ROWID;
INSERT INTO "version" VALUES('0a3kq1v7x2md',2,'d/a~0a3kq1v7x2md.jpg',4,X'BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB','abandoned',8,700,2,300,'AccessDenied',NULL,NULL,NULL,NULL);
INSERT INTO "version" VALUES('0a3kq1v7x2me',2,'d/a~0a3kq1v7x2me.jpg',4,X'BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB','removing',9,0,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "version" VALUES('0a3kq1v7x2mf',2,'d/a~0a3kq1v7x2mf.jpg',5,X'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA','stored',10,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "version" VALUES('0a3kq1v7x2mg',4,'c~0a3kq1v7x2mg',9,X'DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD','stored',30,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "version" VALUES('0a3kq1v7x2mh',6,'gone~0a3kq1v7x2mh',4,X'EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE','stored',50,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "version" VALUES('0a3kq1v7x2mj',3,'b~0a3kq1v7x2mj',7,X'CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC','uploading',20,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "version" VALUES('0a3kq1v7x2mk',4,'c~0a3kq1v7x2mk',9,X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF','removing',31,900,0,NULL,NULL,900,NULL,NULL,NULL);
CREATE TABLE "xattr" (
    resource INTEGER NOT NULL REFERENCES resource (id),
    name BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (resource, name)
) STRICT, WITHOUT ROWID;
INSERT INTO "xattr" VALUES(2,X'752EFE',X'01');
INSERT INTO "xattr" VALUES(2,X'757365722E7469746C65',X'00FF61');
CREATE INDEX resource_due ON resource (due) WHERE due IS NOT NULL;
CREATE INDEX resource_needs_upload ON resource (id) WHERE needs_upload = 1 AND status <> 'deleted';
CREATE INDEX resource_creating ON resource (id) WHERE status = 'creating';
CREATE INDEX resource_leftover ON resource (id)
    WHERE status = 'deleted' AND (in_main = 1 OR in_backup = 1);
CREATE INDEX resource_deleted_name ON resource (deleted_parent, deleted_name) WHERE status = 'deleted';
CREATE INDEX version_of_resource ON version (resource);
CREATE INDEX name_listing ON name (parent, cookie);
CREATE INDEX name_of_resource ON name (resource);
CREATE INDEX aside_unsettled ON aside (id) WHERE settled = 0;
CREATE INDEX resource_version ON resource (version);
CREATE INDEX version_uploading ON version (resource) WHERE state = 'uploading';
CREATE INDEX resource_directory ON resource (id) WHERE kind = 'directory' AND status <> 'deleted';
CREATE INDEX version_due ON version (due) WHERE due IS NOT NULL;
CREATE INDEX version_retried ON version (due) WHERE last_error IS NOT NULL;
CREATE INDEX resource_retried ON resource (due) WHERE last_error IS NOT NULL;
CREATE TRIGGER name_checked BEFORE INSERT ON name
    WHEN NEW.name IN (x'2E', x'2E2E') OR instr(NEW.name, x'2F') OR instr(NEW.name, x'00') BEGIN
    SELECT RAISE (ABORT, 'that is no name of a file');
END;
CREATE TRIGGER name_still_checked BEFORE UPDATE OF name ON name
    WHEN NEW.name IN (x'2E', x'2E2E') OR instr(NEW.name, x'2F') OR instr(NEW.name, x'00') BEGIN
    SELECT RAISE (ABORT, 'that is no name of a file');
END;
CREATE TRIGGER resource_counted AFTER INSERT ON resource WHEN NEW.id <> 1 BEGIN
    UPDATE tally SET number = number + 1 WHERE status = NEW.status;
END;
CREATE TRIGGER resource_recounted AFTER UPDATE OF status ON resource
WHEN NEW.id <> 1 AND NEW.status <> OLD.status BEGIN
    UPDATE tally SET number = number - 1 WHERE status = OLD.status;
    UPDATE tally SET number = number + 1 WHERE status = NEW.status;
END;
CREATE TRIGGER resource_discounted AFTER DELETE ON resource WHEN OLD.id <> 1 BEGIN
    UPDATE tally SET number = number - 1 WHERE status = OLD.status;
END;
CREATE INDEX resource_unmatched ON resource (id) WHERE
    kind = 'file' AND (needs_upload = 1 AND status <> 'deleted' AND (due IS NOT NULL OR failing_since IS NOT NULL)
        OR status = 'created' AND in_backup = 0
        OR status = 'deleted' AND (in_main = 1 OR in_backup = 1));
CREATE INDEX resource_acknowledged ON resource (id)
    WHERE needs_upload = 1 AND due IS NOT NULL AND status <> 'deleted';
CREATE INDEX version_unremoved ON version (kept_until) WHERE state IN ('removing', 'abandoned');
CREATE INDEX version_failing ON version (resource, id)
    WHERE state IN ('removing', 'abandoned') AND attempts > 0;
CREATE INDEX version_waiting ON version (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX version_removable ON version (due)
    WHERE state IN ('removing', 'abandoned') AND due IS NOT NULL AND waits_for IS NULL;
CREATE TRIGGER resource_inserted AFTER INSERT ON resource BEGIN
    INSERT INTO outbox (entity, owner) VALUES ('resource', NEW.id);
END;
CREATE TRIGGER resource_updated AFTER UPDATE OF
    status, mode, uid, gid, size, accessed, modified, deleted_at, target, version ON resource BEGIN
    INSERT INTO outbox (entity, owner) VALUES ('resource', NEW.id);
END;
CREATE TRIGGER resource_erased AFTER DELETE ON resource BEGIN
    INSERT INTO outbox (entity, owner) VALUES ('resource', OLD.id);
END;
CREATE TRIGGER name_inserted AFTER INSERT ON name BEGIN
    INSERT INTO outbox (entity, owner, name) VALUES ('name', NEW.parent, NEW.name);
END;
CREATE TRIGGER name_updated AFTER UPDATE ON name BEGIN
    INSERT INTO outbox (entity, owner, name) VALUES ('name', OLD.parent, OLD.name);
    INSERT INTO outbox (entity, owner, name) VALUES ('name', NEW.parent, NEW.name);
END;
CREATE TRIGGER name_deleted AFTER DELETE ON name BEGIN
    INSERT INTO outbox (entity, owner, name) VALUES ('name', OLD.parent, OLD.name);
END;
CREATE TRIGGER xattr_inserted AFTER INSERT ON xattr BEGIN
    INSERT INTO outbox (entity, owner, name) VALUES ('xattr', NEW.resource, NEW.name);
END;
CREATE TRIGGER xattr_updated AFTER UPDATE ON xattr BEGIN
    INSERT INTO outbox (entity, owner, name) VALUES ('xattr', NEW.resource, NEW.name);
END;
CREATE TRIGGER xattr_deleted AFTER DELETE ON xattr BEGIN
    INSERT INTO outbox (entity, owner, name) VALUES ('xattr', OLD.resource, OLD.name);
END;
CREATE TRIGGER version_kept AFTER UPDATE OF kept_until ON version WHEN NEW.kept_until IS NOT NULL BEGIN
    INSERT INTO outbox (entity, owner, name) VALUES ('version', NEW.resource, CAST(NEW.id AS BLOB));
END;
CREATE TRIGGER version_erased AFTER DELETE ON version WHEN OLD.kept_until IS NOT NULL BEGIN
    INSERT INTO outbox (entity, owner, name) VALUES ('version', OLD.resource, CAST(OLD.id AS BLOB));
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('resource',9);
INSERT INTO "sqlite_sequence" VALUES('name',8);
INSERT INTO "sqlite_sequence" VALUES('rename_intent',2);
INSERT INTO "sqlite_sequence" VALUES('name_intent',2);
INSERT INTO "sqlite_sequence" VALUES('aside',2);
INSERT INTO "sqlite_sequence" VALUES('outbox',19);
COMMIT;
