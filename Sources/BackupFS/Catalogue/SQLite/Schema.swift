// The tables, said once. A migration that has shipped is never changed; a new one is added below it.

import GRDB

enum Schema {
    /// Every migration, oldest first.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 resources") { database in try database.execute(sql: first) }
        migrator.registerMigration("2 followed intents") { database in try database.execute(sql: followedIntents) }
        migrator.registerMigration("3 counting") { database in try database.execute(sql: counting) }
        migrator.registerMigration("4 edges") { database in try database.execute(sql: edges) }
        migrator.registerMigration("5 operators") { database in try database.execute(sql: operators) }
        migrator.registerMigration("6 multipart uploads") { database in try database.execute(sql: multipartUploads) }
        migrator.registerMigration("7 removal after journal") { database in
            try database.execute(sql: removalAfterJournal)
        }
        migrator.registerMigration("8 journal as a log") { database in try database.execute(sql: journalAsLog) }
        return migrator
    }

    /// A journal that begins with everything, tells of versions that are kept, and takes names as the bytes that they are.
    private static let journalAsLog = """
        DROP TRIGGER resource_inserted;
        DROP TRIGGER resource_updated;
        DROP TRIGGER resource_erased;
        DROP TRIGGER name_inserted;
        DROP TRIGGER name_updated;
        DROP TRIGGER name_deleted;
        DROP TRIGGER xattr_inserted;
        DROP TRIGGER xattr_updated;
        DROP TRIGGER xattr_deleted;

        CREATE TABLE next_xattr (
            resource INTEGER NOT NULL REFERENCES resource (id),
            name BLOB NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (resource, name)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO next_xattr SELECT resource, CAST(name AS BLOB), value FROM xattr;
        DROP TABLE xattr;
        ALTER TABLE next_xattr RENAME TO xattr;

        CREATE TABLE next_outbox (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            entity TEXT NOT NULL CHECK (entity IN ('resource', 'name', 'xattr', 'version')),
            owner INTEGER NOT NULL,
            name BLOB
        ) STRICT;
        INSERT INTO next_outbox SELECT sequence, entity, owner, name FROM outbox;
        -- No number is given twice.
        DELETE FROM sqlite_sequence WHERE name = 'next_outbox';
        INSERT INTO sqlite_sequence (name, seq) SELECT 'next_outbox', seq FROM sqlite_sequence WHERE name = 'outbox';
        DROP TABLE outbox;
        ALTER TABLE next_outbox RENAME TO outbox;

        -- When the upload began: the epoch's number, and the outbox's at that moment.
        ALTER TABLE version ADD COLUMN epoch INTEGER;
        ALTER TABLE version ADD COLUMN change INTEGER;

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

        -- The segments that are there are of an older format: the next one tells everything.
        DELETE FROM setting WHERE key IN ('journal', 'journal.begun');
        INSERT INTO setting (key, value)
            SELECT 'journal.base', 'needed' WHERE EXISTS (SELECT 1 FROM setting WHERE key = 'claimed');
        INSERT INTO outbox (entity, owner)
            SELECT 'resource', 1 WHERE EXISTS (SELECT 1 FROM setting WHERE key = 'claimed');
        """

    /// An object goes only after the journal has told that it is not wanted.
    private static let removalAfterJournal = """
        -- The change that the journal has to tell first; NULL once it has.
        ALTER TABLE version ADD COLUMN waits_for INTEGER;
        CREATE INDEX version_waiting ON version (waits_for) WHERE waits_for IS NOT NULL;
        CREATE INDEX version_removable ON version (due)
            WHERE state IN ('removing', 'abandoned') AND due IS NOT NULL AND waits_for IS NULL;
        """

    /// An operator's question costs what is pending, never what there is: how many rows have a status is counted as they
    /// change, and what does not match has indexes of its own.
    private static let operators = """
        DROP INDEX resource_status;
        CREATE TABLE tally (
            status TEXT PRIMARY KEY NOT NULL,
            number INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO tally (status, number) VALUES ('creating', 0), ('created', 0), ('deleted', 0);
        -- The root directory is not counted.
        UPDATE tally SET number = (SELECT count(*) FROM resource WHERE resource.status = tally.status AND id <> 1);
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
        DROP INDEX resource_unsaved;
        CREATE INDEX resource_unmatched ON resource (id) WHERE
            kind = 'file' AND (needs_upload = 1 AND status <> 'deleted' AND (due IS NOT NULL OR failing_since IS NOT NULL)
                OR status = 'created' AND in_backup = 0
                OR status = 'deleted' AND (in_main = 1 OR in_backup = 1));
        CREATE INDEX resource_acknowledged ON resource (id)
            WHERE needs_upload = 1 AND due IS NOT NULL AND status <> 'deleted';
        CREATE INDEX version_unremoved ON version (kept_until) WHERE state IN ('removing', 'abandoned');
        CREATE INDEX version_failing ON version (resource, id)
            WHERE state IN ('removing', 'abandoned') AND attempts > 0;
        """

    /// Main storage has followed the intent, though maybe not durably yet.
    private static let followedIntents = """
        ALTER TABLE rename_intent ADD COLUMN followed INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE name_intent ADD COLUMN followed INTEGER NOT NULL DEFAULT 0;
        """

    /// `status` and `leftovers` read no table of millions.
    private static let counting = """
        CREATE INDEX resource_status ON resource (status);
        CREATE INDEX resource_unsaved ON resource (id) WHERE kind = 'file' AND status = 'created' AND in_backup = 0;
        """

    /// What was set aside; files that main had before they had a row; versions that are kept for a while; no scans; and no
    /// name that leads out of main.
    private static let edges = """
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
        CREATE INDEX aside_unsettled ON aside (id) WHERE settled = 0;

        -- Main had it before it had a row.
        ALTER TABLE resource ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0 CHECK (adopted IN (0, 1));
        UPDATE resource SET adopted = 1 WHERE id
            BETWEEN (SELECT CAST(value AS INTEGER) FROM setting WHERE key = 'adopted.first')
            AND (SELECT CAST(value AS INTEGER) FROM setting WHERE key = 'adopted.last');
        -- Its content comes out of a run that did not end cleanly.
        ALTER TABLE resource ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0 CHECK (suspect IN (0, 1));
        -- Every removal of a version looks here.
        CREATE INDEX resource_version ON resource (version);

        -- Not wanted, and all the same not removed before this time.
        ALTER TABLE version ADD COLUMN kept_until INTEGER;
        UPDATE version SET due = 0 WHERE due IS NULL AND state IN ('removing', 'abandoned');
        DROP INDEX version_unsettled;
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
        """

    /// Uploads in parts that the server knows and that were neither finished nor aborted.
    private static let multipartUploads = """
        CREATE TABLE multipart_upload (
            id TEXT NOT NULL,
            key TEXT NOT NULL,
            PRIMARY KEY (key, id)
        ) STRICT;
        """

    private static let first = """
        CREATE TABLE setting (
            key TEXT PRIMARY KEY NOT NULL,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

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
            last_error TEXT,
            CHECK ((status = 'deleted') = (deleted_at IS NOT NULL)),
            CHECK (kind <> 'symlink' OR target IS NOT NULL),
            CHECK (in_backup = 0 OR kind <> 'file' OR version IS NOT NULL)
        ) STRICT;
        CREATE INDEX resource_due ON resource (due) WHERE due IS NOT NULL;
        CREATE INDEX resource_needs_upload ON resource (id) WHERE needs_upload = 1 AND status <> 'deleted';
        CREATE INDEX resource_creating ON resource (id) WHERE status = 'creating';
        CREATE INDEX resource_leftover ON resource (id)
            WHERE status = 'deleted' AND (in_main = 1 OR in_backup = 1);
        CREATE INDEX resource_deleted_name ON resource (deleted_parent, deleted_name) WHERE status = 'deleted';

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
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX version_of_resource ON version (resource);
        CREATE INDEX version_unsettled ON version (state, due) WHERE state <> 'stored';

        CREATE TABLE name (
            -- Also the position in a directory listing; it stays when the entry is renamed.
            cookie INTEGER PRIMARY KEY AUTOINCREMENT,
            parent INTEGER NOT NULL REFERENCES resource (id),
            name BLOB NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
            resource INTEGER NOT NULL REFERENCES resource (id),
            UNIQUE (parent, name)
        ) STRICT;
        CREATE INDEX name_listing ON name (parent, cookie);
        CREATE INDEX name_of_resource ON name (resource);

        CREATE TABLE xattr (
            resource INTEGER NOT NULL REFERENCES resource (id),
            name TEXT NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (resource, name)
        ) STRICT, WITHOUT ROWID;

        -- A rename that main storage may not have followed yet.
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
        ) STRICT;

        -- A name that a living resource got beside its others, or lost, and that main storage may not have followed.
        CREATE TABLE name_intent (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            resource INTEGER NOT NULL,
            parent INTEGER NOT NULL,
            name BLOB NOT NULL
        ) STRICT;

        -- What changed and has not been shipped to backup storage yet (docs/ARCHITECTURE.md, Journal).
        CREATE TABLE outbox (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            entity TEXT NOT NULL CHECK (entity IN ('resource', 'name', 'xattr')),
            owner INTEGER NOT NULL,
            name BLOB
        ) STRICT;

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
            INSERT INTO outbox (entity, owner, name) VALUES ('xattr', NEW.resource, CAST(NEW.name AS BLOB));
        END;
        CREATE TRIGGER xattr_updated AFTER UPDATE ON xattr BEGIN
            INSERT INTO outbox (entity, owner, name) VALUES ('xattr', NEW.resource, CAST(NEW.name AS BLOB));
        END;
        CREATE TRIGGER xattr_deleted AFTER DELETE ON xattr BEGIN
            INSERT INTO outbox (entity, owner, name) VALUES ('xattr', OLD.resource, CAST(OLD.name AS BLOB));
        END;
        """
}
